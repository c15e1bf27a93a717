import type { Type } from "avsc";
import type { OpenedTypes, SealedTypes } from "../../schemas/events.generated.js";
import {
  type EventInputs,
  type EventMeta,
  type EventType,
  type EventTypes,
  eventCatalog,
} from "../../schemas/events.generated.js";
import type { JournalEntry, JournalEntryInput } from "../../schemas/intake/intake.generated.js";
import { TributaryError } from "../service/errors.js";
import { type AvroRecord, fullNameOf } from "./avro.js";
import { readWithin } from "./avro-read.js";
import { Sink } from "./avro-sink.js";
import { compileType } from "./avro-type.js";
import { compileWriter, type WriteRecord } from "./avro-writer.js";
import { journalRecord, rootRecords } from "./schemas.js";

/** An event as it is written: clear fields, meta, and the sealed bytes. */
export type OutgoingEvent<Name extends EventType> = EventInputs[Name] & {
  readonly meta: Omit<EventMeta, OptionalMeta> & { readonly [Key in OptionalMeta]?: EventMeta[Key] | undefined };
  readonly sealed?: Buffer | null | undefined;
};
/** What the engine adds to the facts of an event. */
export interface FinishedParts {
  readonly meta: OutgoingEvent<EventType>["meta"];
  readonly sealed: Buffer | null;
}

type OptionalMeta = "timePrecision" | "causationId" | "correlationId" | "traceparent" | "generation" | "origin";

/** An event as it is read, told apart by `type`. */
type IncomingEvent = {
  [Name in EventType]: { readonly type: Name; readonly event: EventTypes[Name] };
}[EventType];

/** A schema of the registry: what the id on the wire stands for. */
export interface WriterSchema {
  readonly id: number;
  readonly schema: AvroRecord;
}

/** What the codec must be told: ids from the registry, and how to learn one it doesn't know. */
export interface CodecSchemas {
  /** Id of the current schema of each record that is written on its own, by full name. */
  readonly current: ReadonlyMap<string, number>;
  /** Every committed version that the registry knows, the current ones included. */
  readonly writers: readonly WriterSchema[];
  /** Fetches a schema by id. @throws TRIB_LOG_UNKNOWN_SCHEMA */
  readonly fetch: (id: number) => Promise<AvroRecord>;
}

/**
 * Records to bytes and back, synchronously: Confluent's wire format (a zero byte, the schema's id in four bytes
 * big-endian, the Avro body). Resolvers from a writer's schema to the current one are made once an id.
 */
export interface Codec {
  /**
   * @param record full name, e.g. `health.intake.JournalEntry`.
   * @throws TRIB_LOG_FIELD_INVALID naming the path of the first wrong field, never its value.
   */
  encode(record: string, value: object): Buffer;
  /**
   * @returns the value in the form of the current schema.
   * @throws TRIB_LOG_UNKNOWN_SCHEMA when the id isn't known (await `learn(schemaIdOf(buffer))` and try again);
   *   TRIB_LOG_UNDECODABLE when the bytes aren't such a record, or something follows it.
   */
  decode(buffer: Buffer): { readonly record: string; readonly value: unknown };
  encodeEvent<Name extends EventType>(type: Name, value: OutgoingEvent<Name>): Buffer;
  /** The same of an event whose meta and sealed bytes are not in it yet. */
  encodeFinished(type: EventType, fields: object, apart: FinishedParts): Buffer;
  /** @throws as `decode`, and TRIB_LOG_UNDECODABLE when it is another record than an event. */
  decodeEvent(buffer: Buffer): IncomingEvent;
  /**
   * What reads the event that begins there, in its wire format, where it lies.
   * @returns undefined when no event of a known schema begins there: `decodeEvent` tells why.
   */
  eventReader(bytes: Buffer, start: number): EventReader | undefined;
  encodeEntry(entry: JournalEntryInput): Buffer;
  decodeEntry(buffer: Buffer): JournalEntry;
  /** Encodes what an event keeps sealed, to be encrypted. */
  encodeSealed<Name extends EventType>(type: Name, details: SealedTypes[Name]): Buffer;
  /** Decodes what was decrypted; every field is there, defaults filled in. */
  decodeSealed<Name extends EventType>(type: Name, buffer: Buffer): OpenedTypes[Name];
  /** Fetches an unknown writer's schema from the registry. @throws TRIB_LOG_UNKNOWN_SCHEMA */
  learn(id: number): Promise<void>;
}

