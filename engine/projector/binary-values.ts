/**
 * Values in Postgres' binary format, each with its length in front: elements of an array parameter and fields of a COPY alike.
 */

const smallest = 512;
/** Text up to this length is written here; for longer text the call into the runtime pays. */
const shortText = 16;

const word = 2 ** 32;
/** 2000-01-01, from which Postgres counts, in epoch milliseconds. */
const postgresEpoch = 946_684_800_000;
const dayMilliseconds = 86_400_000;

const hexDigit = new Uint8Array(128);
for (let digit = 0; digit < 16; digit++) hexDigit[digit.toString(16).charCodeAt(0)] = digit;

const split = (value: number, by: number): [number, number] => [Math.floor(value / by), value % by];
const splitBig = (value: bigint, by: bigint): [bigint, number] => {
  const positive = value < 0n ? -value : value;
  return [positive / by, Number(positive % by)];
};

/** Digits of a numeric, base 10,000, the highest first; none for zero. */
function digitsOf(value: number | bigint): number[] {
  const digits: number[] = [];
  let rest = value;
  while (typeof rest === "bigint" ? rest > 0n : rest > 0) {
    let digit: number;
    [rest, digit] = typeof rest === "bigint" ? splitBig(rest, 10_000n) : split(rest, 10_000);
    digits.unshift(digit);
  }
  return digits;
}

/** Values one after the other, in a buffer that grows. */
export class BinaryValues {
  count = 0;
  protected hasNulls = false;
  protected bytes: Buffer;
  protected end: number;

  /**
   * @param start bytes left free in front of the first value.
   * @param expected bytes that it will take, as far as the caller can guess.
   */
  constructor(start: number, expected = smallest) {
    this.bytes = Buffer.allocUnsafe(Math.max(smallest, expected));
    this.end = start;
  }

  /** Bytes it takes so far. */
  get size(): number {
    return this.end;
  }

  null(): void {
    this.hasNulls = true;
    this.#int4(this.#element(0), -1);
  }

  boolean(value: boolean): void {
    // First the room, then the buffer: it may be another one by then.
    const at = this.#element(1) + 4;
    this.bytes[at] = value ? 1 : 0;
  }

  /** @throws RangeError, like the others, for what the type can't hold: it would be cut off in silence. */
  integer(value: number): void {
    if ((value | 0) !== value) throw new RangeError("A number beyond a 32-bit integer.");
    this.#int4(this.#element(4) + 4, value);
  }

  bigint(value: number): void {
    if (!Number.isSafeInteger(value)) throw new RangeError("A number beyond an exact integer.");
    this.#words(this.#element(8) + 4, Math.floor(value / word), value);
  }

  /** @param milliseconds of the epoch. */
  timestamptz(milliseconds: number): void {
    // Microseconds go beyond what a number holds exactly, their two halves don't.
    const since = milliseconds - postgresEpoch;
    const high = Math.floor(since / word);
    const low = (since - high * word) * 1000;
    const carry = Math.floor(low / word);
    this.#words(this.#element(8) + 4, high * 1000 + carry, low - carry * word);
  }

  /** @param day YYYY-MM-DD. */
  date(day: string): void {
    const instant = Date.parse(`${day}T00:00:00Z`);
    if (new Date(instant).toISOString().slice(0, 10) !== day) throw new RangeError("A text that is no day.");
    this.#int4(this.#element(4) + 4, (instant - postgresEpoch) / dayMilliseconds);
  }

  /** @param id in lower case, with dashes. */
  uuid(id: string): void {
    if (id.length !== 36) throw new RangeError("A text that is no UUID.");
    let at = this.#element(16) + 4;
    const bytes = this.bytes;
    for (let index = 0; index < 36; index += 2) {
      if (id.charCodeAt(index) === 45) index++;
      bytes[at++] = ((hexDigit[id.charCodeAt(index)] as number) << 4) | (hexDigit[id.charCodeAt(index + 1)] as number);
    }
  }

  text(value: string): void {
    this.#text(value, 0);
  }

  /** `jsonb` has a version in front of its text. */
  jsonb(value: string): void {
    const at = this.end;
    this.#text(value, 1);
    this.bytes[at + 4] = 1;
  }

  /** A value in its binary format already. */
  encoded(value: Buffer): void {
    const at = this.#element(value.length) + 4;
    value.copy(this.bytes, at);
  }

  /** A numeric with two decimals. @param cents exact. */
  cents(cents: number | bigint): void {
    const [whole, fraction] = typeof cents === "number" ? split(Math.abs(cents), 100) : splitBig(cents, 100n);
    const digits = digitsOf(whole);
    this.#numeric([...digits, fraction * 100], digits.length - 1, cents < 0, 2);
  }

  /** A whole numeric. @param value exact. */
  whole(value: number | bigint): void {
    const digits = digitsOf(typeof value === "number" ? Math.abs(value) : value < 0n ? -value : value);
    this.#numeric(digits, digits.length - 1, value < 0, 0);
  }

  /** Makes room for an element of so many bytes and writes its length. @returns where it begins, the length in front. */
  #element(length: number): number {
    const at = this.reserve(length + 4);
    this.count++;
    this.end = at + 4 + length;
    this.#int4(at, length);
    return at;
  }

  /** Makes room for so many bytes. @returns where they begin. */
  protected reserve(length: number): number {
    const needed = this.end + length;
    if (needed > this.bytes.length) {
      const larger = Buffer.allocUnsafe(Math.max(needed, this.bytes.length * 2));
      this.bytes.copy(larger, 0, 0, this.end);
      this.bytes = larger;
    }
    return this.end;
  }

  #text(value: string, prefix: number): void {
    const { length } = value;
    const at = this.reserve(4 + prefix + length * 3);
    const start = at + 4 + prefix;
    const bytes = this.bytes;
    let written = length <= shortText ? 0 : -1;
    if (written === 0) {
      for (; written < length; written++) {
        const code = value.charCodeAt(written);
        if (code >= 0x80) break;
        bytes[start + written] = code;
      }
    }
    if (written < length) written = bytes.write(value, start);
    this.count++;
    this.end = start + written;
    this.#int4(at, prefix + written);
  }

  #numeric(digits: readonly number[], weight: number, negative: boolean, scale: number): void {
    let length = digits.length;
    while (length > 0 && digits[length - 1] === 0) length--;
    let at = this.#element(8 + 2 * length) + 4;
    const bytes = this.bytes;
    at = bytes.writeInt16BE(length, at);
    at = bytes.writeInt16BE(length === 0 ? 0 : weight, at);
    at = bytes.writeUInt16BE(negative && length > 0 ? 0x4000 : 0, at);
    at = bytes.writeInt16BE(scale, at);
    for (let index = 0; index < length; index++) at = bytes.writeInt16BE(digits[index] as number, at);
  }

  #int4(at: number, value: number): void {
    const bytes = this.bytes;
    bytes[at] = value >>> 24;
    bytes[at + 1] = value >>> 16;
    bytes[at + 2] = value >>> 8;
    bytes[at + 3] = value;
  }

  /** Eight bytes. Of `low` the last 32 bits count, which is how shifts see any exact number. */
  #words(at: number, high: number, low: number): void {
    this.#int4(at, high);
    this.#int4(at + 4, low);
  }
}
