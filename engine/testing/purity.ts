import { existsSync, readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { dirname, join, relative } from "node:path";
import ts from "typescript";
import { repositoryRoot } from "../service/root.js";

/** Something whose result depends on more than its arguments: a clock, chance, the machine, its locale or time zone. */
export interface Impurity {
  /** Path in the checkout and line, `producers/x/translate.ts:12`. */
  readonly place: string;
  readonly what: string;
}

/** What a pure file may take from Node's own modules: computing, no input or output, no chance. */
const allowedOfNode: Readonly<Record<string, readonly string[]>> = {
  "node:crypto": ["createHash", "createHmac", "hash", "timingSafeEqual"],
  "node:buffer": ["Buffer", "isUtf8", "isAscii"],
  "node:string_decoder": ["StringDecoder"],
  "node:util": ["TextDecoder", "TextEncoder", "isDeepStrictEqual", "types"],
};

/** Packages that reach for the outside as soon as they are used. */
const effectfulPackages = new Set(["kafkajs", "pg", "knex", "fastify", "pino", "prom-client", "undici", "axios"]);

/** Globals that are impure whatever is done with them. */
const impureGlobals: Readonly<Record<string, string>> = {
  process: "reads the process",
  performance: "reads a clock",
  fetch: "reaches the network",
  crypto: "reaches for chance",
  setTimeout: "waits",
  setInterval: "waits",
  setImmediate: "waits",
  queueMicrotask: "defers",
  require: "loads a module that can't be looked into",
  globalThis: "reaches for any global",
  navigator: "reads the machine",
};

/** Methods whose result follows the locale or time zone of the machine. */
const localMethods =
  /^(toLocale\w*|toDateString|toTimeString|getTimezoneOffset|(get|set)(FullYear|Year|Month|Date|Day|Hours|Minutes|Seconds|Milliseconds))$/;
/** Deterministic only with the locale named: `left.localeCompare(right, "en")`. */
const localeArgument: Readonly<Record<string, number>> = { localeCompare: 1 };

/**
 * Looks for impurities in a file and in everything it imports, directly or not, without running it. Imports of types
 * alone are not followed. What a package outside the checkout does is not seen, but for those known to do input or output.
 * @param entries absolute paths.
 * @returns none for pure code; each with its place.
 */
export function impuritiesOf(entries: readonly string[]): readonly Impurity[] {
  const found: Impurity[] = [];
  const waiting = [...entries];
  const seen = new Set<string>();
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (seen.has(path)) continue;
    seen.add(path);
    const source = ts.createSourceFile(path, readFileSync(path, "utf8"), ts.ScriptTarget.ES2023, true);
    const scan = scanFile(source);
    found.push(...scan.impurities);
    for (const specifier of scan.imports) {
      const file = join(dirname(path), specifier.replace(/\.js$/, ".ts"));
      if (existsSync(file)) waiting.push(file);
      else found.push({ place: relative(repositoryRoot, path), what: `imports ${specifier}, which isn't there` });
    }
  }
  return found.sort((left, right) => (left.place < right.place ? -1 : left.place > right.place ? 1 : 0));
}

interface Scan {
  readonly impurities: Impurity[];
  /** Relative specifiers to follow. */
  readonly imports: string[];
}

function scanFile(source: ts.SourceFile): Scan {
  const impurities: Impurity[] = [];
  const imports: string[] = [];
  const report = (node: ts.Node, what: string) => {
    const { line } = source.getLineAndCharacterOfPosition(node.getStart(source));
    impurities.push({ place: `${relative(repositoryRoot, source.fileName)}:${line + 1}`, what });
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) {
      const problem = scanImport(node, imports);
      if (problem) report(node, problem);
      return;
    }
    if (ts.isTypeNode(node) || ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node)) return;
    const problem = impurityOf(node);
    if (problem) report(node, problem);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return { impurities, imports };
}

/** @returns what is wrong with the import; a relative one is put on the list to follow. */
function scanImport(node: ts.ImportDeclaration | ts.ExportDeclaration, imports: string[]): string | undefined {
  if (!node.moduleSpecifier || !ts.isStringLiteral(node.moduleSpecifier)) return undefined;
  const specifier = node.moduleSpecifier.text;
  const names = valueNames(node);
  if (names.length === 0) return undefined;
  if (specifier.startsWith(".")) {
    imports.push(specifier);
    return undefined;
  }
  if (specifier.startsWith("node:") || builtinModules.includes(specifier)) {
    const allowed = allowedOfNode[specifier.startsWith("node:") ? specifier : `node:${specifier}`] ?? [];
    const refused = names.filter((name) => !allowed.includes(name));
    return refused.length > 0 ? `imports ${refused.join(", ")} of ${specifier}` : undefined;
  }
  return effectfulPackages.has(specifier) ? `imports ${specifier}` : undefined;
}

