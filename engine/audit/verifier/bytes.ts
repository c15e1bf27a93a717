/** Bytes, hashes and signatures with nothing but Web Crypto: the same in a browser and in Node. */

/** What keeps this program from checking anything: it says nothing about what is to be checked. */
export class Unable extends Error {}

/** @throws Unable where there is no Web Crypto: in an old Node, and in a page that came over plain HTTP. */
function webCrypto(): typeof globalThis.crypto.subtle {
  const found = (globalThis as { readonly crypto?: Partial<typeof globalThis.crypto> }).crypto?.subtle;
  if (found) return found;
  throw new Unable("there is no Web Crypto here: open the page from a file or over HTTPS, or take a newer Node");
}

/** UTF-8 that is none throws. */
export const text = new TextDecoder("utf-8", { fatal: true });
export const utf8 = new TextEncoder();
export const hex = (bytes: Uint8Array): string => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
export const base64 = (encoded: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(atob(encoded), (char) => char.charCodeAt(0));
export function toBase64(bytes: Uint8Array): string {
  let chars = "";
  for (const byte of bytes) chars += String.fromCharCode(byte);
  return btoa(chars);
}
export const unhex = (encoded: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(encoded.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));

export function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

export const sha256 = async (...parts: readonly Uint8Array[]): Promise<Uint8Array> =>
  new Uint8Array(await webCrypto().digest("SHA-256", joined(parts)));

/** Lines of a text, empty ones left out. */
export const linesOf = (bytes: Uint8Array): string[] => text.decode(bytes).split("\n").filter(Boolean);

/** Whether an Ed25519 signature is that of a key, 32 bytes, over a content. */
export async function isSigned(publicKey: Uint8Array, content: Uint8Array, signature: Uint8Array): Promise<boolean> {
  if (publicKey.length !== 32) return false;
  const raw = new Uint8Array(publicKey);
  const subtle = webCrypto();
  try {
    const key = await subtle.importKey("raw", raw, { name: "Ed25519" }, false, ["verify"]);
    return await subtle.verify("Ed25519", key, new Uint8Array(signature), new Uint8Array(content));
  } catch (error) {
    if ((error as { readonly name?: unknown }).name !== "NotSupportedError") throw error;
    throw new Unable(
      "this browser or Node knows no Ed25519 signatures: take Chrome 137, Firefox 129, Safari 17, Node 20, or newer",
    );
  }
}

/** First 16 hexadecimal digits of the SHA-256 of a public key: to be compared by eye. */
export const fingerprintOf = async (publicKey: string): Promise<string> =>
  hex(await sha256(unhex(publicKey))).slice(0, 16);

/** What is found to be wrong, in words that go on after "First thing found:". */
class Broken extends Error {}
export const broken = (what: string): never => {
  throw new Broken(what);
};
