import { BinaryValues } from "./binary-values.js";

/**
 * Array parameters in Postgres' binary format (src/backend/utils/adt/arrayfuncs.c, `array_recv`): the server reads numbers,
 * instants and ids as they are, and text without quotes. Half the cost of array literals on both sides.
 */

/** Object ids of the element types, which Postgres fixes for good (pg_type.dat). */
export const elementType = {
  boolean: 16,
  bigint: 20,
  integer: 23,
  text: 25,
  json: 114,
  date: 1082,
  timestamptz: 1184,
  numeric: 1700,
  uuid: 2950,
  jsonb: 3802,
} as const;

export type ElementType = keyof typeof elementType;

/** Dimensions, whether there are nulls, element type, length, lower bound. */
const headerBytes = 20;
/** Elements of one array in the making. */
export class ArrayParameter extends BinaryValues {
  readonly type: ElementType;

  /** @param expected bytes that it will take, as far as the caller can guess. */
  constructor(type: ElementType, expected?: number) {
    super(headerBytes, expected);
    this.type = type;
  }

  /** All parts' elements as one parameter. @param parts of one type, not used any more afterwards. */
  static joined(parts: readonly ArrayParameter[]): Buffer {
    const [first] = parts as readonly [ArrayParameter, ...ArrayParameter[]];
    const elements = parts.map((part) => part.bytes.subarray(headerBytes, part.end));
    const bytes =
      parts.length === 1
        ? first.bytes.subarray(0, first.end)
        : Buffer.concat([Buffer.allocUnsafe(headerBytes), ...elements]);
    bytes.writeInt32BE(1, 0);
    bytes.writeInt32BE(parts.some((part) => part.hasNulls) ? 1 : 0, 4);
    bytes.writeInt32BE(elementType[first.type], 8);
    bytes.writeInt32BE(
      parts.reduce((sum, part) => sum + part.count, 0),
      12,
    );
    bytes.writeInt32BE(1, 16);
    return bytes;
  }
}
