import { createCipheriv, createDecipheriv, randomFillSync } from "node:crypto";
import { cutBytes, Views } from "../log/slab.js";
import { TributaryError } from "../service/errors.js";

const version = 1;
const nonceLength = 12;
const tagLength = 16;
const gcm = { authTagLength: tagLength };
/** Bytes that sealing adds: one of version, the nonce, the tag. */
export const sealOverhead = 1 + nonceLength + tagLength;

/** Random bytes drawn together: a call of the generator for each nonce costs as much as the encryption itself. */
const drawn = Buffer.allocUnsafeSlow(nonceLength * 512);
let used = drawn.length;
const nonce = Buffer.allocUnsafeSlow(nonceLength);

/** Bytes that were never given out before, to be copied before the next call. */
function freshNonce(): Buffer {
  if (used === drawn.length) {
    randomFillSync(drawn);
    used = 0;
  }
  for (let at = 0; at < nonceLength; at++) nonce[at] = drawn[used + at] as number;
  used += nonceLength;
  return nonce;
}

/**
 * AES-256-GCM (NIST SP 800-38D) with a random nonce.
 * @param key 32 bytes.
 * @param additionalData what the content is bound to; see {@link additionalData}.
 * @param head bytes to leave free in front, for the caller; default none.
 * @returns 1 byte version, 12 bytes nonce, the ciphertext, 16 bytes tag.
 */
export function seal(key: Buffer, additionalData: Buffer, plaintext: Uint8Array, head = 0): Buffer {
  const nonce = freshNonce();
  const cipher = createCipheriv("aes-256-gcm", key, nonce, gcm);
  cipher.setAAD(additionalData);
  const ciphertext = cipher.update(plaintext);
  cipher.final();
  const sealed = cutBytes(head + sealOverhead + ciphertext.length);
  sealed[head] = version;
  sealed.set(nonce, head + 1);
  sealed.set(ciphertext, head + 1 + nonceLength);
  sealed.set(cipher.getAuthTag(), head + 1 + nonceLength + ciphertext.length);
  return sealed;
}

/** @throws TRIB_VAULT_TAMPERED when key, additional data and content don't belong together. */
export function unseal(key: Buffer, additionalData: Buffer, sealed: Buffer): Buffer {
  if (sealed.length < sealOverhead || sealed[0] !== version) throw new TributaryError("TRIB_VAULT_TAMPERED");
  const nonce = sealed.subarray(1, 1 + nonceLength);
  const tag = sealed.subarray(sealed.length - tagLength);
  const decipher = createDecipheriv("aes-256-gcm", key, nonce, gcm);
  decipher.setAAD(additionalData);
  decipher.setAuthTag(tag);
  try {
    const plaintext = decipher.update(sealed.subarray(1 + nonceLength, sealed.length - tagLength));
    decipher.final();
    return plaintext;
  } catch {
    throw new TributaryError("TRIB_VAULT_TAMPERED");
  }
}

/** Where additional data is put together; a caller with more gets bytes of its own. */
const scratch = Buffer.alloc(1024);
const views = new Views(scratch);

/**
 * Parts as bytes, each with its length before it, so that no two lists of parts make the same bytes.
 * @returns a view, to be used before the next call.
 */
export function additionalData(...parts: readonly (string | number)[]): Buffer {
  let at = 0;
  for (const part of parts) {
    const text = typeof part === "string" ? part : String(part);
    if (at + 4 + text.length * 3 > scratch.length) return longData(parts);
    const length = writeText(text, at + 4);
    scratch[at] = 0;
    scratch[at + 1] = 0;
    scratch[at + 2] = length >>> 8;
    scratch[at + 3] = length;
    at += 4 + length;
  }
  return views.of(at);
}

/** Names are short and of ASCII characters: a loop costs less than a call of the library. @returns bytes written. */
function writeText(text: string, at: number): number {
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code > 127) return scratch.write(text, at);
    scratch[at + index] = code;
  }
  return text.length;
}

function longData(parts: readonly (string | number)[]): Buffer {
  const framed = parts.flatMap((part) => {
    const bytes = Buffer.from(String(part));
    const length = Buffer.allocUnsafe(4);
    length.writeUInt32BE(bytes.length);
    return [length, bytes];
  });
  return Buffer.concat(framed);
}
