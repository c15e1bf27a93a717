import { createHmac, hash } from "node:crypto";
import { cutBytes, Views } from "../log/slab.js";

/**
 * HMAC-SHA-256 (RFC 2104) under the deployment secret of a list of parts, each with its length before it (4 bytes, big
 * endian), so that no two lists make the same bytes. The first part says what is hashed, so hashes of different kinds
 * never meet. `bytes`: how many of the hash are wanted, from the first; default all 32.
 */
export type KeyedHash = (kind: string, parts: readonly (string | Uint8Array)[], bytes?: number) => Buffer;

/** @param secretHex 64 hexadecimal digits (`TRIBUTARY_SECRET`). */
export function keyedHash(secretHex: string): KeyedHash {
  const mac = new Mac(secretOf(secretHex));
  return (kind, parts, bytes) => {
    mac.begin();
    mac.framed(kind);
    for (const part of parts) mac.framed(part);
    return mac.end(bytes);
  };
}

/**
 * Keyed hash of exact bytes. They may come in any number of pieces: only their concatenation counts, so the hash of a
 * transmission is that of its slices.
 */
export type ContentHash = (pieces: readonly Uint8Array[]) => Buffer;

/** @param secretHex 64 hexadecimal digits (`TRIBUTARY_SECRET`). */
export function contentHash(secretHex: string): ContentHash {
  const mac = new Mac(secretOf(secretHex));
  return (pieces) => {
    mac.begin();
    mac.framed("content");
    for (const piece of pieces) mac.bytes(piece);
    return mac.end();
  };
}

const blockBytes = 64;
const digestBytes = 32;
/** What is longer is given to the library as a stream. */
const gathered = 16_384;
/** Texts up to this length are written by a loop: a call of the library costs more. */
const shortText = 40;

/**
 * HMAC of one secret over short messages. An object of the library for each of them, with native parts for the garbage
 * collector, costs three times as much as the two hashes that it is made of, so these are taken in one call each
 * (docs/performance.md).
 */
class Mac {
  readonly #secret: Buffer;
  /** The secret's inner block, and after it the message. */
  readonly #inner: Buffer;
  readonly #innerViews: Views;
  /** The secret's outer block, and after it the inner digest. */
  readonly #outer: Buffer;
  #at = blockBytes;
  #stream: ReturnType<typeof createHmac> | undefined;

  constructor(secret: Buffer) {
    this.#secret = secret;
    this.#inner = Buffer.alloc(blockBytes + gathered, 0);
    this.#innerViews = new Views(this.#inner);
    this.#outer = Buffer.alloc(blockBytes + digestBytes, 0);
    for (let at = 0; at < blockBytes; at++) {
      this.#inner[at] = (secret[at] ?? 0) ^ 0x36;
      this.#outer[at] = (secret[at] ?? 0) ^ 0x5c;
    }
  }

  begin(): void {
    this.#at = blockBytes;
    this.#stream = undefined;
  }

  /** A part with its length before it. */
  framed(part: string | Uint8Array): void {
    if (typeof part === "string" && this.#short(part)) return;
    const bytes = typeof part === "string" ? Buffer.from(part) : part;
    this.bytes(lengthOf(bytes));
    this.bytes(bytes);
  }

  bytes(bytes: Uint8Array): void {
    if (this.#stream === undefined && this.#at + bytes.length > this.#inner.length) {
      const held = this.#inner.subarray(blockBytes, this.#at);
      this.#stream = createHmac("sha256", this.#secret).update(held);
    }
    if (this.#stream !== undefined) this.#stream.update(bytes);
    else {
      this.#inner.set(bytes, this.#at);
      this.#at += bytes.length;
    }
  }

  /** Writes a short text of ASCII characters. @returns false when it isn't one. */
  #short(text: string): boolean {
    const inner = this.#inner;
    const { length } = text;
    let at = this.#at;
    if (this.#stream !== undefined || length > shortText || at + 4 + length > inner.length) return false;
    inner[at] = 0;
    inner[at + 1] = 0;
    inner[at + 2] = 0;
    inner[at + 3] = length;
    at += 4;
    for (let index = 0; index < length; index++) {
      const code = text.charCodeAt(index);
      if (code > 127) return false;
      inner[at++] = code;
    }
    this.#at = at;
    return true;
  }

  /** @param bytes of the hash that are wanted, from the first. */
  end(bytes = digestBytes): Buffer {
    if (this.#stream !== undefined) return this.#stream.digest().subarray(0, bytes);
    // As texts of one byte a character: small buffers are dear for the garbage collector.
    const digest = hash("sha256", this.#innerViews.of(this.#at), "binary");
    writeDigest(digest, this.#outer, blockBytes, digestBytes);
    const mac = cutBytes(bytes);
    writeDigest(hash("sha256", this.#outer, "binary"), mac, 0, bytes);
    return mac;
  }
}

/** Bytes of a digest, which is a text of one byte a character. A loop costs less than a call of the library. */
function writeDigest(digest: string, bytes: Buffer, at: number, length: number): void {
  for (let index = 0; index < length; index++) bytes[at + index] = digest.charCodeAt(index);
}

const hexDigits = Buffer.from("0123456789abcdef");
const uuidText = Buffer.from("00000000-0000-0000-0000-000000000000");
/** Where the two digits of each byte stand in a UUID. */
const uuidPlaces = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];

/**
 * The first 128 bits as a UUID, lower case. The bits are the hash's own: no version is written into them.
 * @param hash bytes, or a text of one byte a character.
 * @param from where the bits begin; default 0.
 */
export function uuidOf(hash: Buffer | string, from = 0): string {
  const isText = typeof hash === "string";
  for (let index = 0; index < 16; index++) {
    const byte = isText ? hash.charCodeAt(from + index) : (hash[from + index] as number);
    const place = uuidPlaces[index] as number;
    uuidText[place] = hexDigits[byte >>> 4] as number;
    uuidText[place + 1] = hexDigits[byte & 15] as number;
  }
  // Made in one, it is one object, and not pieces to be put together by whoever looks at it first.
  return uuidText.toString("latin1");
}

const secretOf = (hex: string): Buffer => {
  const secret = Buffer.from(hex, "hex");
  if (secret.length !== 32) throw new RangeError("the deployment secret has 64 hexadecimal digits");
  return secret;
};

function lengthOf(part: Uint8Array): Buffer {
  const length = Buffer.allocUnsafe(4);
  length.writeUInt32BE(part.length);
  return length;
}
