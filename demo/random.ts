/** A stream of pseudo-random numbers that is the same on every machine: integers only, no clock, no `Math.random`. */
export interface Random {
  /** The next whole number from 0 to 2^32 - 1. */
  next(): number;
  /** A whole number from 0 to `bound` - 1; `bound` is at least 1 and at most 2^21. */
  below(bound: number): number;
  /** A whole number from `low` to `high`, both included. */
  between(low: number, high: number): number;
  /** True in `perMille` of 1,000 cases. */
  chance(perMille: number): boolean;
  /** One member of a list that is not empty. */
  pick<T>(list: readonly T[]): T;
  /** An independent stream named by `label`: how much one stream is used never changes another. */
  fork(label: string): Random;
}

/** FNV-1a over UTF-16 units, finished by the mixer of MurmurHash3, so that near labels give far seeds. */
function hash(text: string, basis: number): number {
  let h = (0x811c9dc5 ^ basis) >>> 0;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** A generator of the sfc32 family (Chris Doty-Humphrey, PractRand), seeded by a text. */
export function seededRandom(seed: string): Random {
  let a = hash(seed, 1);
  let b = hash(seed, 2);
  let c = hash(seed, 3);
  let counter = 1;
  const next = (): number => {
    const t = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + t) | 0;
    return t >>> 0;
  };
  for (let i = 0; i < 12; i++) next();
  const below = (bound: number): number => Math.floor((next() * bound) / 4294967296);
  return {
    next,
    below,
    between: (low, high) => low + below(high - low + 1),
    chance: (perMille) => below(1000) < perMille,
    pick: <T>(list: readonly T[]): T => {
      if (list.length === 0) throw new RangeError("pick: the list is empty");
      return list[below(list.length)] as T;
    },
    fork: (label) => seededRandom(`${seed}/${label}`),
  };
}
