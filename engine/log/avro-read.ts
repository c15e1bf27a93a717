import type { Type } from "avsc";
import utils from "avsc/lib/utils.js";

/** What we use of avsc's types and resolvers. */
interface Readable {
  _read(tap: unknown): unknown;
}

/** One for all: reading is synchronous, and a position of its own for every record is what the collector would get most of. */
const tap = Object.assign(new utils.Tap(Buffer.alloc(0), 0), { end: 0 });

/**
 * Reads a value where it lies between others, as `Type.decode` does of bytes that were cut out.
 * @param resolver from the writer's schema; undefined when that is the type's.
 * @throws when the bytes from `start` (included) to `end` (excluded) aren't exactly one value; `Type.decode` tells why.
 */
export function readWithin(
  type: Type,
  resolver: object | undefined,
  bytes: Buffer,
  start: number,
  end: number,
): unknown {
  tap.buf = bytes;
  tap.pos = start;
  tap.end = end;
  const value = ((resolver ?? type) as Readable)._read(tap);
  // The position never goes back, so what ends where it should has looked at nothing beyond.
  if (tap.pos !== end) throw new RangeError("A value that ends elsewhere.");
  return value;
}
