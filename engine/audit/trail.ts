import { eventCatalog } from "../../schemas/events.generated.js";
import type { JournalEntry } from "../../schemas/intake/intake.generated.js";
import { decodeEntries } from "../intake/decode-entries.js";
import type { Codec } from "../log/codec.js";
import type { Log } from "../log/log.js";
import { eventsTopic, journalTopic } from "../log/schemas.js";
import type { AnyProjection } from "../projector/definition.js";
import type { Opener } from "../projector/ports.js";
import type { Pool } from "../store/pool.js";
import { keyText } from "../vault/data-key.js";
import { keyOfSealedEvent } from "../vault/sealed-event.js";
import type { Vault } from "../vault/vault.js";
import { deliveriesOf, deliveringNames, type TrailDelivery } from "./deliveries.js";
import { eventIndex, type FindEvents, subjectsWith } from "./event-index.js";
import {
  decisionsAbout,
  decisionsOf,
  type HeldKey,
  heldKeys,
  nothingAbout,
  refusedAmong,
  type TrailDecision,
} from "./held-back.js";
import { type Apart, eventsAboutPatient, type FoundPatient, idsOf, nothingApart } from "./patient-records.js";
import { type KeyLife, type PlacedEvent, placedEvent } from "./placed-event.js";
import { type PlacedRecord, placeName, placesIn, type RecordPlace, readPlaces } from "./read-places.js";
import { type HeldFrom, laneName, type RowChange } from "./row-changes.js";
import { type OpenedUnder, vaultEpoch } from "./still-open.js";
import { strayFrom } from "./stray.js";
import { recordsOfDeliveries } from "./told-deliveries.js";
import { changesByPlace, type ToldChanges } from "./trail-changes.js";
import { inTrailOrder, livesAround, ordered } from "./trail-order.js";
import { type OpeningUnits, type TrailUnit, unitsOf } from "./trail-units.js";

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
  /**
   * In what it is not the event that the entry holds, byte for byte: somebody else than the publisher wrote it into its
   * topic, and no unit vouches for it. Null for what the publisher published.
   */
  readonly stray: string | null;
  /** Which translation of the unit says it: 0 as it was received. */
  readonly generation: number;
  /** Place of the event that a later translation of the unit says instead; null for a fact that stands. */
  readonly supersededBy: string | null;
  /** Read models in which it stands all the same: Postgres refused there what would stand for it. */
  readonly standsIn: readonly string[];
  /** The clear part of the event. */
  readonly event: Readonly<Record<string, unknown>>;
  /** What identifies a person; null when it isn't opened, is erased, or there is none. */
  readonly opened: object | null;
  /** What it changes in rows as they stand: nothing where it is superseded, unless Postgres refused there what did that. */
  readonly changes: readonly RowChange[];
  /** Read models that hold the key back from this event on. */
  readonly parked: readonly string[];
}

export interface Trail {
  readonly subject: { readonly kind: TrailKind; readonly id: string };
  /** All patients concerned: for a patient those of merged records too, and whom events name. */
  readonly patients: readonly string[];
  /**
   * What was once told as the patient's and is another's: records whose merge was undone, patients whose visits were
   * booked on this one or whose claims submitted as this one's, visits that were moved away, and claims that were submitted
   * anew for another. Of them the trail has only that it was so, and nothing opened.
   */
  readonly apart: {
    readonly patients: readonly string[];
    readonly visits: readonly string[];
    readonly claims: readonly string[];
  };
  /**
   * Keys that read models hold back, each from a place on: rows say nothing of what is there and after it, until an
   * operator decides (`tributary parked`).
   */
  readonly held: readonly {
    readonly projection: string;
    /** `topic/partition/offset` of the first that is held back. */
    readonly place: string;
    readonly key: string;
    readonly code: string;
    readonly reason: string;
  }[];
  /**
   * What operators decided about events of these keys, and stands: what skipped one shows nothing of it. Also about such as
   * nobody can read, which are no events of a trail.
   */
  readonly decisions: readonly TrailDecision[];
  /** How the events were found. */
  readonly by: "timeline" | "log";
  /** In the order in which they were received. */
  readonly units: readonly TrailUnit[];
  /**
   * Of each key in the order in which read models fold it: what a unit translated again says stands in the unit's place,
   * after what it supersedes. Across keys in the order in which their units were recorded.
   */
  readonly events: readonly TrailEvent[];
  /** What was sent to partners of these events, in the order in which it ended. */
  readonly deliveries: readonly TrailDelivery[];
  /** Whether the log was asked for deliveries, too: where it tells of very many, only who asks for it has that read. */
  readonly deliveriesBy: "log and database" | "database";
}

/** A trail with the records that it was made of. */
export interface TrailRecords {
  readonly trail: Trail;
  /** Events and journal entries as the log has them. */
  readonly records: readonly PlacedRecord[];
  /** Under what it was opened: to be asked about before it is handed out. */
  readonly opened: OpenedUnder | undefined;
}

