import { createHmac } from "node:crypto";
import fc from "fast-check";
import { expect, it } from "vitest";
import { contentHash, keyedHash } from "./keyed-hash.js";

const secret = "0f".repeat(32);
const key = Buffer.from(secret, "hex");
const framed = (part: string | Uint8Array): Buffer => {
  const bytes = Buffer.from(part as Uint8Array);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
};

/** Short and long ones, ASCII and not, up to and beyond what is gathered before the library takes over. */
const part = fc.oneof(
  fc.string({ maxLength: 60 }),
  fc.string({ unit: "grapheme", maxLength: 60 }),
  fc.uint8Array({ maxLength: 200 }),
  fc.integer({ min: 16_300, max: 16_400 }).map((length) => Buffer.alloc(length, 7)),
);

it("is the library's HMAC of the parts, however long they are and whatever was hashed before", () => {
  const hash = keyedHash(secret);
  const content = contentHash(secret);
  fc.assert(
    fc.property(fc.string({ maxLength: 20 }), fc.array(part, { maxLength: 5 }), (kind, parts) => {
      const bytes = Buffer.concat([kind, ...parts].map(framed));
      expect(hash(kind, parts)).toEqual(createHmac("sha256", key).update(bytes).digest());
      const pieces = parts.map((each) => Buffer.from(each as Uint8Array));
      const whole = Buffer.concat([framed("content"), ...pieces]);
      expect(content(pieces)).toEqual(createHmac("sha256", key).update(whole).digest());
    }),
  );
});
