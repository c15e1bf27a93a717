import { createHmac, createPublicKey, type KeyObject, timingSafeEqual, verify } from "node:crypto";

/** A key that checks signatures, after Standard Webhooks 1.0: a shared secret (`v1`) or an Ed25519 public key (`v1a`). */
export type SignatureKey =
  | { readonly version: "v1"; readonly secret: Buffer }
  | { readonly version: "v1a"; readonly key: KeyObject };

/** DER head of an Ed25519 public key (RFC 8410): the 32 bytes of the key follow. */
const ed25519Head = Buffer.from("302a300506032b6570032100", "hex");

/**
 * Reads `whsec_<base64>` or `whpk_<base64>`.
 * @returns undefined when it is neither, or the secret has less than 24 or more than 64 bytes.
 */
export function readSignatureKey(text: string): SignatureKey | undefined {
  const [, kind, encoded] = /^(whsec|whpk)_([A-Za-z0-9+/]+={0,2})$/.exec(text) ?? [];
  if (encoded === undefined) return undefined;
  const bytes = Buffer.from(encoded, "base64");
  if (kind === "whsec") {
    return bytes.length >= 24 && bytes.length <= 64 ? { version: "v1", secret: bytes } : undefined;
  }
  if (bytes.length !== 32) return undefined;
  const key = createPublicKey({ key: Buffer.concat([ed25519Head, bytes]), format: "der", type: "spki" });
  return { version: "v1a", key };
}

/** The three headers of a signed request. */
export interface SignatureHeaders {
  readonly id: string;
  /** Seconds since 1970, as sent. */
  readonly timestamp: string;
  /** Signatures, separated by spaces: `v1,<base64>` or `v1a,<base64>`. */
  readonly signature: string;
}

/** What is signed: id, time and body. */
function signedContent({ id, timestamp }: SignatureHeaders, body: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(`${id}.${timestamp}.`, "utf8"), body]);
}

/**
 * Whether one of the signatures is by one of the keys, and its time within the tolerance.
 * @param now epoch milliseconds.
 */
export function isSigned(
  headers: SignatureHeaders,
  body: Uint8Array,
  keys: readonly SignatureKey[],
  now: number,
  toleranceSeconds: number,
): boolean {
  if (!/^\d{1,12}$/.test(headers.timestamp) || headers.id === "") return false;
  if (Math.abs(now / 1000 - Number(headers.timestamp)) > toleranceSeconds) return false;
  const content = signedContent(headers, body);
  for (const signature of headers.signature.split(" ", 16)) {
    const comma = signature.indexOf(",");
    const version = signature.slice(0, comma);
    const given = Buffer.from(signature.slice(comma + 1), "base64");
    if (keys.some((key) => key.version === version && matches(key, content, given))) return true;
  }
  return false;
}

function matches(key: SignatureKey, content: Buffer, given: Buffer): boolean {
  if (key.version === "v1a") return given.length === 64 && verify(null, content, key.key, given);
  const expected = createHmac("sha256", key.secret).update(content).digest();
  return given.length === expected.length && timingSafeEqual(given, expected);
}

/** The header `webhook-signature` for a body, by a shared secret: for our own sending. */
export function signatureOf(headers: Omit<SignatureHeaders, "signature">, body: Uint8Array, secret: Buffer): string {
  const content = signedContent({ ...headers, signature: "" }, body);
  return `v1,${createHmac("sha256", secret).update(content).digest("base64")}`;
}
