import { canonicalJson, decodeRecord, schemaIdIn } from "./avro.js";
import { base64, broken, sha256, text } from "./bytes.js";
import { leafOf } from "./tree.js";

/** A record as the log has it: a line of `records.jsonl`, and part of a proof. Bytes are in base64. */
export interface PackedRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** Append time, epoch milliseconds. */
  readonly timestamp: number;
  readonly key: string | null;
  readonly value: string | null;
  readonly headers: readonly (readonly [name: string, value: string | null])[];
}

export const placeOf = ({ topic, partition, offset }: Pick<PackedRecord, "topic" | "partition" | "offset">): string =>
  `${topic}, partition ${partition}, offset ${offset}`;

function int32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setInt32(0, value);
  return bytes;
}

const sized = (bytes: Uint8Array | null): Uint8Array[] => (bytes === null ? [int32(-1)] : [int32(bytes.length), bytes]);
const bytesOf = (encoded: string | null): Uint8Array | null => (encoded === null ? null : base64(encoded));

/** A record as the notary hashes it. */
function recordParts({ offset, timestamp, key, value, headers }: PackedRecord): Uint8Array[] {
  const place = new Uint8Array(16);
  const view = new DataView(place.buffer);
  view.setBigInt64(0, BigInt(offset));
  view.setBigInt64(8, BigInt(timestamp));
  return [
    place,
    ...sized(bytesOf(key)),
    ...sized(bytesOf(value)),
    int32(headers.length),
    ...headers.flatMap(([name, content]) => [...sized(base64(name)), ...sized(bytesOf(content))]),
  ];
}

/** Bytes of a hash of the chain. */
const hashBytes = 32;

/** Leaf of a record in its partition's tree. @param before chain before the record, in base64. @throws Error when that is no hash. */
export async function leafOfRecord(record: PackedRecord, before: string): Promise<Uint8Array> {
  const head = base64(before);
  // A longer one could hold the beginning of a record that was written, and what is told be cut out of its value.
  if (head.length !== hashBytes) broken(`what is told to come before the record at ${placeOf(record)} is no hash`);
  return leafOf(await sha256(head, ...recordParts(record)));
}

/** The schema of an id; null where who made the package found that the registry has none. */
function schemaIn(files: ReadonlyMap<string, Uint8Array>, id: number): Record<string, unknown> | null {
  const file = files.get(`schemas/${id}.json`) ?? broken(`the schema ${id} is missing`);
  return JSON.parse(text.decode(file)) as Record<string, unknown> | null;
}

/** A line of `events.jsonl`: what a record's bytes say, by the schema that they name. */
export function shownOf(record: PackedRecord, files: ReadonlyMap<string, Uint8Array>): string {
  const value = base64(record.value ?? "");
  const id = schemaIdIn(value);
  const isAvro = !Number.isNaN(id);
  const schema = isAvro ? schemaIn(files, id) : null;
  const { topic, partition, offset, timestamp, key } = record;
  let content: unknown = null;
  let isReadable = schema !== null;
  try {
    if (schema) content = decodeRecord(value, schema);
  } catch {
    isReadable = false;
  }
  return canonicalJson({
    topic,
    partition,
    offset,
    recorded: new Date(timestamp).toISOString(),
    key: key === null ? null : new TextDecoder().decode(base64(key)),
    headers: record.headers.map(([name, content]) => [
      new TextDecoder().decode(base64(name)),
      content === null ? null : new TextDecoder().decode(base64(content)),
    ]),
    schema: isAvro ? id : null,
    record: schema ? `${schema.namespace}.${schema.name}` : null,
    content,
    ...(isReadable ? {} : { unreadable: true }),
  });
}
