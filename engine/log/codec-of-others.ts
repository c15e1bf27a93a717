import type { Type } from "avsc";
import { TributaryError } from "../service/errors.js";
import type { Settings } from "../service/settings.js";
import { baseNameOf, fullNameOf } from "./avro.js";
import { compileType } from "./avro-type.js";
import { type EventReader, eventReaderAt, eventReaderOf, headerBytes, schemaIdOf } from "./codec.js";
import { fetchSchema } from "./registry.js";

/** Reads records of topics that are not ours, as they were written. */
export interface CodecOfOthers {
  /**
   * @returns the record's name without namespace, and what is in it.
   * @throws TRIB_LOG_UNKNOWN_SCHEMA when the id isn't known yet (await `learn`); TRIB_LOG_UNDECODABLE.
   */
  decodeEvent(buffer: Buffer): { readonly type: string; readonly event: object };
  /** As {@link Codec.eventReader}. */
  eventReader(bytes: Buffer, start: number): EventReader<string> | undefined;
  /** Fetches the schema that these bytes name. @throws TRIB_LOG_UNKNOWN_SCHEMA, TRIB_LOG_REGISTRY_UNAVAILABLE */
  learn(buffer: Buffer): Promise<void>;
}

export function codecOfOthers(settings: Settings): CodecOfOthers {
  const readers = new Map<
    number,
    { readonly name: string; readonly type: Type; readonly event: EventReader<string> }
  >();
  return {
    decodeEvent(buffer) {
      const schemaId = schemaIdOf(buffer);
      const reader = readers.get(schemaId);
      if (!reader) {
        throw new TributaryError(
          "TRIB_LOG_UNKNOWN_SCHEMA",
          `A record was written with schema ${schemaId}, not known here.`,
          {
            schemaId,
          },
        );
      }
      let read: { readonly value: unknown; readonly offset: number } | undefined;
      try {
        read = reader.type.decode(buffer, headerBytes);
      } catch {
        // Told below, with what can be told.
      }
      if (read?.offset !== buffer.length) {
        const facts = { schemaId, record: reader.name, bytes: buffer.length };
        throw new TributaryError("TRIB_LOG_UNDECODABLE", `A record doesn't fit the schema of ${reader.name}.`, facts);
      }
      return { type: reader.name, event: read.value as object };
    },
    eventReader: (bytes, start) => eventReaderAt(readers, bytes, start),
    async learn(buffer) {
      const id = schemaIdOf(buffer);
      if (readers.has(id)) return;
      const schema = await fetchSchema(settings, id);
      const name = baseNameOf(fullNameOf(schema.name, schema.namespace, ""));
      const type = compileType(schema);
      readers.set(id, { name, type, event: eventReaderOf(name, type, undefined) });
    },
  };
}