export interface TrailSource {
  readonly log: Pick<Log, "read" | "watermarks">;
  readonly pool: Pool;
  readonly codec: Codec;
  readonly projections: readonly AnyProjection[];
  /** Reads the whole log although there is a timeline. */
  readonly scan?: boolean;
  /** Most records of deliveries that are read in the log; default 20,000 (some tenths of a second), with `scan` all. */
  readonly deliveryRecords?: number;
  /** Given only where the reader may open what is sealed. */
  readonly open?: { readonly vault: Vault; readonly opener: Opener };
}

/** Events of a subject, and for a patient all ids that are merged with it. */
async function placesOf(find: FindEvents, source: TrailSource, kind: TrailKind, id: string): Promise<FoundPatient> {
  const nobody = { patients: new Set<string>(), apart: nothingApart };
  if (kind === "visit") return { ...nobody, places: await find(subjectsWith({ visits: new Set([id]) })) };
  if (kind === "patient") return eventsAboutPatient(find, source, id);
  const places = await find(subjectsWith({ claims: new Set([id]) }));
  const remittances = idsOf(places, ({ remittanceId }) => remittanceId);
  if (remittances.size > 0) places.push(...(await find(subjectsWith({ remittances }))));
  return { ...nobody, places };
}

/** All ids of a patient over merges, and the events about it, its visits and claims. */
export async function eventsOfPatient(
  source: TrailSource,
  id: string,
): Promise<{
  readonly patients: ReadonlySet<string>;
  readonly records: readonly PlacedRecord[];
  /** Whether anything tells of the patient, also where all of it is another's. */
  readonly isKnown: boolean;
}> {
  const { log, codec, scan } = source;
  const decided = await decisionsOf(log, codec, [timeline]);
  const { find } = await eventIndex(source, { scan, decisions: decided.get(timeline) });
  const { patients, places, apart } = await placesOf(find, source, "patient", id);
  // What a later translation superseded was known, and may have been given away, until then.
  const records = (await livesTold(source, places)).flatMap(({ all }) => all);
  const isKnown = places.length > 0 || !isNothing(apart);
  return { patients, records: records.filter((event) => isTold(event, apart)), isKnown };
}

async function deliveriesTold(
  { log, codec, pool, scan, deliveryRecords = scan ? Number.POSITIVE_INFINITY : 20_000 }: TrailSource,
  events: readonly RecordPlace[],
): Promise<Pick<Trail, "deliveries" | "deliveriesBy">> {
  const asksLog = (await recordsOfDeliveries(log)) <= deliveryRecords;
  return {
    deliveries: await deliveriesOf({ log, codec, pool }, events, asksLog),
    deliveriesBy: asksLog ? "log and database" : "database",
  };
}

const isNothing = ({ visits, claims }: Apart): boolean => visits.size === 0 && claims.size === 0;

/** The events at some places by key, with those that they supersede. */
async function livesTold({ log, codec }: TrailSource, places: readonly RecordPlace[]): Promise<readonly KeyLife[]> {
  const about: PlacedEvent[] = [];
  for (const record of await readPlaces(log, places)) about.push(await placedEvent(codec, record));
  return livesAround({ log, codec }, about);
}

/** Of a visit that is another's only that it was moved is told. */
const isTold = ({ record, type, topic }: PlacedEvent, apart: Apart): boolean =>
  topic !== eventsTopic("visit") || type === "VisitMoved" || !apart.visits.has(record.key);

/** Whether what is sealed in an event is of somebody who is no longer among a patient's records. */
function isApart({ event }: PlacedEvent, apart: ReadonlySet<string>): boolean {
  const owner = event.sealed ? keyOfSealedEvent(event.sealed).subject : undefined;
  return [owner, event.patientId].some((id) => apart.has(String(id)));
}

async function openedOf(
  events: readonly PlacedEvent[],
  opener: Opener | undefined,
  { apart, under }: Pick<OpeningUnits, "apart" | "under">,
): Promise<ReadonlyMap<PlacedEvent, object>> {
  const sealed = events.filter(
    (placed) => placed.event.sealed && eventCatalog[placed.type].sealed !== null && !isApart(placed, apart),
  );
  if (!opener || sealed.length === 0) return new Map();
  for (const { event } of sealed) under.add(keyText(keyOfSealedEvent(event.sealed as Buffer)));
  const opened = await opener.open(
    sealed.map(({ type, event }) => ({ type, eventId: event.meta.id, sealed: event.sealed as Buffer })),
  );
  return new Map(sealed.flatMap((event, index) => (opened[index] ? [[event, opened[index]] as const] : [])));
}

/** Places in the journal of the entry that brought an event, and of the unit as it was received. */
const journalPlaces = ({ position, origin }: PlacedEvent) =>
  [position, origin ?? position].map(({ partition, offset }) => ({ topic: journalTopic, partition, offset }));
