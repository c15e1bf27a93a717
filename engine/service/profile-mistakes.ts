import { z } from "zod";

interface Shape {
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly additionalProperties?: Shape | boolean;
  readonly propertyNames?: { readonly enum?: readonly string[] };
  readonly items?: Shape;
  readonly anyOf?: readonly Shape[];
  readonly oneOf?: readonly Shape[];
  readonly const?: unknown;
}

/** Most characters of a value that is repeated. */
const longest = 60;

/**
 * What a profile has wrong, a sentence each: the field, what it is, what it may be.
 * @param content the profile as it was given.
 */
export function profileMistakes(schema: z.ZodType, error: z.ZodError, content: unknown): readonly string[] {
  const shape = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }) as Shape;
  return error.issues.flatMap((issue) => {
    const place = issue.path.map(String);
    const value = valueAt(content, issue.path);
    if (issue.code === "unrecognized_keys")
      return issue.keys.map((key) => unknownField([...place, key].join("."), key, namesIn(shape, issue.path, content)));
    const field = place.join(".") || "the profile";
    if (issue.code === "invalid_key")
      return `${field}: the name is not right: ${issue.issues.map(({ message }) => message).join(", ")}`;
    // Where a partner proves itself nothing is repeated: what stands there by mistake may be the secret itself.
    const shown = place[0] === "authentication" || typeof value === "object" ? undefined : shortened(value);
    // The schemas' own words name what is wanted of a value, or say what is wrong with an object; the library's say all.
    const isNamed = typeof value !== "object" && /^(an?|one) /.test(issue.message);
    const wanted = isNamed ? `wanted is ${issue.message}` : issue.message;
    if (value === undefined) return `${field} is missing: ${wanted}`;
    return shown === undefined ? `${field}: ${wanted}` : `${field} is ${shown}: ${wanted}`;
  });
}

function shortened(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > longest ? `${text.slice(0, longest)}…` : text;
}

const valueAt = (content: unknown, path: readonly PropertyKey[]): unknown =>
  path.reduce<unknown>((value, name) => (value as Record<PropertyKey, unknown> | null | undefined)?.[name], content);

function unknownField(place: string, name: string, known: readonly string[]): string {
  const there = known.length === 0 ? "there is none here" : `there are: ${known.join(", ")}`;
  const near = known.find((one) => one.toLowerCase() === name.toLowerCase());
  return `${place}: there is no field of this name${near ? `, but ${near}` : ""} (${there})`;
}

/** Names that fields at a place may have. */
function namesIn(shape: Shape, path: readonly PropertyKey[], content: unknown): readonly string[] {
  let shapes = variants(shape, content);
  let value = content;
  for (const name of path) {
    value = valueAt(value, [name]);
    shapes = shapes.flatMap((one) => {
      const { properties, items, additionalProperties } = one;
      const inner = typeof name === "number" ? items : (properties?.[String(name)] ?? additionalProperties);
      return typeof inner === "object" ? variants(inner, value) : [];
    });
  }
  const names = shapes.flatMap((one) => [...Object.keys(one.properties ?? {}), ...(one.propertyNames?.enum ?? [])]);
  return [...new Set(names)];
}

/** Of alternatives those whose constants are the value's. */
function variants(shape: Shape, value: unknown): readonly Shape[] {
  const all = [...(shape.anyOf ?? []), ...(shape.oneOf ?? [])];
  if (all.length === 0) return [shape];
  const fitting = all.filter(({ properties = {} }) =>
    Object.entries(properties).every(([name, inner]) => !("const" in inner) || inner.const === valueAt(value, [name])),
  );
  return (fitting.length > 0 ? fitting : all).flatMap((one) => variants(one, value));
}

/** Why a text is no JSON: line and column from 1, and what was found there. */
export function jsonMistake(text: string): string {
  const message = faultOf(text) ?? "";
  const at = Number(/position (\d+)/.exec(message)?.[1] ?? (/end of JSON/.test(message) ? text.length : placeOf(text)));
  const lines = text.slice(0, at).split("\n");
  const what = message.replace(/,? (in|after) JSON at position.*$/s, "").replace(/, (?:\.\.\.)?".*$/s, "");
  return `line ${lines.length}, column ${(lines.at(-1) ?? "").length + 1}: ${what}`;
}

function faultOf(text: string): string | undefined {
  try {
    JSON.parse(text);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** Where a token is that Node names without its place: a text cut off before it breaks off, and has no such token. */
function placeOf(text: string): number {
  let [before, behind] = [0, text.length];
  while (behind - before > 1) {
    const middle = Math.floor((before + behind) / 2);
    if (/^Unexpected token/.test(faultOf(text.slice(0, middle)) ?? "")) behind = middle;
    else before = middle;
  }
  return behind - 1;
}
