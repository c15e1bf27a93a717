import type { JournalEntry } from "../../schemas/intake/intake.generated.js";
import type { Codec } from "../log/codec.js";
import type { IncomingRecord } from "../log/log.js";
import { TributaryError } from "../service/errors.js";

/** The part of the codec that reads the journal. */
export type EntryCodec = Pick<Codec, "decodeEntry" | "learn">;

/**
 * Decodes journal records. A schema that a newer connector writes is fetched once.
 * @throws TRIB_INTAKE_JOURNAL_INVALID when a record is no entry; TRIB_LOG_UNDECODABLE, TRIB_LOG_UNKNOWN_SCHEMA,
 *   TRIB_LOG_REGISTRY_UNAVAILABLE.
 */
export async function decodeEntries(codec: EntryCodec, records: readonly IncomingRecord[]): Promise<JournalEntry[]> {
  const entries: JournalEntry[] = [];
  for (const { offset, value } of records) {
    if (value === null) throw new TributaryError("TRIB_INTAKE_JOURNAL_INVALID", undefined, { offset });
    const decoded = decodeEntry(codec, value);
    const entry = decoded instanceof Promise ? await decoded : decoded;
    if (entry.entry === "UNKNOWN") throw new TributaryError("TRIB_INTAKE_JOURNAL_INVALID", undefined, { offset });
    entries.push(entry);
  }
  return entries;
}

/** Synchronous as long as the schema is known: no promise an entry. */
function decodeEntry(codec: EntryCodec, value: Buffer): JournalEntry | Promise<JournalEntry> {
  try {
    return codec.decodeEntry(value);
  } catch (error) {
    if (!(error instanceof TributaryError) || error.code !== "TRIB_LOG_UNKNOWN_SCHEMA") throw error;
    const { schemaId } = error.facts;
    if (typeof schemaId !== "number") throw error;
    return codec.learn(schemaId).then(() => codec.decodeEntry(value));
  }
}
