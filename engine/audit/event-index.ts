import type { EventType } from "../../schemas/events.generated.js";
import { decodeEntries } from "../intake/decode-entries.js";
import type { Codec } from "../log/codec.js";
import type { IncomingRecord, Log } from "../log/log.js";
import { parsePosition, positionHeader } from "../log/position.js";
import { entities, entityOfTopic, eventsTopic, journalTopic } from "../log/schemas.js";
import { storableText } from "../projector/checkpoint.js";
import type { Decisions } from "../projector/decisions.js";
import { Positions } from "../projector/positions.js";
import { TributaryError } from "../service/errors.js";
import type { Pool } from "../store/pool.js";
import { decodeWith } from "./decode.js";
import { heldKeysOf } from "./held-back.js";
import { livesOf, undecodable } from "./placed-event.js";
import type { PlacedRecord, RecordPlace } from "./read-places.js";

/** Surrogate ids by what they name. */
export interface Subjects {
  readonly patients: ReadonlySet<string>;
  readonly visits: ReadonlySet<string>;
  readonly claims: ReadonlySet<string>;
  readonly remittances: ReadonlySet<string>;
}

/** Where an event is, and whom it is about. */
export interface EventPlace {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** Null where it wasn't looked at. */
  readonly eventId: string | null;
  readonly type: string;
  readonly patientId: string | null;
  readonly visitId: string | null;
  readonly claimId: string | null;
  readonly remittanceId: string | null;
}

/** Finds the events about any of the subjects, once each. */
export type FindEvents = (subjects: Subjects) => Promise<EventPlace[]>;

/** The timeline as it is. */
interface Timeline {
  /** Next offset that it has not seen, by topic and partition. */
  readonly vector: ReadonlyMap<string, number>;
  /** From which version on it has an index on remittances. */
  readonly findsRemittances: boolean;
}

/** First version of the timeline with an index on remittances. */
const remittanceVersion = 2;

/** @returns undefined without a current build. */
async function timelineOf(pool: Pool): Promise<Timeline | undefined> {
  const { rows } = await pool.query<{ version: number; topic: string | null; partition: number; next: number }>(
    `SELECT version, topic, partition, next_offset AS next
     FROM engine.builds LEFT JOIN engine.checkpoints USING (projection, build)
     WHERE projection = 'timeline' AND state = 'current'`,
  );
  const [first] = rows;
  return (
    first && {
      findsRemittances: first.version >= remittanceVersion,
      vector: new Map(
        rows.flatMap(({ topic, partition, next }) => (topic === null ? [] : [[`${topic}/${partition}`, next]])),
      ),
    }
  );
}

const list = (ids: ReadonlySet<string>): string[] => [...ids];

/** Events of some patients ($1), visits ($2) and claims ($3): each list has an index. */
export const eventsOfSubjects = `SELECT topic, partition, "offset", event_id AS "eventId", event_type AS type,
    patient_id AS "patientId", visit_id AS "visitId", claim_id AS "claimId", remittance_id AS "remittanceId"
  FROM projections.timeline
  WHERE patient_id = ANY ($1::uuid[]) OR visit_id = ANY ($2::uuid[]) OR claim_id = ANY ($3::uuid[])`;

/** Events of some remittances ($1) themselves: one may be told several times. */
const eventsOfRemittances = `SELECT topic, partition, "offset", event_id AS "eventId", event_type AS type,
    NULL AS "patientId", NULL AS "visitId", NULL AS "claimId", remittance_id AS "remittanceId"
  FROM projections.timeline WHERE remittance_id = ANY ($1::uuid[]) AND event_type = 'RemittanceReceived'`;

async function inTimeline(
  pool: Pool,
  { patients, visits, claims, remittances }: Subjects,
  { findsRemittances }: Timeline,
): Promise<EventPlace[]> {
  const { rows } = await pool.query<EventPlace>(eventsOfSubjects, [list(patients), list(visits), list(claims)]);
  if (remittances.size === 0) return rows;
  if (!findsRemittances) return [...rows, ...(await remittanceEvents(pool, remittances))];
  return [...rows, ...(await pool.query<EventPlace>(eventsOfRemittances, [list(remittances)])).rows];
}

