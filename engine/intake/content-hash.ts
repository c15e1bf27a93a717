import { hash } from "node:crypto";

/** Fields that hold keyed ids and hashes: the same facts have others in another installation. */
const keyed: readonly string[] = ["patientId", "visitId", "remittanceId", "payerControlNumberHash", "controlNumber"];

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
  const clear: Record<string, unknown> = { ...facts };
  for (const name of keyed) if (name in clear) clear[name] = undefined;
  for (const [name, value] of Object.entries(clear)) {
    if (Array.isArray(value) && value.some(isKeyed)) clear[name] = value.map(inTheClear);
  }
  return clear;
}

const isKeyed = (value: unknown): boolean =>
  typeof value === "object" && value !== null && keyed.some((name) => name in value);
