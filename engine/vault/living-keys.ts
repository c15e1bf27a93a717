import { cutBytes } from "../log/slab.js";
import { type DataKey, keyBytes } from "./data-key.js";

/** Numbers of a place: 16 bytes of the subject, its generation (zero: free), 32 bytes of the key. */
const subjectNumbers = 4;
const stride = subjectNumbers + 1 + keyBytes / 4;
/** Generation of a key that was forgotten. */
const forgotten = 0xffff_ffff;
const firstPlaces = 256;

/**
 * The living keys that a process holds, some 60 bytes each: as objects in a map they would be five times as many. Two
 * generations instead of a list by use: when the young one is full, the old one is forgotten and it becomes the old one.
 */
export class LivingKeys {
  readonly #half: number;
  #young = new Table();
  #old = new Table();

  /** @param limit most keys held; of those used last at least half as many are. */
  constructor(limit: number) {
    this.#half = Math.max(1, Math.floor(limit / 2));
  }

  /** @param subject a UUID in lower case. */
  get(subject: string): DataKey | undefined {
    readSubject(subject);
    const found = this.#young.get(subject);
    if (found) return found;
    const before = this.#old.get(subject);
    if (before) this.#keep(before);
    return before;
  }

  set(key: DataKey): void {
    readSubject(key.subject);
    this.#old.forget();
    this.#keep(key);
  }

  delete(subject: string): void {
    readSubject(subject);
    this.#young.forget();
    this.#old.forget();
  }

  clear(): void {
    this.#young = new Table();
    this.#old = new Table();
  }

  #keep(key: DataKey): void {
    this.#young.set(key);
    if (this.#young.used < this.#half) return;
    this.#old = this.#young;
    this.#young = new Table();
  }
}

/** The subject in question: four numbers. */
const asked = new Uint32Array(subjectNumbers);

function readSubject(uuid: string): void {
  let digits = 0;
  for (let index = 0; index < uuid.length; index++) {
    const code = uuid.charCodeAt(index);
    if (code === hyphen) continue;
    const digit = code < 58 ? code - 48 : code - 87;
    if (digit < 0 || digit > 15) throw noSubject();
    const place = digits >>> 3;
    asked[place] = ((asked[place] as number) << 4) | digit;
    digits += 1;
  }
  if (digits !== 32) throw noSubject();
}

/** Anything else could be taken for another subject. */
const noSubject = () => new RangeError("a subject is a UUID in lower case");

const hyphen = 45;

/** Keys by the subject that is asked for: places one after another, the next one where the right one is taken. */
class Table {
  /** Places that are taken, by what was forgotten too. */
  used = 0;
  #numbers = new Uint32Array(firstPlaces * stride);
  #bytes = Buffer.from(this.#numbers.buffer);

  get(subject: string): DataKey | undefined {
    const at = this.#find();
    const generation = this.#numbers[at + subjectNumbers] as number;
    if (generation === 0 || generation === forgotten) return undefined;
    const start = (at + subjectNumbers + 1) * 4;
    // Bytes of its own: whoever has it may use it after the place was given away.
    const key = cutBytes(keyBytes);
    this.#bytes.copy(key, 0, start, start + keyBytes);
    return { subject, generation, key };
  }

  set({ generation, key }: DataKey): void {
    let at = this.#find();
    if (this.#numbers[at + subjectNumbers] === 0) {
      this.used += 1;
      if (this.used * stride * 5 > this.#numbers.length * 4) {
        this.#grow();
        at = this.#find();
      }
    }
    this.#numbers.set(asked, at);
    this.#numbers[at + subjectNumbers] = generation;
    key.copy(this.#bytes, (at + subjectNumbers + 1) * 4);
  }

  forget(): void {
    const at = this.#find();
    if (this.#numbers[at + subjectNumbers] === 0) return;
    this.#numbers.fill(0, at + subjectNumbers + 1, at + stride);
    this.#numbers[at + subjectNumbers] = forgotten;
  }

  /** Where the subject asked for is, or the free place where it would be. */
  #find(): number {
    const numbers = this.#numbers;
    const mask = numbers.length / stride - 1;
    let place = ((asked[0] as number) ^ Math.imul(asked[3] as number, 0x9e3779b1)) & mask;
    for (;;) {
      const at = place * stride;
      const isFree = numbers[at + subjectNumbers] === 0;
      if (isFree || isSame(numbers, at)) return at;
      place = (place + 1) & mask;
    }
  }

  #grow(): void {
    const before = this.#numbers;
    const wanted = asked.slice();
    this.#numbers = new Uint32Array(before.length * 2);
    this.#bytes = Buffer.from(this.#numbers.buffer);
    for (let from = 0; from < before.length; from += stride) {
      if (before[from + subjectNumbers] === 0) continue;
      asked.set(before.subarray(from, from + subjectNumbers));
      this.#numbers.set(before.subarray(from, from + stride), this.#find());
    }
    asked.set(wanted);
    before.fill(0);
  }
}

function isSame(numbers: Uint32Array, at: number): boolean {
  return (
    numbers[at] === asked[0] &&
    numbers[at + 1] === asked[1] &&
    numbers[at + 2] === asked[2] &&
    numbers[at + 3] === asked[3]
  );
}
