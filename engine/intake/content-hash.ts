import { hash } from "node:crypto";

/** Fields that hold keyed ids and hashes: the same facts have others in another installation. */
const keyed: ReadonlySet<string> = new Set([
  "patientId",
  "visitId",
  "remittanceId",
  "payerControlNumberHash",
  "controlNumber",
]);

const short = (text: string) => hash("sha256", text).slice(0, 16);

/**
 * Hash of facts, 32 hexadecimal digits, over their JSON, whose member order is the caller's. The first half is of what was
 * sent in the clear, so that a tie it decides is decided alike in every installation; the second half is of all facts,
 * and tells apart what differs in keyed ids only.
 */
export function contentHash(facts: object): string {
  // Both texts in one go over the members: as objects to be written by the library they would cost three times as much.
  let clear = "";
  let all = "";
  for (const name in facts) {
    const value = (facts as Record<string, unknown>)[name];
    const text = jsonOf(value);
    if (text === undefined) continue;
    const member = `${jsonText(name)}:${text}`;
    all = all === "" ? member : `${all},${member}`;
    if (keyed.has(name)) continue;
    const told = isKeyedList(value) ? `${jsonText(name)}:${JSON.stringify(value.map(inTheClear))}` : member;
    clear = clear === "" ? told : `${clear},${told}`;
  }
  return short(`{${clear}}`) + short(`{${all}}`);
}

/** A list's record without keyed fields, its own and those of its lists' records. */
function inTheClear(record: object): object {
  const clear: Record<string, unknown> = {};
  for (const name in record) {
    const value = (record as Record<string, unknown>)[name];
    if (!keyed.has(name)) clear[name] = isKeyedList(value) ? value.map(inTheClear) : value;
  }
  return clear;
}

const isKeyedList = (value: unknown): value is readonly object[] => Array.isArray(value) && value.some(isKeyed);

function isKeyed(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  for (const name in value) if (keyed.has(name)) return true;
  return false;
}

/** JSON of a value; undefined for what JSON leaves out. */
function jsonOf(value: unknown): string | undefined {
  switch (typeof value) {
    case "string":
      return jsonText(value);
    case "number":
      return Number.isFinite(value) ? String(value) : "null";
    case "boolean":
      return value ? "true" : "false";
    default:
      return value === null ? "null" : JSON.stringify(value);
  }
}

/** JSON of a text: mostly itself in quotes. */
function jsonText(text: string): string {
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code < 32 || code > 126 || code === 34 || code === 92) return JSON.stringify(text);
  }
  return `"${text}"`;
}
