import { createCipheriv, createDecipheriv, randomFillSync } from "node:crypto";
import { TributaryError } from "../service/errors.js";

const version = 1;
const nonceLength = 12;
const tagLength = 16;
/** Bytes that sealing adds: one of version, the nonce, the tag. */
export const sealOverhead = 1 + nonceLength + tagLength;

/** Random bytes drawn together: a call of the generator for each nonce costs as much as the encryption itself. */
const drawn = Buffer.allocUnsafe(nonceLength * 512);
let used = drawn.length;

/** Bytes that were never given out before; a view, to be copied before the next call. */
function freshNonce(): Buffer {
  if (used === drawn.length) {
    randomFillSync(drawn);
    used = 0;
  }
  used += nonceLength;
  return drawn.subarray(used - nonceLength, used);
}

/**
 * AES-256-GCM (NIST SP 800-38D) with a random nonce.
 * @param key 32 bytes.
 * @param additionalData what the content is bound to; see {@link additionalData}.
 * @returns 1 byte version, 12 bytes nonce, the ciphertext, 16 bytes tag.
 */
export function seal(key: Buffer, additionalData: Buffer, plaintext: Uint8Array): Buffer {
  const nonce = freshNonce();
  const cipher = createCipheriv("aes-256-gcm", key, nonce, { authTagLength: tagLength });
  cipher.setAAD(additionalData);
  const ciphertext = cipher.update(plaintext);
  cipher.final();
  const sealed = Buffer.allocUnsafe(sealOverhead + ciphertext.length);
  sealed[0] = version;
  nonce.copy(sealed, 1);
  ciphertext.copy(sealed, 1 + nonceLength);
  cipher.getAuthTag().copy(sealed, 1 + nonceLength + ciphertext.length);
  return sealed;
}

/** @throws TRIB_VAULT_TAMPERED when key, additional data and content don't belong together. */
export function unseal(key: Buffer, additionalData: Buffer, sealed: Buffer): Buffer {
  if (sealed.length < sealOverhead || sealed[0] !== version) throw new TributaryError("TRIB_VAULT_TAMPERED");
  const nonce = sealed.subarray(1, 1 + nonceLength);
  const tag = sealed.subarray(sealed.length - tagLength);
  const decipher = createDecipheriv("aes-256-gcm", key, nonce, { authTagLength: tagLength });
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

/** Parts as bytes, each with its length before it, so that no two lists of parts make the same bytes. */
export function additionalData(...parts: readonly (string | number)[]): Buffer {
  const texts = parts.map(String);
  const bytes = Buffer.allocUnsafe(texts.reduce((sum, text) => sum + 4 + Buffer.byteLength(text), 0));
  let at = 0;
  for (const text of texts) {
    const length = bytes.write(text, at + 4);
    bytes.writeUInt32BE(length, at);
    at += 4 + length;
  }
  return bytes;
}