/** Names of the values an import brings; `*` for all of them. */
function valueNames(node: ts.ImportDeclaration | ts.ExportDeclaration): string[] {
  if (ts.isExportDeclaration(node)) {
    if (node.isTypeOnly) return [];
    if (!node.exportClause || !ts.isNamedExports(node.exportClause)) return ["*"];
    return namesOf(node.exportClause.elements);
  }
  const clause = node.importClause;
  if (!clause) return ["*"];
  if (clause.phaseModifier === ts.SyntaxKind.TypeKeyword) return [];
  const bindings = clause.namedBindings;
  const names = clause.name ? ["default"] : [];
  if (bindings && ts.isNamespaceImport(bindings)) names.push("*");
  else if (bindings) names.push(...namesOf(bindings.elements));
  return names;
}

const namesOf = (elements: ts.NodeArray<ts.ImportSpecifier | ts.ExportSpecifier>) =>
  elements.filter(({ isTypeOnly }) => !isTypeOnly).map(({ name, propertyName }) => (propertyName ?? name).text);

function impurityOf(node: ts.Node): string | undefined {
  if (ts.isIdentifier(node)) return isReference(node) ? impureReference(node) : undefined;
  if (ts.isNewExpression(node) || ts.isCallExpression(node)) return impureCall(node);
  return undefined;
}

/** Whether an identifier stands for a value, and is no name of a property, a parameter or a variable of its own. */
function isReference(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node;
  if (ts.isBindingElement(parent) || ts.isVariableDeclaration(parent) || ts.isParameter(parent))
    return parent.initializer === node;
  if (ts.isPropertyAssignment(parent)) return parent.initializer === node;
  return !(ts.isClassElement(parent) || ts.isFunctionLike(parent) || ts.isImportSpecifier(parent));
}

function impureReference(node: ts.Identifier): string | undefined {
  if (isDeclaredIn(node.getSourceFile(), node.text)) return undefined;
  const why = Object.hasOwn(impureGlobals, node.text) ? impureGlobals[node.text] : undefined;
  if (why !== undefined) return `${node.text} ${why}`;
  const { parent } = node;
  const member = ts.isPropertyAccessExpression(parent) && parent.expression === node ? parent.name.text : undefined;
  if (node.text === "Math") return member === "random" || member === undefined ? "Math.random is chance" : undefined;
  if (node.text !== "Date") return undefined;
  if (member === "now") return "Date.now reads a clock";
  // As a value of its own it could be called anywhere: `const make = Date`.
  const known = ts.isNewExpression(parent) || ts.isCallExpression(parent) || member !== undefined;
  const asked = ts.isBinaryExpression(parent) && parent.operatorToken.kind === ts.SyntaxKind.InstanceOfKeyword;
  return known || asked ? undefined : "Date is handed on, and may be asked for the time";
}

function impureCall(node: ts.NewExpression | ts.CallExpression): string | undefined {
  const callee = node.expression;
  const given = node.arguments ?? [];
  if (callee.kind === ts.SyntaxKind.ImportKeyword) return "loads a module that can't be looked into";
  if (ts.isIdentifier(callee) && callee.text === "Date") {
    if (ts.isCallExpression(node) || given.length === 0) return "Date without an argument reads a clock";
    return given.length > 1 ? "a Date of parts is in the machine's time zone; use Date.UTC" : undefined;
  }
  if (!ts.isPropertyAccessExpression(callee)) return undefined;
  const method = callee.name.text;
  if (ts.isIdentifier(callee.expression) && callee.expression.text === "Intl" && !namesLocale(given[0]))
    return `Intl.${method} without a locale follows the machine's`;
  if (localMethods.test(method)) return `${method} follows the machine's locale or time zone`;
  const at = Object.hasOwn(localeArgument, method) ? localeArgument[method] : undefined;
  return at !== undefined && !namesLocale(given[at]) ? `${method} without a locale follows the machine's` : undefined;
}

const namesLocale = (argument: ts.Expression | undefined) =>
  argument !== undefined &&
  !(ts.isIdentifier(argument) && argument.text === "undefined") &&
  !(ts.isArrayLiteralExpression(argument) && argument.elements.length === 0);

/** Names that a file declares or imports itself hide the globals; a scan of the file's declarations is enough here. */
function isDeclaredIn(source: ts.SourceFile, name: string): boolean {
  let names = declaredNames.get(source);
  if (!names) {
    names = new Set();
    const collected = names;
    const collect = (node: ts.Node): void => {
      const named = node as { readonly name?: ts.Node };
      const declares = ts.isVariableDeclaration(node) || ts.isParameter(node) || ts.isBindingElement(node);
      if ((declares || ts.isFunctionDeclaration(node)) && named.name && ts.isIdentifier(named.name))
        collected.add(named.name.text);
      ts.forEachChild(node, collect);
    };
    collect(source);
    declaredNames.set(source, names);
  }
  return names.has(name);
}

const declaredNames = new WeakMap<ts.SourceFile, Set<string>>();
