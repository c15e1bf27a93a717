import type { JournalEntry } from "../../schemas/intake/intake.generated.js";
import type { Codec } from "../log/codec.js";
import type { IncomingRecord, OutgoingRecord } from "../log/log.js";
import { formatPosition, positionHeader } from "../log/position.js";
import { TributaryError } from "../service/errors.js";
import { uuidOf } from "./keyed-hash.js";
import type { Decision, LedgerEntry } from "./ledger.js";
import type { UnitCounts } from "./publisher-checkpoint.js";

/** A journal entry with its place and its recorded time. */
export interface PlacedEntry {
  readonly entry: JournalEntry;
  readonly offset: number;
  /** The larger of the entry's append time and the recorded time before it: monotone along the partition. */
  readonly recordedAt: number;
}

/**
 * Decodes journal records.
 * @param recordedAt recorded time of the entry before the first.
 * @throws TRIB_INTAKE_JOURNAL_INVALID when a record is no entry, TRIB_INTAKE_JOURNAL_CHANGED on another journal's opening.
 */
export function placedEntries(
  records: readonly IncomingRecord[],
  {
    codec,
    journal,
    partition,
    recordedAt,
  }: { codec: Pick<Codec, "decodeEntry">; journal: string; partition: number; recordedAt: number },
): readonly PlacedEntry[] {
  let latest = recordedAt;
  return records.map(({ offset, timestamp, value }) => {
    const facts = { partition, offset };
    if (value === null) throw new TributaryError("TRIB_INTAKE_JOURNAL_INVALID", undefined, facts);
    const entry = codec.decodeEntry(value);
    if (entry.entry === "UNKNOWN") throw new TributaryError("TRIB_INTAKE_JOURNAL_INVALID", undefined, facts);
    if (entry.entry === "GENESIS" && entry.journal !== journal) {
      throw new TributaryError("TRIB_INTAKE_JOURNAL_CHANGED", undefined, { ...facts, journal, found: entry.journal });
    }
    latest = Math.max(latest, timestamp);
    return { entry, offset, recordedAt: latest };
  });
}

/** The entry as the ledger sees it; undefined for what never enters it: rejected units, entries without an identity. */
export function ledgerEntry({ entry, offset }: PlacedEntry): LedgerEntry | undefined {
  if (!entry.accepted || entry.identity === null || entry.resend === "UNKNOWN") return undefined;
  return {
    offset,
    receiptId: entry.receiptId,
    rule: entry.resend,
    identity: uuidOf(entry.identity),
    resource: entry.resource === null ? null : uuidOf(entry.resource),
    controlKey: entry.controlKey === null ? null : uuidOf(entry.controlKey),
  };
}

/** Events of one entry as they are sent, each with its journal position. */
export function* eventRecords(
  { entry, offset, recordedAt }: PlacedEntry,
  { journal, partition }: { readonly journal: string; readonly partition: number },
): Iterable<OutgoingRecord> {
  for (const [index, { topic, key, value }] of entry.events.entries()) {
    const position = formatPosition({ journal, partition, offset, index, recordedAt });
    yield { topic, key, value, headers: { [positionHeader]: position } };
  }
}

/** Adds up what a batch's units came to. Envelopes and closing entries are no units. */
export function countUnits(
  entries: readonly PlacedEntry[],
  decisionOf: (entry: PlacedEntry) => Decision | undefined,
): readonly UnitCounts[] {
  const counts = new Map<string, UnitCounts>();
  for (const placed of entries) {
    const { entry } = placed;
    if (entry.entry !== "UNIT") continue;
    const code = entry.accepted ? "" : (entry.code ?? "");
    const name = JSON.stringify([entry.partner, entry.connector, code]);
    let count = counts.get(name);
    if (!count) {
      const { partner, connector } = entry;
      count = { partner, connector, code, units: 0, accepted: 0, rejected: 0, resends: 0, reusedIds: 0, events: 0 };
      counts.set(name, count);
    }
    const decision = decisionOf(placed);
    count.units += 1;
    if (!entry.accepted) count.rejected += 1;
    else {
      count.accepted += 1;
      if (decision?.resendOf) count.resends += 1;
      else count.events += entry.events.length;
      if (decision?.reusedId) count.reusedIds += 1;
    }
  }
  return [...counts.values()];
}