/** The read model that finds events. */
const timeline = "timeline";

/** Where a read model holds the keys of some events, by lane. */
function heldFrom(held: readonly HeldKey[], projection: string, events: readonly PlacedEvent[]): Map<string, HeldFrom> {
  const told = new Set(events.map(placeName));
  return new Map(
    held
      .filter((one) => one.projection === projection)
      .map(({ topic, partition, key, offset }) => [
        laneName(topic, partition, key),
        { offset: Number(offset), isTold: told.has(placeName({ topic, partition, offset: Number(offset) })) },
      ]),
  );
}

const nothing: ToldChanges = { changes: [], parked: [], standsIn: [] };

/**
 * Everything that happened to a claim, a visit or a patient: units as received, events, what they changed. Whom an event is
 * about is decided by those that stand; of their keys those superseded are told, too.
 * @throws TRIB_CLI_NOT_FOUND when the log has no event about it that can be read; names the keys that are held back.
 */
export async function trailOf(source: TrailSource, kind: TrailKind, id: string): Promise<TrailRecords> {
  const { log, pool, codec, projections, scan, open } = source;
  const keepers = [timeline, ...projections.map(({ name }) => name), ...(await deliveringNames(pool))];
  const decided = await decisionsOf(log, codec, keepers);
  const { find, by } = await eventIndex(source, { scan, decisions: decided.get(timeline) });
  const { places, patients: found, apart } = await placesOf(find, source, kind, id);
  const patients = new Set(found);
  // Who is named by what is another's alone has a trail that says so.
  if (places.length === 0 && isNothing(apart)) throw await nothingAbout(pool, kind, id);
  const lives = await livesTold(source, places);
  const told = (life: KeyLife) => ordered(life).filter(({ event }) => isTold(event, apart));
  const events = lives.flatMap(told).map(({ event }) => event);
  // Of events that somebody appended past the journal, no unit tells.
  const journal = await readPlaces(log, await placesIn(log, journalTopic, events.flatMap(journalPlaces)));
  const takenAt = new Map(journal.map((placed) => [placeName(placed), placed.record.timestamp]));
  const decoded = await decodeEntries(
    codec,
    journal.map(({ record }) => record),
  );
  const entries = new Map(
    journal.map((placed, index) => {
      return [placeName(placed), { entry: decoded[index] as JournalEntry, timestamp: placed.record.timestamp }];
    }),
  );
  const under = { epoch: open ? await vaultEpoch(pool) : 0, keys: new Set<string>() };
  const opening = { apart: apart.patients, under: under.keys };
  const opened = await openedOf(events, open?.opener, opening);

  const held = await heldKeys(pool, events);
  const toldAt = (event: PlacedEvent) =>
    event.origin ? (takenAt.get(placeName({ topic: journalTopic, ...event.origin })) ?? 0) : event.position.recordedAt;
  const inOrder = (all: readonly KeyLife[]) => inTrailOrder(all.map(told), toldAt);
  const changes = changesByPlace({
    projections,
    showsRestricted: open !== undefined,
    handling: (name) => ({ decisions: decided.get(name), held: heldFrom(held, name, events) }),
    lives,
    refused: await refusedAmong(pool, events),
    inOrder,
    inputOf: (placed) => {
      const { topic, partition, offset, record, type, event, position } = placed;
      // Of a visit that is another's not enough is told to say what it changed.
      if (apart.visits.has(record.key)) return undefined;
      const sealed = opened.get(placed) ?? null;
      return { type, key: record.key, event, sealed, position, source: { topic, partition, offset } };
    },
  });
  const shown = inOrder(lives).map(({ event: placed, supersededBy }): TrailEvent => {
    const { record, type, event, position, origin } = placed;
    const { sealed: _sealed, ...clear } = event;
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
      stray: strayFrom(placed, position, entries.get(placeName({ topic: journalTopic, ...position }))),
      generation: origin?.generation ?? 0,
      supersededBy: supersededBy ? placeName(supersededBy) : null,
      event: clear,
      opened: opened.get(placed) ?? null,
      ...(changes.get(placeName(placed)) ?? nothing),
    };
  });
  for (const { patientId } of places) if (patientId) patients.add(patientId);
  return {
    trail: {
      subject: { kind, id },
      patients: [...patients].sort(),
      apart: {
        patients: [...apart.patients].sort(),
        visits: [...apart.visits].sort(),
        claims: [...apart.claims].sort(),
      },
      held: held.map(({ projection, topic, partition, offset, key, code, reason }) => {
        return { projection, place: placeName({ topic, partition, offset: Number(offset) }), key, code, reason };
      }),
      decisions: decisionsAbout(decided, events),
      by,
      units: await unitsOf(codec, journal, open && { ...opening, vault: open.vault }),
      events: shown,
      ...(await deliveriesTold(source, events)),
    },
    records: [...events, ...journal],
    opened: open && under,
  };
}
