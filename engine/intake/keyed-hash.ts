import { createHmac } from "node:crypto";

/**
 * HMAC-SHA-256 (RFC 2104) under the deployment secret of a list of parts, each with its length before it (4 bytes, big
 * endian), so that no two lists make the same bytes. The first part says what is hashed, so hashes of different kinds
 * never meet.
 */
export type KeyedHash = (kind: string, parts: readonly (string | Uint8Array)[]) => Buffer;

/** @param secretHex 64 hexadecimal digits (`TRIBUTARY_SECRET`). */
export function keyedHash(secretHex: string): KeyedHash {
  const secret = secretOf(secretHex);
  return (kind, parts) => {
    const framed: Uint8Array[] = [lengthOf(kind), Buffer.from(kind)];
    for (const part of parts) framed.push(lengthOf(part), typeof part === "string" ? Buffer.from(part) : part);
    return createHmac("sha256", secret).update(Buffer.concat(framed)).digest();
  };
}

/**
 * Keyed hash of exact bytes. They may come in any number of pieces: only their concatenation counts, so the hash of a
 * transmission is that of its slices.
 */
export type ContentHash = (pieces: readonly Uint8Array[]) => Buffer;

/** @param secretHex 64 hexadecimal digits (`TRIBUTARY_SECRET`). */
export function contentHash(secretHex: string): ContentHash {
  const secret = secretOf(secretHex);
  const kind = Buffer.concat([lengthOf("content"), Buffer.from("content")]);
  return (pieces) => {
    const hash = createHmac("sha256", secret).update(kind);
    for (const piece of pieces) hash.update(piece);
    return hash.digest();
  };
}

/** The first 128 bits as a UUID, lower case. The bits are the hash's own: no version is written into them. */
export function uuidOf(bytes: Buffer): string {
  const hex = bytes.toString("hex", 0, 16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

const secretOf = (hex: string): Buffer => {
  const secret = Buffer.from(hex, "hex");
  if (secret.length !== 32) throw new RangeError("the deployment secret has 64 hexadecimal digits");
  return secret;
};

function lengthOf(part: string | Uint8Array): Buffer {
  const length = Buffer.allocUnsafe(4);
  length.writeUInt32BE(typeof part === "string" ? Buffer.byteLength(part) : part.length);
  return length;
}
