import { hash } from "node:crypto";

/** What became of a telling. */
export interface Occurrence {
  /** Ordinal among the different tellings of the subject in the file, from 1. */
  readonly ordinal: number;
  /** The same as the telling before it of the same subject. */
  readonly repeated: boolean;
}

/** Numbers of a place: 64 bits of the subject, 56 of what it was told, 8 of the ordinal; zero there means free. */
const stride = 4;
/** Ordinals from here on are kept apart. */
const manyTold = 255;
/** Parts of the table. Each grows by itself, so that hardly anything is there twice meanwhile. */
const sections = 64;
const firstPlaces = 64;

/**
 * Remembers what each subject of a file was last told, so that a row given twice is one, and two payments of one claim are
 * two. Some 25 bytes a subject: hashes in tables that grow, since a file may have millions.
 */
export class Occurrences {
  readonly #sections: Section[] = [];
  /** Ordinals of the few subjects that are told more often than fits a place. */
  readonly #many = new Map<string, number>();

  constructor() {
    while (this.#sections.length < sections) this.#sections.push(new Section());
  }

  /** @param subject ids that tell it from any other, each at its place; keyed hashes, so nobody can make two the same. */
  add(subject: readonly string[], content: Uint8Array): Occurrence {
    let low = 0;
    let high = 0;
    for (const id of subject) {
      low ^= numberIn(id, 0);
      high ^= numberIn(id, 28);
    }
    low >>>= 0;
    high >>>= 0;
    // As a text of one byte a character, which costs the garbage collector least.
    const told = hash("sha256", content, "binary");
    const section = this.#sections[high % sections] as Section;
    const at = section.placeFor(low, high);
    const { table } = section;
    const before = (table[at + 3] as number) & 255;
    const [first, second] = [numberAt(told, 0), numberAt(told, 4) & ~255];
    const repeated = before > 0 && table[at + 2] === first && ((table[at + 3] as number) & ~255) === second;
    let ordinal = before;
    if (!repeated && before < manyTold) ordinal += 1;
    const kept = ordinal;
    if (ordinal === manyTold) ordinal = this.#ofMany(`${low} ${high}`, repeated);
    table[at + 2] = first;
    table[at + 3] = second | kept;
    return { ordinal, repeated };
  }

  #ofMany(subject: string, repeated: boolean): number {
    const ordinal = (this.#many.get(subject) ?? manyTold - 1) + (repeated ? 0 : 1);
    this.#many.set(subject, ordinal);
    return ordinal;
  }
}

/** A part of the table: places one after another, the next free one where the right one is taken. */
class Section {
  table = new Uint32Array(firstPlaces * stride);
  #used = 0;

  /** Where a subject is; taken for it where it wasn't known. */
  placeFor(low: number, high: number): number {
    const at = this.#find(low, high);
    if (this.table[at + 3] !== 0) return at;
    this.#used += 1;
    if (this.#used * stride * 5 <= this.table.length * 4) return this.#take(at, low, high);
    this.#grow();
    return this.#take(this.#find(low, high), low, high);
  }

  #take(at: number, low: number, high: number): number {
    this.table[at] = low;
    this.table[at + 1] = high;
    return at;
  }

  #find(low: number, high: number): number {
    const { table } = this;
    const places = table.length / stride;
    let at = Math.floor((low / 0x1_0000_0000) * places) * stride;
    while (table[at + 3] !== 0 && (table[at] !== low || table[at + 1] !== high)) {
      at += stride;
      if (at === table.length) at = 0;
    }
    return at;
  }

  #grow(): void {
    const before = this.table;
    this.table = new Uint32Array(Math.ceil((before.length / stride) * 1.5) * stride);
    for (let from = 0; from < before.length; from += stride) {
      if (before[from + 3] === 0) continue;
      const at = this.#find(before[from] as number, before[from + 1] as number);
      this.table.set(before.subarray(from, from + stride), at);
    }
  }
}

/** Eight digits of a UUID as a number. */
function numberIn(id: string, at: number): number {
  let number = 0;
  for (let index = at; index < at + 8; index++) {
    const code = id.charCodeAt(index);
    number = (number << 4) | (code < 58 ? code - 48 : code - 87);
  }
  return number;
}

/** Four bytes of a digest as a number. */
function numberAt(digest: string, at: number): number {
  const bytes =
    digest.charCodeAt(at) |
    (digest.charCodeAt(at + 1) << 8) |
    (digest.charCodeAt(at + 2) << 16) |
    (digest.charCodeAt(at + 3) << 24);
  return bytes >>> 0;
}
