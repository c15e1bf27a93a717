import { hash } from "node:crypto";

/** Fields that hold keyed ids and hashes: the same facts have others in another installation. */
const keyed = new Set(["patientId", "visitId", "remittanceId", "payerControlNumberHash", "controlNumber"]);

const short = (text: string) => hash("sha256", text).slice(0, 16);

/**
 * Hash of facts, 32 hexadecimal digits, over their JSON, whose member order is the caller's. The first half is of what was
 * sent in the clear, so that a tie it decides is decided alike in every installation; the second half is of all facts,
 * and tells apart what differs in keyed ids only.
 */
export function contentHash(facts: object): string {
  const clear = JSON.stringify(facts, (name, value: unknown) => (keyed.has(name) ? undefined : value));
  return short(clear) + short(JSON.stringify(facts));
}
