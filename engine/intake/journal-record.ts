import type { JournalEntryInput, JournalledEventInput } from "../../schemas/intake/intake.generated.js";
import type { Codec } from "../log/codec.js";
import type { OutgoingRecord } from "../log/log.js";
import { journalTopic } from "../log/schemas.js";
import type { DataKey } from "../vault/data-key.js";
import { sealEvent } from "../vault/sealed-event.js";
import { sealUnit } from "../vault/sealed-unit.js";
import type { ReceivedUnit, UnitIdentity, Verdict } from "./connector.js";
import { finishEvents } from "./finish-events.js";
import type { ContentHash, KeyedHash } from "./keyed-hash.js";
import { truncatedFlag, unitCodes } from "./unit-codes.js";

/** Bytes of a unit over the limit that are kept. */
export const truncatedLength = 65_536;

/** A unit on its way into the journal: received, named, waiting for its keys. */
export interface WaitingUnit {
  readonly unit: ReceivedUnit;
  readonly receiptId: string;
  readonly receivedAt: number;
}

export interface RecordContext {
  readonly codec: Pick<Codec, "encode" | "encodeFinished" | "encodeEntry">;
  readonly connector: { readonly name: string; readonly version: string };
  readonly hash: KeyedHash;
  readonly contentHash: ContentHash;
  readonly unitLimit: number;
  readonly eventLimit: number;
}

/** Subjects under whose keys the unit's bytes are sealed: the patients, or the reception itself when none is known. */
export function unitSubjects({ unit, receiptId }: WaitingUnit): readonly string[] {
  if (unit.sealFor.length === 0) return [unit.transport?.transmissionId ?? receiptId];
  return unit.sealFor.length === 1 ? unit.sealFor : [...new Set(unit.sealFor)];
}

/** All subjects whose keys are needed to make the records of units. */
export function neededSubjects(units: readonly WaitingUnit[]): ReadonlySet<string> {
  const subjects = new Set<string>();
  // A patient's units mostly follow each other.
  let last = "";
  const add = (subject: string): void => {
    if (subject !== last) subjects.add(subject);
    last = subject;
  };
  for (const waiting of units) {
    for (const subject of unitSubjects(waiting)) add(subject);
    for (const { sealed, sealFor } of waiting.unit.events) if (sealed && sealFor !== undefined) add(sealFor);
  }
  return subjects;
}

/** First 128 bits of the keyed hash of what decides whether a unit is a resend. */
export function identityHash(hash: KeyedHash, identity: UnitIdentity): Buffer {
  return hash(identity.rule === "EVERY" ? "unit" : "content of resource", identity.parts, 16);
}

/** First 128 bits of the keyed hash of the resource that a `LATEST` identity is about. */
export function resourceHash(hash: KeyedHash, identity: UnitIdentity): Buffer {
  return hash("resource", identity.resource ?? [], 16);
}

/** The unit as one journal record: its sealed bytes, the verdict, and the events made of it. */
export function journalRecord(
  waiting: WaitingUnit,
  keys: ReadonlyMap<string, DataKey>,
  context: RecordContext,
): { record: OutgoingRecord; verdict: Verdict } {
  const { unit, receiptId } = waiting;
  let { verdict }: { verdict: Verdict } = unit;
  let events: readonly JournalledEventInput[] = [];
  if (verdict.accepted) {
    const finished = finishEvents(unit, {
      codec: context.codec,
      connector: context.connector.name,
      receiptId,
      seal: (event, subject, plaintext) => sealEvent(event, keyOf(keys, subject), plaintext),
      eventLimit: context.eventLimit,
    });
    verdict = finished.verdict;
    if ("events" in finished) events = finished.events;
  }
  // A unit that is too large all by itself isn't sealed in full only to find that out.
  let bytes: Uint8Array = unit.bytes;
  let value =
    bytes.length > context.unitLimit ? undefined : encodeEntry(waiting, verdict, events, bytes, keys, context);
  if (value === undefined || value.length > context.unitLimit) {
    if (verdict.accepted) verdict = { accepted: false, code: unitCodes.tooLarge };
    value = bytes.length > context.unitLimit ? undefined : encodeEntry(waiting, verdict, [], bytes, keys, context);
    if (value === undefined || value.length > context.unitLimit) {
      bytes = bytes.subarray(0, truncatedLength);
      value = encodeEntry(waiting, verdict, [], bytes, keys, context);
    }
  }
  return { record: { topic: journalTopic, key: unit.feed, value }, verdict };
}

function encodeEntry(
  waiting: WaitingUnit,
  verdict: Verdict,
  events: readonly JournalledEventInput[],
  bytes: Uint8Array,
  keys: ReadonlyMap<string, DataKey>,
  { codec, connector, hash, contentHash }: RecordContext,
): Buffer {
  const { unit, receiptId, receivedAt } = waiting;
  const chain = unitSubjects(waiting).map((subject) => keyOf(keys, subject));
  const { controlId, identity, closing } = unit;
  const flags = unit.flags ?? [];
  // Only accepted units enter the ledger: a rejected one is judged afresh when it comes again.
  const kept = verdict.accepted ? identity : undefined;
  const entry: JournalEntryInput = {
    entry: unit.entry,
    receiptId,
    receivedAt,
    partner: unit.partner,
    feed: unit.feed,
    connector: connector.name,
    connectorVersion: connector.version,
    format: unit.format,
    accepted: verdict.accepted,
    code: verdict.accepted ? null : verdict.code,
    location: verdict.accepted ? null : (verdict.location ?? null),
    flags: bytes.length < unit.bytes.length ? [...flags, truncatedFlag] : flags,
    answer: unit.answer(verdict),
    controlKey: controlId ? hash("control id", [unit.partner, ...controlId.scope, controlId.value], 16) : null,
    identity: kept ? identityHash(hash, kept) : null,
    resend: kept?.rule ?? "UNKNOWN",
    resource: kept?.rule === "LATEST" ? resourceHash(hash, kept) : null,
    contentHash: contentHash([unit.bytes]),
    size: unit.bytes.length,
    sealedFor: chain,
    sealedUnit: sealUnit(receiptId, chain, { bytes, controlId: controlId?.value ?? null }),
    transport: unit.transport ?? null,
    closing: closing
      ? { entries: closing.entries, units: closing.units, bytes: closing.bytes, sha256: contentHash(closing.content) }
      : null,
    events,
  };
  return codec.encodeEntry(entry);
}

function keyOf(keys: ReadonlyMap<string, DataKey>, subject: string): DataKey {
  const key = keys.get(subject);
  if (!key) throw new RangeError("a subject without a key");
  return key;
}
