import type { JournalEntry } from "../../schemas/intake/intake.generated.js";
import type { IncomingRecord, OutgoingRecord } from "../log/log.js";
import { formatPosition, positionHeader } from "../log/position.js";
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
 * Gives entries their places and recorded times. A further opening entry, left by installers who made the journal at
 * once, comes to nothing: the first decides.
 * @param recordedAt recorded time of the entry before the first.
 */
export function placeEntries(
  records: readonly IncomingRecord[],
  entries: readonly JournalEntry[],
  recordedAt: number,
): readonly PlacedEntry[] {
  let latest = recordedAt;
  return records.map(({ offset, timestamp }, index) => {
    latest = Math.max(latest, timestamp);
    return { entry: entries[index] as JournalEntry, offset, recordedAt: latest };
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
    origin: entry.origin?.offset ?? null,
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
