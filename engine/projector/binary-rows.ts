import { ArrayParameter, type ElementType } from "./array-parameter.js";
import { BinaryValues } from "./binary-values.js";

/** What stands in front of a binary COPY: signature, flags, no extension (Postgres documentation, COPY, Binary Format). */
const head = Buffer.from("PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0", "latin1");
/** No fields follow. */
const tail = Buffer.from([0xff, 0xff]);
const chunkBytes = 256 * 1024;

/** Rows of a binary COPY in the making: a row is `begin`, then each of its fields in order. */
export class BinaryRows extends BinaryValues {
  constructor() {
    super(0, chunkBytes * 1.1);
  }

  begin(fields: number): void {
    const at = this.reserve(2);
    this.end = at + 2;
    this.bytes[at] = fields >>> 8;
    this.bytes[at + 1] = fields;
  }

  /** @param elements of an array of this type. */
  list(type: ElementType, elements: readonly string[]): void {
    const array = new ArrayParameter(type);
    for (const element of elements) {
      if (type === "uuid") array.uuid(element);
      else array.text(element);
    }
    this.encoded(ArrayParameter.joined([array]));
  }

  /** All so far, and starts again. */
  take(): Buffer {
    const taken = this.bytes.subarray(0, this.end);
    this.bytes = Buffer.allocUnsafe(Math.max(chunkBytes * 1.1, this.end));
    this.end = 0;
    return taken;
  }
}

/** A field of the rows that are copied. */
export interface CopiedColumn<Item> {
  readonly name: string;
  readonly fill: (into: BinaryRows, item: Item) => void;
}

/** The bytes of a binary COPY of these items, in chunks: encoded as they are asked for. */
export function* copyChunks<Item>(columns: readonly CopiedColumn<Item>[], items: Iterable<Item>): Generator<Buffer> {
  const fills = columns.map(({ fill }) => fill);
  const rows = new BinaryRows();
  yield head;
  for (const item of items) {
    rows.begin(fills.length);
    for (let index = 0; index < fills.length; index++) (fills[index] as CopiedColumn<Item>["fill"])(rows, item);
    if (rows.size >= chunkBytes) yield rows.take();
  }
  if (rows.size > 0) yield rows.take();
  yield tail;
}