/** Reads events of one schema out of the bytes that they lie in. */
export interface EventReader<Type extends string = EventType> {
  readonly type: Type;
  /** @throws when the bytes from `start` to `end`, head included, aren't exactly one such event: `decodeEvent` tells why. */
  read(bytes: Buffer, start: number, end: number): object;
}

/** A reader of events in the wire format. @param resolver from the writer's schema; undefined when that is the type's. */
export const eventReaderOf = <Name extends string>(
  type: Name,
  schema: Type,
  resolver: object | undefined,
): EventReader<Name> => ({
  type,
  read: (bytes, start, end) => readWithin(schema, resolver, bytes, start + headerBytes, end) as object,
});

/** The reader of the schema whose head begins there; undefined when there is no head, or no reader for its id. */
export const eventReaderAt = <Name extends string>(
  readers: ReadonlyMap<number, { readonly event: EventReader<Name> | undefined }>,
  bytes: Buffer,
  start: number,
): EventReader<Name> | undefined =>
  bytes[start] === 0 && start + headerBytes <= bytes.length
    ? readers.get(bytes.readUInt32BE(start + 1))?.event
    : undefined;

/** Id of the schema that bytes were written with. @throws TRIB_LOG_UNDECODABLE when they have no header. */
export function schemaIdOf(buffer: Buffer): number {
  if (buffer.length < headerBytes || buffer[0] !== 0) throw undecodable("has no schema id in front");
  return buffer.readUInt32BE(1);
}

/** Of the wire format: a zero byte and the schema's id. */
export const headerBytes = 5;

interface Reader {
  readonly record: string;
  readonly type: Type;
  /** Absent when the writer's schema is the current one. */
  readonly resolver: object | undefined;
  /** Absent when it is no event. */
  readonly event: EventReader | undefined;
}

function undecodable(detail: string, facts: Record<string, string | number> = {}): TributaryError {
  return new TributaryError("TRIB_LOG_UNDECODABLE", `A record ${detail}.`, facts);
}

/** The message that avsc gives holds the value, so only the path of the field is taken. */
function fieldInvalid(record: string, type: Type, value: object): TributaryError {
  let place: string | undefined;
  try {
    type.isValid(value, {
      errorHook: (path: readonly string[]) => {
        place ??= path.join(".");
      },
    });
  } catch {
    // An object that can't even be walked has no path to tell.
  }
  return new TributaryError("TRIB_LOG_FIELD_INVALID", `${record}: ${place || "(whole)"} doesn't fit the schema.`, {
    record,
    field: place ?? "",
  });
}

const eventByRecord: ReadonlyMap<string, EventType> = new Map(
  Object.entries(eventCatalog).map(([name, { record }]) => [record, name as EventType]),
);

/** Compiled once a process: the codec of every installation reads and writes the same records. */
const currentTypes: ReadonlyMap<string, Type> = new Map(
  [...rootRecords().values()].map((root) => [root.fullName, compileType(root.schema)]),
);

const partsApart = ["meta", "sealed"];

/** How a record is written, under the registry's id for it. */
interface Writer {
  readonly record: string;
  readonly type: Type;
  readonly header: Buffer;
  readonly write: WriteRecord;
  /** Meta and sealed bytes given apart. */
  readonly writeFinished: WriteRecord;
}