/** Postgres has no such view: no build of the read model is there yet. */
const missingView = "42P01";

/**
 * A timeline of a version before has no index on remittances; their own table says where each one's last event is, as far as
 * it has come.
 */
async function remittanceEvents(pool: Pool, remittances: ReadonlySet<string>): Promise<EventPlace[]> {
  const asked = pool.query<EventPlace>(
    `SELECT $2 AS topic, source_partition AS partition, source_offset AS "offset", NULL AS "eventId",
       'RemittanceReceived' AS type, NULL AS "patientId", NULL AS "visitId", NULL AS "claimId",
       remittance_id AS "remittanceId"
     FROM projections.remittances WHERE remittance_id = ANY ($1::uuid[])`,
    [list(remittances), eventsTopic("claim")],
  );
  return asked.then(
    ({ rows }) => rows,
    (error: { readonly code?: unknown }) => {
      if (error.code !== missingView) throw error;
      return [];
    },
  );
}

/**
 * Where an event is, by its id. The timeline has no index on ids: it is read as a whole.
 * @throws TRIB_CLI_NOT_FOUND
 */
export async function placeOfEvent(pool: Pool, eventId: string): Promise<RecordPlace> {
  const isThere = (await timelineOf(pool)) !== undefined;
  const { rows } = isThere
    ? await pool.query<RecordPlace>(
        'SELECT topic, partition, "offset" FROM projections.timeline WHERE event_id = $1 LIMIT 1',
        [eventId],
      )
    : { rows: [] };
  const [place] = rows;
  if (place) return place;
  const why = isThere ? "has no event" : "isn't there to look up the event";
  throw new TributaryError("TRIB_CLI_NOT_FOUND", `The timeline ${why} ${eventId}.`);
}

/** Patients that a record names by their surrogate id, a unit those of its events; none where it is neither. */
export async function patientsOfRecord(codec: Codec, placed: PlacedRecord): Promise<string[]> {
  const { topic, record } = placed;
  if (topic === journalTopic) {
    const found = new Set<string>();
    for (const { topic: of, key, value } of (await decodeEntries(codec, [record]))[0]?.events ?? []) {
      const event = { ...placed, topic: of, record: { ...record, key, value } };
      for (const patient of await patientsOfRecord(codec, event)) found.add(patient);
    }
    return [...found];
  }
  if (!entities.some((entity) => eventsTopic(entity) === topic)) return [];
  const decoded = await decodeWith(codec, record.value ?? Buffer.alloc(0)).catch(undecodable);
  const { patientId = null } = decoded ? subjectsOf(topic, decoded.type, record.key, decoded.event) : {};
  return patientId === null ? [] : [patientId];
}

/** Whom an event is about: as the timeline has it. */
function subjectsOf(topic: string, type: EventType, key: string, event: object) {
  const named = event as {
    readonly patientId?: string | null;
    readonly visitId?: string | null;
    readonly remittanceId?: string | null;
  };
  const entity = entityOfTopic(topic);
  const nobody = { patientId: null, visitId: null, claimId: null };
  if (type === "RemittanceReceived") return { ...nobody, remittanceId: key };
  return {
    patientId: entity === "patient" ? key : (named.patientId ?? null),
    visitId: entity === "visit" ? key : (named.visitId ?? null),
    claimId: entity === "claim" ? key : null,
    remittanceId: named.remittanceId ?? null,
  };
}

/** Whether an event is about one of the subjects. */
const concerns = (
  { patients, visits, claims, remittances }: Subjects,
  { type, patientId, visitId, claimId, remittanceId }: EventPlace,
): boolean =>
  patients.has(patientId ?? "") ||
  visits.has(visitId ?? "") ||
  claims.has(claimId ?? "") ||
  (type === "RemittanceReceived" && remittances.has(remittanceId ?? ""));

/** More ids than these are not looked for in every record's bytes: decoding is quicker then. */
const mostSearched = 40;

