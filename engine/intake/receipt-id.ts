import { randomFillSync } from "node:crypto";
import { uuidOf } from "./keyed-hash.js";

const idBytes = 16;
/** Random bytes drawn together. The library's own ids are put together of some twenty texts each, and joined when they are first read. */
const drawn = Buffer.allocUnsafeSlow(idBytes * 256);
let used = drawn.length;

/** A new random UUID (RFC 9562, version 4), lower case. */
export function newReceiptId(): string {
  if (used === drawn.length) {
    randomFillSync(drawn);
    used = 0;
  }
  drawn[used + 6] = ((drawn[used + 6] as number) & 0x0f) | 0x40;
  drawn[used + 8] = ((drawn[used + 8] as number) & 0x3f) | 0x80;
  used += idBytes;
  return uuidOf(drawn, used - idBytes);
}
