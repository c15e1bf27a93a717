/**
 * Which keys a lane has surely never met: a Bloom filter of those it has. A lane that began at the start of its partition,
 * on empty tables, need not ask Postgres for the rows of a key that it meets for the first time.
 *
 * Of a fixed size, whatever the number of keys: with more keys than it was made for it answers "perhaps met" more often,
 * and those are asked for.
 */
export class Absence {
  /** All that it knows: plain data, for another thread. */
  readonly words: Int32Array;
  readonly #mask: number;

  /** @param keys for which it errs in one of a hundred cases: ten bits each. Or the words of another one. */
  constructor(keys: number | Int32Array = 800_000) {
    this.words = typeof keys === "number" ? new Int32Array(2 ** Math.ceil(Math.log2(keys * 10)) / 32) : keys;
    this.#mask = this.words.length * 32 - 1;
  }

  /** Adds a key. @returns true when it was surely not there before. */
  meet(key: string): boolean {
    // FNV-1a, and a second hash from the same walk; the others are sums of the two (Kirsch and Mitzenmacher 2006).
    let one = 0x811c9dc5;
    let other = 0x2545f491;
    for (let at = 0; at < key.length; at++) {
      const code = key.charCodeAt(at);
      one = Math.imul(one ^ code, 0x01000193);
      other = Math.imul(other ^ code, 0x5bd1e995) ^ (other >>> 15);
    }
    const step = other | 1;
    let absent = false;
    for (let probe = 0, bit = one ^ (one >>> 15); probe < 6; probe++, bit = (bit + step) | 0) {
      const place = bit & this.#mask;
      const word = this.words[place >>> 5] as number;
      const flag = 1 << (place & 31);
      if ((word & flag) === 0) {
        absent = true;
        this.words[place >>> 5] = word | flag;
      }
    }
    return absent;
  }
}
