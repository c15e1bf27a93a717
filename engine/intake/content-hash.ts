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
  return short(JSON.stringify(inTheClear(facts))) + short(JSON.stringify(facts));
}

/** Facts without keyed fields, their own and those of their lists' records: nothing of ours lies deeper. */
function inTheClear(facts: object): object {
  const clear: Record<string, unknown> = {};
  for (const name in facts) {
    const value = (facts as Record<string, unknown>)[name];
    if (keyed.has(name)) continue;
    clear[name] = Array.isArray(value) && value.some(isKeyed) ? value.map(inTheClear) : value;
  }
  return clear;
}

function isKeyed(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  for (const name in value) if (keyed.has(name)) return true;
  return false;
}
