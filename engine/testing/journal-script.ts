import { createHash } from "node:crypto";
import type { EntryKind, JournalEntryInput } from "../../schemas/intake/intake.generated.js";
import type { Codec } from "../log/codec.js";
import type { IncomingRecord, LogProducer } from "../log/log.js";
import { comparePositions, type EventPosition, parsePosition } from "../log/position.js";
import { journalTopic } from "../log/schemas.js";

/** A unit of a journal that a spec writes by hand: equal texts are equal contents. */
export interface ScriptedUnit {
  readonly content: string;
  /** Events as `key:name`; the key decides the partition. */
  readonly events?: readonly string[];
  readonly accepted?: boolean;
  readonly rule?: "EVERY" | "LATEST" | "NONE";
  readonly resource?: string;
  readonly controlId?: string;
  readonly entry?: EntryKind;
  readonly receiptId?: string;
}

export const eventsTopicOfScript = "health.patient.events";

/** Stands for a keyed hash. */
export const hashOfScript = (text: string): Buffer => createHash("sha256").update(text).digest().subarray(0, 16);

export function scriptedEntry(unit: ScriptedUnit, ordinal: number): JournalEntryInput {
  const { content, events = [], accepted = true, rule = "EVERY", resource, controlId, entry = "UNIT" } = unit;
  return {
    entry,
    receiptId: unit.receiptId ?? `receipt ${ordinal}`,
    receivedAt: 0,
    partner: "mercy",
    feed: "mercy",
    connector: "hl7v2",
    connectorVersion: "1",
    format: "ADT^A01",
    accepted,
    code: accepted ? null : "BAD",
    controlKey: controlId === undefined ? null : hashOfScript(`control ${controlId}`),
    identity: rule === "NONE" ? null : hashOfScript(content),
    resend: rule === "NONE" ? "UNKNOWN" : rule,
    resource: resource === undefined ? null : hashOfScript(`resource ${resource}`),
    contentHash: Buffer.alloc(32),
    size: content.length,
    sealedUnit: Buffer.alloc(0),
    events: events.map((text) => ({
      topic: eventsTopicOfScript,
      key: text.split(":")[0] as string,
      id: text,
      type: "PatientUpdated",
      value: Buffer.from(text),
    })),
  };
}

/** The entry that opens every journal partition. */
export const genesis = (journal: string): JournalEntryInput => ({
  ...scriptedEntry({ content: "", rule: "NONE", entry: "GENESIS" }, 0),
  journal,
});

/** Appends units to one journal partition, in order. */
export async function appendUnits(
  producer: LogProducer,
  codec: Pick<Codec, "encodeEntry">,
  partition: number,
  entries: readonly JournalEntryInput[],
): Promise<void> {
  await producer.append(
    entries.map((entry) => ({ topic: journalTopic, partition, key: entry.feed, value: codec.encodeEntry(entry) })),
  );
}

export interface ConsumedEvent {
  readonly value: string;
  readonly position: EventPosition;
  readonly record: IncomingRecord;
}

/**
 * What a consumer of one event partition sees: it keeps the highest position of every journal partition and drops what
 * is not higher.
 * @throws when a record has no position, or one position has two contents.
 */
export function consume(records: readonly IncomingRecord[]): ConsumedEvent[] {
  const highest = new Map<number, { position: EventPosition; value: string }>();
  const applied: ConsumedEvent[] = [];
  for (const record of records) {
    const { headers, value } = record;
    const position = parsePosition(headers.position ?? "");
    if (!position) throw new Error("an event without a position");
    const text = String(value);
    const last = highest.get(position.partition);
    const order = last ? comparePositions(position, last.position) : 1;
    if (order === 0 && last?.value !== text) throw new Error(`two events at one position: ${last?.value} and ${text}`);
    if (order <= 0) continue;
    highest.set(position.partition, { position, value: text });
    applied.push({ value: text, position, record });
  }
  return applied;
}
