import { isOperationOutcome, OperationOutcomeError, validateResource } from "@medplum/core";
import { isOverlong } from "../../engine/intake/surrogate.js";
import { isTemporal } from "./datetime.js";
import { type Constraint, isResourceType, type Member, type Shape, shapeOfType } from "./definitions.js";
import { children, type Element, isElement, number, text, typeOf } from "./element.js";
import { holds, isExtension, isPlainMarkup, type Scene } from "./invariants.js";
import { type IssueCode, issueCodeOf, type Problem } from "./problem.js";
import { largestAmount } from "./speaker.js";

export interface ValidationOptions {
  /** URLs of modifier extensions that are understood. */
  readonly modifierExtensions: readonly string[];
}

/** Most problems told of one resource. */
const mostProblems = 50;
/** Primitive texts by type; dates are read, not matched. FHIR R4, 2.24.0.1. */
const forms: Readonly<Record<string, RegExp>> = {
  code: /^[^\s]+(\s[^\s]+)*$/,
  id: /^[A-Za-z0-9\-.]{1,64}$/,
  oid: /^urn:oid:[0-2](\.(0|[1-9][0-9]*))+$/,
  uuid: /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/,
  time: /^([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d{1,9})?$/,
  uri: /^\S+$/,
  url: /^\S+$/,
  canonical: /^\S+$/,
  base64Binary: /^[A-Za-z0-9+/\s]+={0,2}\s*$/,
};
/** What FHIR forbids, and half a character, which no text of ours could give back. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the ones FHIR forbids
const control = /[\u0000-\u0008\u000b\u000c\u000e-\u001f]|\p{Surrogate}/u;

/**
 * Checks a resource against its definition in FHIR R4.
 *
 * What the definitions say of members, values, required codes, invariants, references within and modifier extensions is
 * looked at in one walk. A resource in which it finds a structure that it can't vouch for is handed to the library's
 * validator, which decides and names the places: so valid resources, nearly all of them, cost a fifth.
 * @returns nothing for a valid resource.
 */
export function problemsOf(resource: Element, options: ValidationOptions): readonly Problem[] {
  const type = typeOf(resource);
  const walk = new Walk(resource, options);
  walk.object(resource, shapeOfType(type), type);
  const problems = walk.doubt ? [...walk.problems, ...askLibrary(resource)] : walk.problems;
  const seen = new Set<string>();
  return problems.filter(({ place }) => !seen.has(place) && seen.add(place)).slice(0, mostProblems);
}

function askLibrary(resource: Element): readonly Problem[] {
  try {
    validateResource(resource as unknown as Parameters<typeof validateResource>[0]);
    return [];
  } catch (error) {
    // The library stumbles over some structures: whatever it can't walk through is none of the definition's.
    if (!(error instanceof OperationOutcomeError) || !isOperationOutcome(error.outcome))
      return [{ code: "structure", place: typeOf(resource) }];
    const issues = children(error.outcome as unknown as Element, "issue").filter(
      ({ severity }) => severity === "error",
    );
    return issues.map((issue) => ({
      code: issueCodeOf(text(issue, "code"), text(issue.details as Element, "text")),
      place: String((issue.expression as readonly string[] | undefined)?.[0] ?? typeOf(resource)),
    }));
  }
}

class Walk {
  readonly problems: Problem[] = [];
  /** The structure isn't one that the walk can vouch for. */
  doubt = false;
  readonly #scene: Scene;
  readonly #options: ValidationOptions;

  constructor(root: Element, options: ValidationOptions) {
    this.#options = options;
    const contained = new Set(children(root, "contained").map((one) => String(one.id)));
    this.#scene = { root, contained };
  }

  object(value: Element, shape: Shape, path: string): void {
    let chosen: Map<string, string> | undefined;
    for (const [name, content] of Object.entries(value)) {
      if (name === "resourceType" && shape.resource) continue;
      const plain = name.startsWith("_") ? name.slice(1) : name;
      const member = shape.members.get(plain);
      if (!member || (plain !== name && !member.primitive)) {
        this.doubt = true;
        continue;
      }
      if (member.element !== plain) {
        chosen ??= new Map();
        if ((chosen.get(member.element) ?? plain) !== plain) this.doubt = true;
        chosen.set(member.element, plain);
      }
      if (plain === name) this.#member(member, content, shape, name, path);
      else {
        // Rare, and the library has rules of its own for it.
        this.doubt = true;
        this.#sibling(content, `${path}.${plain}`);
      }
    }
    for (const { element, names } of shape.required) {
      if (!names.some((name) => value[name] !== undefined || value[`_${name}`] !== undefined))
        this.#add("required", `${path}.${element}`);
    }
    if (shape.type === "Identifier" && isOverlong({ authority: text(value, "system"), value: text(value, "value") }))
      this.#add("too-long", `${path}.value`);
    // It would be no amount at all, and count as nothing.
    if (shape.type === "Money" && Math.abs(number(value, "value") ?? 0) > largestAmount)
      this.#add("value", `${path}.value`);
    this.#constraints(shape.constraints, shape.type, value, path);
  }

  #member(member: Member, content: unknown, shape: Shape, name: string, path: string): void {
    const place = `${path}.${name}`;
    if (Array.isArray(content) !== member.many) {
      this.doubt = true;
      return;
    }
    if (name === "modifierExtension") this.#modifiers(content, place);
    if (!member.many) {
      this.#value(member, content, shape, name, place);
      return;
    }
    const list = content as readonly unknown[];
    if (list.length === 0 || list.length > member.max) this.#add("structure", place);
    for (const [index, one] of list.entries()) this.#value(member, one, shape, name, `${place}[${index}]`);
  }

  #value(member: Member, content: unknown, shape: Shape, name: string, place: string): void {
    if (member.primitive) {
      // Every resource's `id` is a string in the definitions, with the form of an id in the text.
      const type = name === "id" && shape.resource ? "id" : member.type;
      if (!isPrimitive(type, content)) {
        if (content === null) this.doubt = true;
        else this.#add(type === "xhtml" ? "invariant" : "value", place);
      } else if (member.codes && !member.codes.has(content as string)) this.#add("code-invalid", place);
      return;
    }
    if (!isElement(content) || Object.keys(content).length === 0) {
      this.#add("structure", place);
      return;
    }
    if (member.type === "Resource") this.#resource(content, place);
    else this.object(content, shapeOfType(member.type), place);
    if (member.type === "Extension" && !isExtension(content)) this.#add("invariant", place);
    this.#constraints(member.constraints, member.type, content, place);
  }

  #resource(content: Element, place: string): void {
    const type = typeOf(content);
    if (isResourceType(type)) this.object(content, shapeOfType(type), place);
    else this.#add(type === "" ? "structure" : "not-supported", place);
  }

  /** `_birthDate`: id and extensions of a primitive; in a list, null where one has none. */
  #sibling(content: unknown, place: string): void {
    const all = Array.isArray(content) ? content : [content];
    for (const one of all) {
      if (one === null && Array.isArray(content)) continue;
      if (isElement(one)) this.object(one, shapeOfType("Element"), place);
      else this.doubt = true;
    }
  }

  /** A modifier extension that isn't understood may turn the meaning of all around it (FHIR R4, 2.4.1.1). */
  #modifiers(content: unknown, place: string): void {
    if (!Array.isArray(content)) return;
    for (const [index, one] of content.entries()) {
      const url = isElement(one) ? text(one, "url") : undefined;
      if (url === undefined || !this.#options.modifierExtensions.includes(url))
        this.#add("extension", `${place}[${index}]`);
    }
  }

  #constraints(constraints: readonly Constraint[], type: string, value: Element, place: string): void {
    for (const constraint of constraints)
      if (!holds(constraint, type, value, this.#scene)) this.#add("invariant", place);
  }

  #add(code: IssueCode, place: string): void {
    if (this.problems.length < mostProblems) this.problems.push({ code, place });
  }
}

function isPrimitive(type: string, value: unknown): boolean {
  switch (type) {
    case "boolean":
      return typeof value === "boolean";
    case "decimal":
      return typeof value === "number" && Number.isFinite(value);
    case "integer":
      return Number.isInteger(value) && Math.abs(value as number) <= 2_147_483_648;
    case "positiveInt":
      return Number.isInteger(value) && (value as number) > 0;
    case "unsignedInt":
      return Number.isInteger(value) && (value as number) >= 0;
    case "date":
    case "dateTime":
    case "instant":
      return typeof value === "string" && isTemporal(type, value);
    case "xhtml":
      return typeof value === "string" && isPlainMarkup(value);
  }
  if (typeof value !== "string" || value.trim() === "") return false;
  return (forms[type]?.test(value) ?? true) && !control.test(value);
}