const nothing = {};
/** @throws TRIB_LOG_SCHEMA_NOT_REGISTERED when a current schema has no id. */
export function createCodec(schemas: CodecSchemas): Codec {
  const headers = new Map<string, Buffer>();
  const writers = new Map<string, Writer>();
  const readers = new Map<number, Reader>();
  const sink = new Sink();

  const addReader = (id: number, schema: AvroRecord): void => {
    const record = fullNameOf(schema.name, schema.namespace, "");
    const type = currentTypes.get(record);
    if (!type) {
      throw new TributaryError(
        "TRIB_LOG_UNKNOWN_SCHEMA",
        `Schema ${id} is of ${record}, a record that this version doesn't know.`,
        { schemaId: id, record },
      );
    }
    const resolver = schemas.current.get(record) === id ? undefined : type.createResolver(compileType(schema));
    const name = eventByRecord.get(record);
    readers.set(id, { record, type, resolver, event: name && eventReaderOf(name, type, resolver) });
  };

  for (const record of currentTypes.keys()) {
    const id = schemas.current.get(record);
    if (id === undefined) {
      throw new TributaryError(
        "TRIB_LOG_SCHEMA_NOT_REGISTERED",
        `The schema of ${record} isn't registered. Run \`tributary schemas register\`.`,
        { record },
      );
    }
    const header = Buffer.alloc(headerBytes);
    header.writeUInt32BE(id, 1);
    headers.set(record, header);
  }
  for (const { id, schema } of schemas.writers) addReader(id, schema);

  /** Made when a record is first written: most processes write few of them. */
  const writerOf = (record: string): Writer => {
    let writer = writers.get(record);
    if (!writer) {
      const type = currentTypes.get(record);
      const header = headers.get(record);
      if (!type || !header)
        throw new TributaryError("TRIB_LOG_FIELD_INVALID", `There is no record ${record}.`, { record });
      const write = compileWriter(type);
      writer = { record, type, header, write, writeFinished: compileWriter(type, partsApart) };
      writers.set(record, writer);
    }
    return writer;
  };

  const written = ({ record, type, header }: Writer, write: WriteRecord, value: object, apart: object): Buffer => {
    sink.begin();
    sink.raw(header);
    try {
      write(value, apart, sink);
    } catch {
      throw fieldInvalid(record, type, { ...value, ...apart });
    }
    return sink.end();
  };

  const encode = (record: string, value: object): Buffer => {
    const writer = writerOf(record);
    return written(writer, writer.write, value, nothing);
  };

  const decode = (buffer: Buffer): { readonly record: string; readonly value: unknown } => {
    const id = schemaIdOf(buffer);
    const reader = readers.get(id);
    if (!reader) {
      throw new TributaryError("TRIB_LOG_UNKNOWN_SCHEMA", `A record was written with schema ${id}, not known here.`, {
        schemaId: id,
      });
    }
    const facts = { schemaId: id, record: reader.record, bytes: buffer.length };
    let read: { readonly value: unknown; readonly offset: number };
    try {
      read = reader.type.decode(buffer, headerBytes, reader.resolver);
    } catch {
      throw undecodable(`with the schema id of ${reader.record} doesn't fit that schema`, facts);
    }
    if (read.offset < 0) throw undecodable(`of ${reader.record} is cut off`, facts);
    if (read.offset !== buffer.length) throw undecodable(`of ${reader.record} is followed by other bytes`, facts);
    return { record: reader.record, value: read.value };
  };

  const decodeAs = (record: string, buffer: Buffer): unknown => {
    const decoded = decode(buffer);
    if (decoded.record !== record) throw undecodable(`is a ${decoded.record}, not a ${record}`, { record });
    return decoded.value;
  };

  const sealedRecordOf = (type: EventType): string => {
    const { sealed } = eventCatalog[type];
    if (sealed === null) throw new TributaryError("TRIB_LOG_FIELD_INVALID", `${type} has nothing sealed.`, { type });
    return sealed;
  };

  return {
    encode,
    decode,
    encodeEvent: (type, value) => encode(eventCatalog[type].record, value),
    encodeFinished(type, fields, apart) {
      const writer = writerOf(eventCatalog[type].record);
      return written(writer, writer.writeFinished, fields, apart);
    },
    decodeEvent(buffer) {
      const { record, value } = decode(buffer);
      const type = eventByRecord.get(record);
      if (!type) throw undecodable(`is a ${record}, which is no event`, { record });
      return { type, event: value } as IncomingEvent;
    },
    eventReader: (bytes, start) => eventReaderAt(readers, bytes, start),
    encodeEntry: (entry) => encode(journalRecord, entry),
    decodeEntry: (buffer) => decodeAs(journalRecord, buffer) as JournalEntry,
    encodeSealed: (type, details) => encode(sealedRecordOf(type), details),
    decodeSealed: (type, buffer) => decodeAs(sealedRecordOf(type), buffer) as OpenedTypes[typeof type],
    async learn(id) {
      if (!readers.has(id)) addReader(id, await schemas.fetch(id));
    },
  };
}

/** A codec without a registry, for tests: current schemas only, with ids of its own in the order of names. */
export function standaloneCodec(): Codec {
  const roots = [...rootRecords().values()].sort((left, right) => (left.fullName < right.fullName ? -1 : 1));
  return createCodec({
    current: new Map(roots.map((root, index) => [root.fullName, index + 1])),
    writers: roots.map((root, index) => ({ id: index + 1, schema: root.schema })),
    fetch: async (id) => {
      throw new TributaryError("TRIB_LOG_UNKNOWN_SCHEMA", `There is no schema ${id}.`, { schemaId: id });
    },
  });
}
