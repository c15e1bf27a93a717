import avro from "avsc";

/** What we use of avsc's reading position. */
interface Tap {
  readonly buf: Buffer;
  pos: number;
  readLong(): number;
  readString(): string | undefined;
}

/** Codes, types, facilities and the like are shorter. */
const longestShared = 24;
const places = 256;
/** Reads after which a field whose values are mostly new goes the ordinary way for good. */
const trial = 1_024;

/**
 * A string whose frequent short values are the same object each time they are read: most fields hold one of a few codes,
 * and making a string costs more than finding one. To be made anew for each field of a record; one that turns out to hold
 * ids shares nothing.
 */
export function sharedStringType(): avro.Type {
  // A class of its own, since types can't be extended once they are made; resolvers take the function over, and remember
  // the same strings.
  class SharedStringType extends avro.types.StringType {}
  Object.defineProperty(SharedStringType.prototype, "_read", { value: sharingReader() });
  return new SharedStringType();
}

function sharingReader(): (tap: Tap) => string | undefined {
  const known: (string | undefined)[] = new Array(places).fill(undefined);
  let reads = 0;
  let found = 0;
  let sharing = true;
  return (tap) => {
    if (!sharing) return tap.readString();
    const start = tap.pos;
    const length = tap.readLong();
    const { buf, pos } = tap;
    if (!(length >= 0 && length <= longestShared && pos + length <= buf.length)) {
      tap.pos = start;
      return tap.readString();
    }
    let hash = length;
    let bits = 0;
    for (let at = pos; at < pos + length; at++) {
      const byte = buf[at] as number;
      bits |= byte;
      hash = (Math.imul(hash, 31) + byte) | 0;
    }
    if (bits >= 0x80) {
      tap.pos = start;
      return tap.readString();
    }
    if (++reads === trial) {
      sharing = found * 2 > reads;
      reads = 0;
      found = 0;
    }
    tap.pos = pos + length;
    const place = (hash ^ (hash >>> 8)) & (places - 1);
    const candidate = known[place];
    if (candidate !== undefined && isSame(candidate, buf, pos, length)) {
      found++;
      return candidate;
    }
    const made = buf.toString("latin1", pos, pos + length);
    known[place] = made;
    return made;
  };
}

function isSame(text: string, bytes: Buffer, start: number, length: number): boolean {
  if (text.length !== length) return false;
  for (let at = 0; at < length; at++) if (text.charCodeAt(at) !== bytes[start + at]) return false;
  return true;
}
