import { hash } from "node:crypto";

/** What became of a telling. */
export interface Occurrence {
  /** Ordinal among the different tellings of the subject in the file, from 1. */
  readonly ordinal: number;
  /** The same as the telling before it of the same subject. */
  readonly repeated: boolean;
}

/**
 * Remembers what each subject of a file was last told, so that a row given twice is one, and two payments of one claim are
 * two. Some 50 bytes a subject: hashes of 64 bits in a table that grows, since a file may have millions.
 */
export class Occurrences {
  #subjects = new BigUint64Array(1024);
  #contents = new BigUint64Array(1024);
  #ordinals = new Uint32Array(1024);
  #used = 0;

  add(subject: string, content: Uint8Array): Occurrence {
    if (this.#used * 2 >= this.#subjects.length) this.#grow();
    // Zero means that a place is free.
    const name = hash("sha256", subject, "buffer").readBigUInt64LE() || 1n;
    const told = hash("sha256", content, "buffer").readBigUInt64LE();
    const at = this.#placeOf(name, this.#subjects);
    if (this.#subjects[at] === 0n) this.#used += 1;
    const repeated = this.#subjects[at] === name && this.#contents[at] === told;
    this.#subjects[at] = name;
    this.#contents[at] = told;
    if (!repeated) this.#ordinals[at] = (this.#ordinals[at] ?? 0) + 1;
    return { ordinal: this.#ordinals[at] as number, repeated };
  }

  #placeOf(name: bigint, subjects: BigUint64Array): number {
    const mask = subjects.length - 1;
    let at = Number(name & 0xffffffffn) & mask;
    while (subjects[at] !== 0n && subjects[at] !== name) at = (at + 1) & mask;
    return at;
  }

  #grow(): void {
    const [subjects, contents, ordinals] = [this.#subjects, this.#contents, this.#ordinals];
    const size = subjects.length * 2;
    this.#subjects = new BigUint64Array(size);
    this.#contents = new BigUint64Array(size);
    this.#ordinals = new Uint32Array(size);
    for (let from = 0; from < subjects.length; from++) {
      const name = subjects[from] as bigint;
      if (name === 0n) continue;
      const at = this.#placeOf(name, this.#subjects);
      this.#subjects[at] = name;
      this.#contents[at] = contents[from] as bigint;
      this.#ordinals[at] = ordinals[from] as number;
    }
  }
}
