import { parseJson, shapeOf } from "../../engine/reception/json.js";

/** A CloudEvent, whatever way it came. */
export interface CloudEvent {
  readonly attributes: Readonly<Record<string, string>>;
  /** Data as JSON, or as bytes of another format. */
  readonly data: { readonly json: unknown } | { readonly bytes: Buffer } | null;
}

/** Why something is no CloudEvent. */
export interface EnvelopeProblem {
  readonly code: "UNREADABLE" | "ATTRIBUTE_INVALID" | "ATTRIBUTE_MISSING" | "DATA_FORMAT";
  readonly place: string;
}

/** Names that attributes may have. */
export const attributeName = /^[a-z0-9]{1,64}$/;
const needed = ["specversion", "id", "source", "type", "time"] as const;

/** Checks the attributes (CloudEvents 1.0, section 3). Ours are the time, which they leave out at will, and the length. */
export function attributeProblem(attributes: Readonly<Record<string, string>>): EnvelopeProblem | null {
  for (const name of needed) {
    const value = attributes[name];
    if (value === undefined || value === "") return { code: "ATTRIBUTE_MISSING", place: name };
    if (value.length > 1_000) return { code: "ATTRIBUTE_INVALID", place: name };
  }
  return attributes.specversion === "1.0" ? null : { code: "ATTRIBUTE_INVALID", place: "specversion" };
}

/** A structured CloudEvent in JSON: members are attributes but for `data` and `data_base64`. */
export function fromJson(json: unknown): CloudEvent | EnvelopeProblem {
  if (typeof json !== "object" || json === null || Array.isArray(json)) return { code: "UNREADABLE", place: "body" };
  const attributes: Record<string, string> = {};
  let data: CloudEvent["data"] = null;
  // Which of the two would count, nobody could say (JSON format, 3.1).
  if ("data" in json && "data_base64" in json) return { code: "UNREADABLE", place: "data_base64" };
  for (const [name, value] of Object.entries(json)) {
    if (name === "data") data = { json: value };
    else if (name === "data_base64") {
      if (typeof value !== "string" || !/^[A-Za-z0-9+/]*={0,2}$/.test(value))
        return { code: "UNREADABLE", place: name };
      data = { bytes: Buffer.from(value, "base64") };
    } else {
      if (!attributeName.test(name)) return { code: "ATTRIBUTE_INVALID", place: "attribute name" };
      if (value === null) continue;
      if (typeof value === "object") return { code: "ATTRIBUTE_INVALID", place: name };
      attributes[name] = String(value);
    }
  }
  return { attributes, data };
}

const limits = { depth: 40, values: 500_000 };

/** Parses JSON that has nothing surprising in it: no key twice, no depth or count beyond bounds. */
export function readJson(bytes: Buffer): { readonly value: unknown } | undefined {
  return shapeOf(bytes, limits).fault === undefined ? parseJson(bytes) : undefined;
}

/** Media type of data that is JSON. */
export const isJson = (type: string): boolean => /^(application|text)\/([a-z0-9.-]+\+)?json$/.test(type);
/** Media type of data in Avro binary. */
export const isAvro = (type: string): boolean =>
  /^(application\/(x-|vnd\.apache\.)?avro(\+binary)?|avro\/binary)$/.test(type);

/** Media type without parameters, in lower case. */
export const mediaTypeOf = (text: string): string => (text.split(";", 1)[0] ?? "").trim().toLowerCase();
