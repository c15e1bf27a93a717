import type { Codec } from "../log/codec.js";
import type { IncomingRecord, Log } from "../log/log.js";
import { auditTopic, eventsTopic } from "../log/schemas.js";
import { auditDecisions } from "../projector/audit-decisions.js";
import type { Build } from "../projector/build.js";
import { storableText } from "../projector/checkpoint.js";
import { Decisions, type Verdict } from "../projector/decisions.js";
import { type ParkReason, writeRefused } from "../projector/park-reason.js";
import { refusalsOf } from "../projector/refusals.js";
import { TributaryError } from "../service/errors.js";
import type { Pool } from "../store/pool.js";
import { type PlacedRecord, placeName, type RecordPlace } from "./read-places.js";

/** A key that a read model holds back, from one of its events on. */
export interface HeldKey {
  readonly projection: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly key: string;
  /** Stable code and reason, without values. */
  readonly code: string;
  readonly reason: string;
}

const columns = `held.projection, held.topic, held.partition, held.log_offset AS "offset", held.key, held.code, held.reason
  FROM engine.parked_keys AS held JOIN engine.builds USING (projection, build)
  WHERE engine.builds.state = 'current' AND held.state <> 'done'`;

/** What one build made nothing of, although its fold might. */
export interface NotApplied {
  /** What Postgres refused in the build, by offset: it changed nothing there, whatever a fold says. */
  readonly refused: (topic: string, partition: number) => Promise<ReadonlyMap<number, ParkReason>>;
  /** By key, those that the build holds back: from where on, and why. */
  readonly held: ReadonlyMap<string, { readonly place: string; readonly code: string }>;
}

/** @param of the build, for instance that of an as-of. */
export async function notAppliedIn(pool: Pool, of: Pick<Build, "projection" | "build">): Promise<NotApplied> {
  return { held: await heldIn(pool, of), refused: (topic, partition) => refusalsOf(pool, of, topic, partition) };
}

async function heldIn(pool: Pool, { projection, build }: Pick<Build, "projection" | "build">) {
  const { rows } = await pool.query<RecordPlace & { key: string; code: string }>(
    `SELECT topic, partition, log_offset AS "offset", key, code FROM engine.parked_keys
     WHERE projection = $1 AND build = $2 AND state <> 'done'`,
    [projection, build],
  );
  return new Map(rows.map(({ key, code, ...place }) => [key, { place: placeName(place), code }] as const));
}

/** Which of some keys the read models hold back as they are now. */
export async function heldKeys(
  pool: Pool,
  records: readonly { readonly topic: string; readonly record: { readonly key: string } }[],
): Promise<readonly HeldKey[]> {
  const lanes = new Set(records.map(({ topic, record }) => `${topic}/${storableText(record.key)}`));
  const { rows } = await pool.query<HeldKey>(
    `SELECT ${columns} AND held.key = ANY ($1) ORDER BY held.projection, held.topic, held.partition, held.log_offset`,
    [[...new Set(records.map(({ record }) => storableText(record.key)))]],
  );
  return rows.filter(({ topic, key }) => lanes.has(`${topic}/${key}`));
}

/** Events of some keys that Postgres refused in the read models as they are now: places, by read model. */
export async function refusedAmong(
  pool: Pool,
  records: readonly PlacedRecord[],
): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const { rows } = await pool.query<RecordPlace & { projection: string }>(
    `SELECT projection, topic, partition, log_offset AS "offset"
     FROM engine.parked_keys AS parked JOIN engine.builds AS builds USING (projection, build)
     WHERE builds.state = 'current' AND parked.code = $1 AND NOT parked.mended AND parked.key = ANY ($2)`,
    [writeRefused, [...new Set(records.map(({ record }) => storableText(record.key)))]],
  );
  const found = new Map<string, Set<string>>();
  for (const { projection, ...place } of rows) {
    const places = found.get(projection) ?? new Set();
    found.set(projection, places.add(placeName(place)));
  }
  return found;
}

