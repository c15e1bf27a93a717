import { hash } from "node:crypto";
import { uuidOf } from "./keyed-hash.js";

/**
 * Id of an event: SHA-256 of the receipt id, the translation generation and the index in the unit, 128 bits as UUID.
 * A retry of the same reception makes the same id; a translation made again makes another.
 */
export function eventId(receiptId: string, generation: number, index: number): string {
  return uuidOf(hash("sha256", `${receiptId}/${generation}/${index}`, "binary"));
}