/** Whether a record can be about one of the subjects: ids stand as text in the key or in the bytes. Quicker than decoding. */
function mentions({ patients, visits, claims, remittances }: Subjects): (key: string, value: Buffer) => boolean {
  const ids = new Set([...patients, ...visits, ...claims, ...remittances]);
  if (ids.size > mostSearched) return () => true;
  const searched = [...ids].map((id) => Buffer.from(id));
  return (key, value) => ids.has(key) || searched.some((id) => value.includes(id));
}

/** What of the log is read for events. */
interface Stretch {
  /** First offset of a partition, and the one after the last; default where it ends. Undefined: nothing of it. */
  readonly of: (topic: string, partition: number) => { readonly from: number; readonly to?: number } | undefined;
  /** Whether a record may be wanted, by a look at it that costs little. */
  readonly mentions: (topic: string, record: IncomingRecord) => boolean;
  readonly concerns: (place: EventPlace) => boolean;
}

/**
 * Reads what the log has; repetitions of the publisher are left out, and what a unit translated again supersedes, as in
 * the timeline.
 */
async function inLog(
  log: Pick<Log, "read" | "watermarks">,
  codec: Codec,
  { of, mentions: isMentioned, concerns: isWanted }: Stretch,
): Promise<EventPlace[]> {
  const found: EventPlace[] = [];
  for (const topic of entities.map(eventsTopic)) {
    for (const { partition, low, high } of await log.watermarks(topic)) {
      const stretch = of(topic, partition);
      if (!stretch) continue;
      const positions = new Positions(undefined, "{}");
      const keys = new Map<EventPlace, string>();
      const again = new Set<string>();
      const about = new Set<string>();
      const end = Math.min(high, stretch.to ?? high);
      for await (const records of log.read(topic, partition, Math.max(low, stretch.from), end)) {
        for (const record of records) {
          const { offset, key, value } = record;
          // What supersedes a fact may no longer mention whom that was about.
          if (!value || !(about.has(key) || isMentioned(topic, record))) continue;
          const position = parsePosition(record.headers[positionHeader] ?? "");
          if (!position) continue;
          const decoded = await decodeWith(codec, value).catch(undecodable);
          if (!decoded) continue;
          const { type, event } = decoded;
          if (!positions.take(position, event.meta.id)) continue;
          const eventId = event.meta.id;
          const place = { topic, partition, offset, eventId, type, ...subjectsOf(topic, type, key, event) };
          if (event.meta.origin) again.add(key);
          if (!isWanted(place)) continue;
          keys.set(place, key);
          about.add(key);
        }
      }
      const told = new Set([...keys.values()].filter((key) => again.has(key)));
      const lives = told.size > 0 ? await livesOf(log, codec, { topic, partition, keys: told }) : undefined;
      for (const [place, key] of keys) {
        const life = lives?.get(key);
        if (!life || life.standing.some(({ offset }) => offset === place.offset)) found.push(place);
      }
    }
  }
  return found;
}

/** What of the log is about some subjects, from an offset on. */
function aboutThem(subjects: Subjects, from: (topic: string, partition: number) => number): Stretch {
  const isMentioned = mentions(subjects);
  return {
    of: (topic, partition) => ({ from: from(topic, partition) }),
    mentions: (_topic, { key, value }) => isMentioned(key, value ?? Buffer.alloc(0)),
    concerns: (place) => concerns(subjects, place),
  };
}

/**
 * Events that the timeline has passed by and has no row of: those that wait behind one that it can't apply, that one
 * included where it is an event at all, and those that an operator made it skip.
 */