/**
 * That the log has no event about an entity. Where its key is held back there is one, which nobody can read: the error says
 * where, and how to look at it.
 * @param kind `patient`, `visit` or `claim`.
 */
export async function nothingAbout(
  pool: Pool,
  kind: Parameters<typeof eventsTopic>[0],
  id: string,
): Promise<TributaryError> {
  const held = await heldKeys(pool, [{ topic: eventsTopic(kind), record: { key: id } }]);
  const places = held.map(
    ({ projection, topic, partition, offset, code }) =>
      ` ${projection} holds the key back from ${topic}/${partition}/${offset} on (${code}): \`tributary parked show ${projection} ${topic}/${partition}/${offset}\`.`,
  );
  const which = places.length > 0 ? " that can be read" : "";
  return new TributaryError(
    "TRIB_CLI_NOT_FOUND",
    `The log has no event about ${kind} ${id}${which}.${places.join("")}`,
  );
}

/** What an operator decided about an event, for one read model or one delivering consumer. */
export interface TrailDecision {
  /** Name of the read model, or of the consumer that delivers. */
  readonly projection: string;
  /** `topic/partition/offset` of the event. */
  readonly place: string;
  readonly key: string;
  /** skip: it is never applied, or delivered. park: its key is held back from it on. */
  readonly action: Verdict;
  readonly by: string;
  /** Epoch milliseconds. */
  readonly at: number;
  readonly reason: string | null;
}

/**
 * What was decided about some events, and about others of their keys.
 * @param decided loaded, by name.
 */
export function decisionsAbout(
  decided: ReadonlyMap<string, Decisions>,
  events: readonly PlacedRecord[],
): readonly TrailDecision[] {
  const places = new Set(events.map(placeName));
  const keys = new Set(events.map(({ topic, record }) => `${topic}/${storableText(record.key)}`));
  return [...decided].flatMap(([projection, decisions]) =>
    decisions
      .all()
      .map(({ topic, partition, offset, key, action, actor, time, reason }) => {
        const place = placeName({ topic, partition, offset });
        return { topic, projection, place, key: key ?? "", action, by: actor, at: time, reason };
      })
      .filter(({ topic, place, key }) => places.has(place) || keys.has(`${topic}/${storableText(key)}`))
      .map(({ topic: _, ...decision }) => decision),
  );
}

/** All keys that a read model holds back. */
export async function heldKeysOf(pool: Pool, projection: string): Promise<readonly HeldKey[]> {
  const { rows } = await pool.query<HeldKey>(`SELECT ${columns} AND held.projection = $1`, [projection]);
  return rows;
}

/** What operators decided about events of some read models or delivering consumers, by name, loaded. The audit topic is read once for all of them. */
export async function decisionsOf(
  log: Pick<Log, "read" | "watermarks">,
  codec: Codec,
  projections: Iterable<string>,
): Promise<ReadonlyMap<string, Decisions>> {
  const names = new Set(projections);
  const marks = await log.watermarks(auditTopic);
  const kept = new Map<number, IncomingRecord[]>();
  await Promise.all(
    marks.map(async ({ partition, low, high }) => {
      const found: IncomingRecord[] = [];
      for await (const records of log.read(auditTopic, partition, low, high)) {
        for (const record of records) {
          if (names.has(record.key)) found.push(record);
        }
      }
      kept.set(partition, found);
    }),
  );
  const read: Log["read"] = async function* (_topic, partition) {
    yield kept.get(partition) ?? [];
  };
  const producer = () => Promise.reject(new RangeError("nothing is decided by who tells of it"));
  const decisionLog = auditDecisions({ read, watermarks: async () => marks, producer }, codec);
  const all = new Map([...names].map((name) => [name, new Decisions(decisionLog, name)]));
  for (const decisions of all.values()) await decisions.load();
  return all;
}
