import { eventCatalog } from "../../schemas/events.generated.js";
import type { Codec } from "../log/codec.js";
import type { Log } from "../log/log.js";
import { journalTopic } from "../log/schemas.js";
import type { AnyProjection } from "../projector/definition.js";
import type { Opener } from "../projector/ports.js";
import { TributaryError } from "../service/errors.js";
import type { Pool } from "../store/pool.js";
import type { Vault } from "../vault/vault.js";
import { decodeWith } from "./decode.js";
import { type EventPlace, eventIndex, type FindEvents, subjectsWith } from "./event-index.js";
import { type PlacedEvent, placedEvent } from "./placed-event.js";
import { type PlacedRecord, placeName, readPlaces } from "./read-places.js";
import { ChangeTeller, type FoldedChanges, type RowChange } from "./row-changes.js";
import { inTrailOrder, livesAround, ordered } from "./trail-order.js";
import { type TrailUnit, unitsOf } from "./trail-units.js";

export const trailKinds = ["claim", "visit", "patient"] as const;
export type TrailKind = (typeof trailKinds)[number];

/** An event with all that hangs on it. Instants are epoch milliseconds, money is in cents. */
export interface TrailEvent {
  /** `topic/partition/offset`. */
  readonly place: string;
  readonly type: string;
  readonly eventId: string;
  readonly key: string;
  readonly partner: string;
  /** By the message's own time. */
  readonly occurredAt: number;
  readonly recordedAt: number;
  /** Place in the journal of the unit as it was received, `partition/offset`. */
  readonly unit: string;
  /** Place of the entry that brought it: another than the unit's where that was translated again. */
  readonly entry: string;
  /** Which translation of the unit says it: 0 as it was received. */
  readonly generation: number;
  /** Place of the event that a later translation of the unit says instead; null for a fact that stands. */
  readonly supersededBy: string | null;
  /** The clear part of the event. */
  readonly event: Readonly<Record<string, unknown>>;
  /** What identifies a person; null when it isn't opened, is erased, or there is none. */
  readonly opened: object | null;
  /** What it changes in rows as they stand; nothing where it is superseded. */
  readonly changes: readonly RowChange[];
  /** Read models that hold the key back from this event on. */
  readonly parked: readonly string[];
}

export interface Trail {
  readonly subject: { readonly kind: TrailKind; readonly id: string };
  /** All patients concerned: for a patient those of merged records too. */
  readonly patients: readonly string[];
  /** How the events were found. */
  readonly by: "timeline" | "log";
  /** In the order in which they were received. */
  readonly units: readonly TrailUnit[];
  /**
   * Of each key in the order in which read models fold it: what a unit translated again says stands in the unit's place,
   * after what it supersedes. Across keys in the order in which their units were recorded.
   */
  readonly events: readonly TrailEvent[];
  /** Deliveries to partners. */
  readonly deliveries: readonly never[];
}

/** A trail with the records that it was made of. */
export interface TrailRecords {
  readonly trail: Trail;
  /** Events and journal entries as the log has them. */
  readonly records: readonly PlacedRecord[];
}

export interface TrailSource {
  readonly log: Pick<Log, "read" | "watermarks">;
  readonly pool: Pool;
  readonly codec: Codec;
  readonly projections: readonly AnyProjection[];
  /** Reads the whole log although there is a timeline. */
  readonly scan?: boolean;
  /** Given only where the reader may open what is sealed. */
  readonly open?: { readonly vault: Vault; readonly opener: Opener };
}

/** Events of a subject, and for a patient all ids that were merged with it. */
async function placesOf(find: FindEvents, source: TrailSource, kind: TrailKind, id: string) {
  const ids = (places: readonly EventPlace[], pick: (place: EventPlace) => string | null) =>
    new Set(places.flatMap((place) => pick(place) ?? []));
  if (kind === "visit")
    return { places: await find(subjectsWith({ visits: new Set([id]) })), patients: new Set<string>() };
  if (kind === "claim") {
    const places = await find(subjectsWith({ claims: new Set([id]) }));
    const remittances = ids(places, ({ remittanceId }) => remittanceId);
    if (remittances.size > 0) places.push(...(await find(subjectsWith({ remittances }))));
    return { places, patients: new Set<string>() };
  }
  const { patients, named } = await closure(find, source, id);
  const visits = ids(named, ({ visitId }) => visitId);
  const claims = ids(named, ({ claimId }) => claimId);
  return { places: await find(subjectsWith({ patients, visits, claims })), patients };
}

/** A patient and all whose records were merged with its own, whichever way, and the events that name any of them. */
async function closure(find: FindEvents, source: TrailSource, id: string) {
  let patients = new Set([id]);
  for (;;) {
    const named = await find(subjectsWith({ patients }));
    const merged = new Set([...patients, ...(await mergedWith(source, named))]);
    if (merged.size === patients.size) return { patients, named };
    patients = merged;
  }
}