async function passedBy(
  { log, pool, codec }: IndexParts,
  vector: ReadonlyMap<string, number>,
  decisions: Pick<Decisions, "standing"> | undefined,
): Promise<EventPlace[]> {
  const lanes = new Map<string, Map<string, number>>();
  for (const { topic, partition, key, offset } of await heldKeysOf(pool, "timeline")) {
    const name = `${topic}/${partition}`;
    lanes.set(name, (lanes.get(name) ?? new Map()).set(key, Number(offset)));
  }
  const skipped = new Map<string, Set<number>>();
  for (const decided of decisions?.standing() ?? []) {
    const [, lane, offset] = /^(.*)\/(\d+) skip$/.exec(decided) ?? [];
    if (lane) skipped.set(lane, (skipped.get(lane) ?? new Set()).add(Number(offset)));
  }
  const found: EventPlace[] = [];
  for (const lane of new Set([...lanes.keys(), ...skipped.keys()])) {
    const held = lanes.get(lane);
    const skips = skipped.get(lane);
    const isWanted = (key: string, offset: number) =>
      offset >= (held?.get(storableText(key)) ?? Infinity) || (skips?.has(offset) ?? false);
    const from = Math.min(...(held?.values() ?? []), ...(skips ?? []));
    const to = vector.get(lane) ?? 0;
    found.push(
      ...(await inLog(log, codec, {
        of: (topic, partition) => (`${topic}/${partition}` === lane ? { from, to } : undefined),
        mentions: (_topic, { key, offset }) => isWanted(key, offset),
        concerns: () => true,
      })),
    );
  }
  return found;
}

/** Remittances as far as the timeline has come, by reading their topic: their events are on keys of their own. */
const remittancesInLog = (
  log: Pick<Log, "read" | "watermarks">,
  codec: Codec,
  remittances: ReadonlySet<string>,
  vector: ReadonlyMap<string, number>,
): Promise<EventPlace[]> =>
  inLog(log, codec, {
    of: (topic, partition) =>
      topic === eventsTopic("claim") ? { from: 0, to: vector.get(`${topic}/${partition}`) ?? 0 } : undefined,
    mentions: (_topic, { key }) => remittances.has(key),
    concerns: ({ type, remittanceId }) => type === "RemittanceReceived" && remittances.has(remittanceId ?? ""),
  });

interface IndexParts {
  readonly log: Pick<Log, "read" | "watermarks">;
  readonly pool: Pool;
  readonly codec: Codec;
}

/**
 * By the timeline as far as it has come, with what it holds back or was made to skip, and by reading the rest of the log;
 * without a timeline by reading all of it.
 * @param options.scan reads the log in any case.
 * @param options.decisions what operators decided about events of the timeline; default nothing.
 */
export async function eventIndex(
  parts: IndexParts,
  { scan = false, decisions }: { readonly scan?: boolean | undefined; readonly decisions?: Decisions | undefined } = {},
): Promise<{ readonly find: FindEvents; readonly by: "timeline" | "log" }> {
  const { log, pool, codec } = parts;
  const timeline = scan ? undefined : await timelineOf(pool);
  if (!timeline)
    return {
      by: "log",
      find: (subjects) =>
        inLog(
          log,
          codec,
          aboutThem(subjects, () => 0),
        ),
    };
  const { vector, findsRemittances } = timeline;
  const from = (topic: string, partition: number) => vector.get(`${topic}/${partition}`) ?? 0;
  const passed = await passedBy(parts, vector, decisions);
  return {
    by: "timeline",
    async find(subjects) {
      const known = await inTimeline(pool, subjects, timeline);
      // By its own read model: one that this holds back, or has not come to, is in the log all the same.
      const seen = new Set(
        known.map(({ remittanceId, type }) => (type === "RemittanceReceived" ? remittanceId : null)),
      );
      const unseen = new Set(findsRemittances ? [] : [...subjects.remittances].filter((id) => !seen.has(id)));
      if (unseen.size > 0) known.push(...(await remittancesInLog(log, codec, unseen, vector)));
      // What the publisher repeated since is known already.
      const ids = new Set(known.map(({ eventId }) => eventId));
      const waiting = passed.filter((place) => concerns(subjects, place));
      const later = await inLog(log, codec, aboutThem(subjects, from));
      return [...known, ...[...waiting, ...later].filter(({ eventId }) => !ids.has(eventId))];
    },
  };
}

const noone: ReadonlySet<string> = new Set();
export const subjectsWith = (some: Partial<Subjects>): Subjects => ({
  patients: noone,
  visits: noone,
  claims: noone,
  remittances: noone,
  ...some,
});
