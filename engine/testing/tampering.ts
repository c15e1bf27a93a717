import { exactBytes, type IncomingRecord, type RecordBytes } from "../log/log.js";

/** Numbers that a seed decides, from 0 (inclusive) to 1 (exclusive). */
export type Chance = () => number;

/** A small generator (mulberry32): the same seed gives the same alterations. */
export function chanceOf(seed: number): Chance {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** A record as it is kept, to be altered. */
interface KeptRecord extends RecordBytes {
  readonly offset: number;
  readonly timestamp: number;
}

const kept = (record: IncomingRecord): KeptRecord => ({
  offset: record.offset,
  timestamp: record.timestamp,
  ...exactBytes(record),
});

/** As the log would give it. */
const given = ({ offset, timestamp, ...bytes }: KeptRecord): IncomingRecord => ({
  offset,
  timestamp,
  key: bytes.key?.toString() ?? "",
  value: bytes.value,
  headers: Object.fromEntries(bytes.headers.map(([name, value]) => [name.toString(), value?.toString() ?? ""])),
  exact: () => bytes,
});

export const alterations = [
  "flip a bit of the value",
  "flip a bit of the key",
  "flip a bit of a header",
  "change the append time",
  "leave out and close the gap",
  "leave out and leave the gap",
  "insert one",
  "swap two neighbours",
  "move far",
  "cut off the end",
] as const;
export type Alteration = (typeof alterations)[number];

const integer = (chance: Chance, below: number) => Math.floor(chance() * below);

function flipped(bytes: Buffer, chance: Chance): Buffer {
  const copy = Buffer.from(bytes);
  const at = integer(chance, copy.length);
  copy[at] = (copy[at] as number) ^ (1 << integer(chance, 8));
  return copy;
}

/** The same places, other records: what whoever rewrites a segment would see to. */
const renumbered = (records: readonly KeptRecord[]): KeptRecord[] =>
  records.map((record, offset) => ({ ...record, offset }));

/**
 * A partition with one record altered.
 * @returns the records, and the offset of the first one that is another than before; undefined where there is nothing to alter so.
 */
export function altered(
  records: readonly IncomingRecord[],
  alteration: Alteration,
  chance: Chance,
): { readonly records: readonly IncomingRecord[]; readonly first: number } | undefined {
  const all = records.map(kept);
  const at = integer(chance, all.length);
  const record = all[at];
  if (!record) return undefined;
  const replaced = (change: Partial<KeptRecord>) => ({
    records: all.with(at, { ...record, ...change }).map(given),
    first: at,
  });
  switch (alteration) {
    case "flip a bit of the value":
      return record.value?.length ? replaced({ value: flipped(record.value, chance) }) : undefined;
    case "flip a bit of the key":
      return record.key?.length ? replaced({ key: flipped(record.key, chance) }) : undefined;
    case "flip a bit of a header": {
      const header = record.headers[0];
      if (!header?.[1]?.length) return undefined;
      const inName = chance() < 0.3;
      const other: [Buffer, Buffer] = inName
        ? [flipped(header[0], chance), header[1]]
        : [header[0], flipped(header[1], chance)];
      return replaced({ headers: [other, ...record.headers.slice(1)] });
    }
    case "change the append time":
      return replaced({ timestamp: record.timestamp + (chance() < 0.5 ? -1 : 1) * (1 + integer(chance, 100_000)) });
    case "leave out and close the gap":
      return { records: renumbered(all.toSpliced(at, 1)).map(given), first: at };
    case "leave out and leave the gap":
      return { records: all.toSpliced(at, 1).map(given), first: at };
    case "insert one":
      return {
        records: renumbered(all.toSpliced(at, 0, { ...record, timestamp: record.timestamp - 1 })).map(given),
        first: at,
      };
    case "swap two neighbours": {
      const next = all[at + 1];
      return next && { records: renumbered(all.toSpliced(at, 2, next, record)).map(given), first: at };
    }
    case "move far": {
      const to = integer(chance, all.length);
      if (to === at) return undefined;
      return { records: renumbered(all.toSpliced(at, 1).toSpliced(to, 0, record)).map(given), first: Math.min(at, to) };
    }
    case "cut off the end":
      return { records: all.slice(0, at).map(given), first: at };
  }
}