/** All ids of a patient over merges, and the events about it, its visits and claims. */
export async function eventsOfPatient(
  source: TrailSource,
  id: string,
): Promise<{ readonly patients: ReadonlySet<string>; readonly records: readonly PlacedRecord[] }> {
  const { find } = await eventIndex(source, source.scan);
  const { patients, places } = await placesOf(find, source, "patient", id);
  return { patients, records: await readPlaces(source.log, places) };
}

/** Both sides of the merges among some events. */
async function mergedWith({ log, codec }: TrailSource, places: readonly EventPlace[]): Promise<string[]> {
  const merges = places.filter(({ type }) => type === "PatientsMerged");
  const found: string[] = [];
  for (const { record } of await readPlaces(log, merges)) {
    const decoded = await decodeWith(codec, record.value ?? Buffer.alloc(0));
    if (decoded.type !== "PatientsMerged") continue;
    found.push(decoded.event.survivingPatientId, decoded.event.retiredPatientId);
  }
  return found;
}

async function openedOf(
  events: readonly PlacedEvent[],
  opener: Opener | undefined,
): Promise<ReadonlyMap<PlacedEvent, object>> {
  const sealed = events.filter(({ event, type }) => event.sealed && eventCatalog[type].sealed !== null);
  if (!opener || sealed.length === 0) return new Map();
  const opened = await opener.open(
    sealed.map(({ type, event }) => ({ type, eventId: event.meta.id, sealed: event.sealed as Buffer })),
  );
  return new Map(sealed.flatMap((event, index) => (opened[index] ? [[event, opened[index]] as const] : [])));
}

/** Places in the journal of the entry that brought an event, and of the unit as it was received. */
const journalPlaces = ({ position, origin }: PlacedEvent) =>
  [position, origin ?? position].map(({ partition, offset }) => ({ topic: journalTopic, partition, offset }));
const nothing: FoldedChanges = { changes: [], parked: [] };

/**
 * Everything that happened to a claim, a visit or a patient: units as received, events, what they changed. Whom an event is
 * about is decided by those that stand; of their keys those superseded are told, too.
 * @throws TRIB_CLI_NOT_FOUND when the log has no event about it.
 */
export async function trailOf(source: TrailSource, kind: TrailKind, id: string): Promise<TrailRecords> {
  const { log, codec, projections, open } = source;
  const { find, by } = await eventIndex(source, source.scan);
  const { places, patients } = await placesOf(find, source, kind, id);
  if (places.length === 0) throw new TributaryError("TRIB_CLI_NOT_FOUND", `The log has no event about ${kind} ${id}.`);
  const found: PlacedEvent[] = [];
  for (const record of await readPlaces(log, places)) found.push(await placedEvent(codec, record));
  const keys = (await livesAround(source, found)).map(ordered);
  const events = keys.flat().map(({ event }) => event);
  const journal = await readPlaces(log, events.flatMap(journalPlaces));
  const takenAt = new Map(journal.map((placed) => [placeName(placed), placed.record.timestamp]));
  const opened = await openedOf(events, open?.opener);

  const teller = new ChangeTeller(projections, open !== undefined);
  const toldAt = (event: PlacedEvent) =>
    event.origin ? (takenAt.get(placeName({ topic: journalTopic, ...event.origin })) ?? 0) : event.position.recordedAt;
  const told = inTrailOrder(keys, toldAt).map(({ event: placed, supersededBy }): TrailEvent => {
    const { topic, partition, offset, record, type, event, position, origin } = placed;
    const { sealed: _sealed, ...clear } = event;
    const content = opened.get(placed) ?? null;
    const input = { type, key: record.key, event, sealed: content, position, source: { topic, partition, offset } };
    const unit = origin ?? position;
    return {
      place: placeName(placed),
      type,
      eventId: event.meta.id,
      key: record.key,
      partner: event.meta.source,
      occurredAt: event.meta.time,
      recordedAt: position.recordedAt,
      unit: `${unit.partition}/${unit.offset}`,
      entry: `${position.partition}/${position.offset}`,
      generation: origin?.generation ?? 0,
      supersededBy: supersededBy ? placeName(supersededBy) : null,
      event: clear,
      opened: content,
      ...(supersededBy ? nothing : teller.apply(input)),
    };
  });
  for (const { patientId } of places) if (patientId) patients.add(patientId);
  return {
    trail: {
      subject: { kind, id },
      patients: [...patients].sort(),
      by,
      units: await unitsOf(codec, journal, open?.vault),
      events: told,
      deliveries: [],
    },
    records: [...events, ...journal],
  };
}
