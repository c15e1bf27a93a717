import { hash } from "node:crypto";
import { Views } from "../log/slab.js";

/** Fields that hold keyed ids and hashes: the same facts have others in another installation. */
const keyed: ReadonlySet<string> = new Set([
  "patientId",
  "visitId",
  "remittanceId",
  "payerControlNumberHash",
  "controlNumber",
]);

/**
 * Hash of facts, 32 hexadecimal digits, over their JSON, whose member order is the caller's. The first half is of what was
 * sent in the clear, so that a tie it decides is decided alike in every installation; the second half is of all facts,
 * and tells apart what differs in keyed ids only.
 */
export function contentHash(facts: object): string {
  // Both texts in one go over the members: as objects to be written by the library they would cost three times as much.
  clear.begin();
  all.begin();
  for (const name in facts) {
    const value = (facts as Record<string, unknown>)[name];
    const start = all.at;
    if (!all.member(name, value) || keyed.has(name)) continue;
    if (isKeyedList(value)) clear.member(name, value.map(inTheClear));
    else clear.take(all, start);
  }
  const [inClear, ofAll] = [clear.end(), all.end()];
  for (let index = 0; index < halfBytes; index++) {
    digits(inClear.charCodeAt(index), 2 * index);
    digits(ofAll.charCodeAt(index), 2 * (index + halfBytes));
  }
  return hashText.toString("latin1");
}

/** Bytes of each half of the hash. */
const halfBytes = 8;
const hexDigits = Buffer.from("0123456789abcdef");
const hashText = Buffer.alloc(4 * halfBytes);

function digits(byte: number, at: number): void {
  hashText[at] = hexDigits[byte >>> 4] as number;
  hashText[at + 1] = hexDigits[byte & 15] as number;
}

/** A list's record without keyed fields, its own and those of its lists' records. */
function inTheClear(record: object): object {
  const clear: Record<string, unknown> = {};
  for (const name in record) {
    const value = (record as Record<string, unknown>)[name];
    if (!keyed.has(name)) clear[name] = isKeyedList(value) ? value.map(inTheClear) : value;
  }
  return clear;
}

const isKeyedList = (value: unknown): value is readonly object[] => Array.isArray(value) && value.some(isKeyed);

function isKeyed(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  for (const name in value) if (keyed.has(name)) return true;
  return false;
}

/** JSON of a value: of most the text that it has anyway. */
function written(value: unknown): string | undefined {
  if (value === null || typeof value === "boolean" || Number.isFinite(value)) return String(value);
  return JSON.stringify(value);
}

/** JSON of an object as it grows. */
class Text {
  #bytes = Buffer.allocUnsafeSlow(4_096);
  #views = new Views(this.#bytes);
  at = 0;

  begin(): void {
    this.at = 0;
    this.#byte(123);
  }

  /** @returns false when there is nothing to tell: JSON leaves out what is undefined. */
  member(name: string, value: unknown): boolean {
    const text = typeof value === "string" ? value : written(value);
    if (text === undefined) return false;
    this.#quoted(name);
    this.#byte(58);
    if (typeof value === "string") this.#quoted(value);
    else this.#put(text);
    this.#byte(44);
    return true;
  }

  /** What another has from a place on. */
  take(other: Text, start: number): void {
    const length = other.at - start;
    this.#room(length);
    const [bytes, from, to] = [this.#bytes, other.#bytes, this.at];
    // A member is short: to have the library copy it takes an object that is larger.
    for (let index = 0; index < length; index++) bytes[to + index] = from[start + index] as number;
    this.at += length;
  }

  /** The hash as a text of one byte a character. */
  end(): string {
    if (this.at > 1) this.at -= 1;
    this.#byte(125);
    return hash("sha256", this.#views.of(this.at), "binary");
  }

  #room(length: number): void {
    if (this.at + length <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(2 * (this.at + length));
    this.#bytes.copy(larger, 0, 0, this.at);
    this.#bytes = larger;
    this.#views = new Views(larger);
  }

  /** A text as JSON: mostly itself in quotes. */
  #quoted(text: string): void {
    this.#room(text.length + 2);
    const bytes = this.#bytes;
    let at = this.at;
    bytes[at++] = quote;
    for (let index = 0; index < text.length; index++) {
      const code = text.charCodeAt(index);
      if (code < 32 || code > 126 || code === quote || code === backslash) {
        this.#put(JSON.stringify(text));
        return;
      }
      bytes[at++] = code;
    }
    bytes[at++] = quote;
    this.at = at;
  }

  #put(text: string): void {
    this.#room(text.length * 3);
    const bytes = this.#bytes;
    let at = this.at;
    // Numbers, words and codes are short: a loop costs less than a call of the library.
    for (let index = 0; index < text.length; index++) {
      const code = text.charCodeAt(index);
      if (code > 127 || index > 40) {
        this.at += bytes.write(text, this.at);
        return;
      }
      bytes[at++] = code;
    }
    this.at = at;
  }

  #byte(code: number): void {
    this.#room(1);
    this.#bytes[this.at++] = code;
  }
}

const quote = 34;
const backslash = 92;
const clear = new Text();
const all = new Text();
