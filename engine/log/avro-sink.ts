import { daysSinceEpoch } from "./logical.js";
import { cutTo, freeFrom, slabWithRoom } from "./slab.js";

/** Texts up to this length have a length of one byte, and are written by a loop: a call of the library costs more. */
const shortText = 63;
const longestNumber = 10;
const nothing = Buffer.alloc(0);

/** What doesn't fit its schema. Whoever catches it asks the schema where that is: it is rare, and values are never told. */
export class Misfit extends Error {}

/** Left of a slab when a record is begun: most fit. */
const usualRoom = 4_096;

/** Where Avro values are written (Avro 1.12, binary encoding): in the free part of a slab, in bytes of its own when that is too little. */
export class Sink {
  bytes: Buffer = nothing;
  at = 0;
  #start = 0;
  #ownBytes = true;

  /** Begins a record. Until {@link end} nothing else may be cut from a slab. */
  begin(): void {
    this.bytes = slabWithRoom(usualRoom);
    this.#start = freeFrom();
    this.at = this.#start;
    this.#ownBytes = false;
  }

  /** The bytes written since the beginning. */
  end(): Buffer {
    if (!this.#ownBytes) return cutTo(this.at);
    const written = this.bytes.subarray(this.#start, this.at);
    this.bytes = nothing;
    return written;
  }

  #room(length: number): void {
    if (this.at + length <= this.bytes.length) return;
    const written = this.bytes.subarray(this.#start, this.at);
    const larger = Buffer.allocUnsafeSlow(2 * (written.length + length));
    larger.set(written);
    this.bytes = larger;
    this.at = written.length;
    this.#start = 0;
    this.#ownBytes = true;
  }

  refuse(): never {
    throw new Misfit();
  }

  /** One byte: the branch of a union, the end of an array. */
  byte(value: number): void {
    this.#room(1);
    this.bytes[this.at++] = value;
  }

  /** Bytes as they are. */
  raw(value: Uint8Array): void {
    this.#room(value.length);
    this.bytes.set(value, this.at);
    this.at += value.length;
  }

  boolean(value: unknown): void {
    if (typeof value !== "boolean") this.refuse();
    this.byte(value ? 1 : 0);
  }

  int(value: unknown): void {
    if (typeof value !== "number" || (value | 0) !== value) this.refuse();
    this.#number(value);
  }

  long(value: unknown): void {
    if (!Number.isSafeInteger(value)) this.refuse();
    this.#number(value as number);
  }

  /** Zigzag, seven bits a byte. */
  #number(value: number): void {
    this.#room(longestNumber);
    const { bytes } = this;
    const magnitude = value >= 0 ? value : -value - 1;
    const sign = value >= 0 ? 0 : 1;
    if (magnitude < 64) {
      bytes[this.at++] = magnitude * 2 + sign;
      return;
    }
    // The first byte takes six bits and the sign: twice the value may be more than a number holds.
    bytes[this.at++] = (magnitude % 64) * 2 + sign + 128;
    let rest = Math.floor(magnitude / 64);
    for (; rest >= 128; rest = Math.floor(rest / 128)) bytes[this.at++] = (rest % 128) + 128;
    bytes[this.at++] = rest;
  }

  string(value: unknown): void {
    if (typeof value !== "string") this.refuse();
    const { length } = value;
    if (length > shortText) {
      this.#text(value);
      return;
    }
    this.#room(length + 1);
    const { bytes } = this;
    let at = this.at;
    bytes[at++] = length * 2;
    for (let index = 0; index < length; index++) {
      const code = value.charCodeAt(index);
      if (code > 127) {
        this.#text(value);
        return;
      }
      bytes[at++] = code;
    }
    this.at = at;
  }

  #text(value: string): void {
    const length = Buffer.byteLength(value);
    this.#number(length);
    this.#room(length);
    this.bytes.write(value, this.at);
    this.at += length;
  }

  blob(value: unknown): void {
    if (!Buffer.isBuffer(value)) this.refuse();
    this.#number(value.length);
    this.raw(value);
  }

  /** An integer of the smallest unit as two's complement, big-endian, in as few bytes as hold it. @param bound what it must be below. */
  decimal(value: unknown, bound: number): void {
    if (typeof value !== "number" || !Number.isInteger(value) || Math.abs(value) >= bound) this.refuse();
    let length = 1;
    for (let most = 128; value < -most || value >= most; most *= 256) length++;
    this.#room(length + 1);
    const { bytes } = this;
    bytes[this.at] = length * 2;
    // Floor division works in two's complement for negative values as well.
    for (let index = length, rest = value; index > 0; index--) {
      const next = Math.floor(rest / 256);
      bytes[this.at + index] = rest - next * 256;
      rest = next;
    }
    this.at += length + 1;
  }

  date(value: unknown): void {
    const days = typeof value === "string" ? daysSinceEpoch(value) : undefined;
    if (days === undefined) this.refuse();
    this.#number(days);
  }

  symbol(value: unknown, symbols: ReadonlyMap<unknown, number>): void {
    const index = symbols.get(value);
    if (index === undefined) this.refuse();
    this.#number(index);
  }

  /** The head of an array with items: a single block. */
  count(items: unknown): void {
    if (!Array.isArray(items)) this.refuse();
    if (items.length > 0) this.#number(items.length);
  }
}
