import { setTimeout as pause } from "node:timers/promises";
import { listBuilds } from "../../engine/projector/build.js";
import { type Vector, vectorOf } from "../../engine/projector/vector.js";
import { type Child, partitionsOf, type Start, startChild } from "./child.js";
import { Meter, type Spent } from "./meter.js";
import type { Place } from "./place.js";

/** A catch-up as measured. Rates in events a second. */
export interface CatchUp extends Spent {
  readonly events: number;
  /** From the first rows seen to the last; undefined when these were all. */
  readonly rate: number | undefined;
  /** From the start of the processes to the last row. */
  readonly rateFromStart: number;
  /** While every process had its partitions; undefined when the work was done before. */
  readonly rateTogether: number | undefined;
}

const patienceMilliseconds = 90_000;

/** Events that the builds of projections have handled, by their checkpoints: these are committed with the rows. */
export async function handled(place: Place, projections: readonly string[]): Promise<number> {
  const { rows } = await place.pool.query<{ events: string }>(
    "SELECT coalesce(sum(next_offset), 0) AS events FROM engine.checkpoints WHERE projection = ANY ($1)",
    [projections],
  );
  return Number(rows[0]?.events);
}

/** Schema of a projection's only build. */
export async function schemaOf(place: Place, projection: string): Promise<string> {
  const [build] = await listBuilds(place.pool, projection);
  if (!build) throw new Error(`projection ${projection} has no build`);
  return build.schema;
}

/** Records in topics by now. */
export async function recordsIn(place: Place, topics: readonly string[]): Promise<number> {
  let sum = 0;
  for (const topic of topics) for (const { high } of await place.log.watermarks(topic)) sum += high;
  return sum;
}

/** First progress that was seen, and the end. */
interface Progress {
  /** As `performance.now()` gives it. */
  readonly first: number;
  /** Handled by then. */
  readonly reached: number;
  readonly last: number;
}

/** Waits until projections have handled so many records. */
export async function untilHandled(
  place: Place,
  wanted: { readonly projections: readonly string[]; readonly records: number; readonly from: number },
  children: readonly Child[],
  onLook: (reached: number) => unknown = () => {},
): Promise<Progress> {
  let first: { readonly first: number; readonly reached: number } | undefined;
  let reached = wanted.from;
  let moved = performance.now();
  for (;;) {
    for (const child of children) child.assertAlive();
    const now = await handled(place, wanted.projections);
    const at = performance.now();
    if (now > reached) moved = at;
    if (now > wanted.from) first ??= { first: at, reached: now };
    reached = now;
    const isEnough = now >= wanted.records || (await onLook(now)) === false;
    if (isEnough) return { ...(first ?? { first: at, reached: now }), last: at };
    if (at - moved > patienceMilliseconds) {
      throw new Error(`No progress for ${patienceMilliseconds / 1000} s at ${now} of ${wanted.records} records.`);
    }
    await pause(20);
  }
}

/** Starts processes of one consumer on a log that is there, measures until all of it is applied, and stops them. */
export async function catchUp(
  place: Place,
  start: Start,
  wanted: { readonly projections: readonly string[]; readonly topics: readonly string[] },
  processes = 1,
): Promise<CatchUp> {
  const { projections } = wanted;
  const records = (await recordsIn(place, wanted.topics)) * projections.length;
  const from = await handled(place, projections);
  await place.pool.query("CHECKPOINT");
  const children: Child[] = [];
  const meter = new Meter(place, () => children.map(({ pid }) => pid));
  await meter.start();
  const began = performance.now();
  for (let count = 0; count < processes; count++) children.push(startChild(place, start));
  let together: { readonly at: number; readonly events: number } | undefined;
  let looked = 0;
  try {
    const { first, last, reached } = await untilHandled(
      place,
      { projections, records, from },
      children,
      async (now) => {
        if (performance.now() - looked < 100) return;
        looked = performance.now();
        meter.look();
        if (together) return;
        const assigned = [...(await partitionsOf(place, children)).values()];
        const each = assigned.length === processes && assigned.every((count) => count > 0);
        if (each) together = { at: performance.now(), events: now };
      },
    );
    const spent = await meter.stop();
    const events = (records - from) / projections.length;
    return {
      ...spent,
      events,
      rate: last > first ? (records - reached) / projections.length / ((last - first) / 1000) : undefined,
      rateFromStart: events / ((last - began) / 1000),
      rateTogether: together && (records - together.events) / projections.length / ((last - together.at) / 1000),
    };
  } finally {
    await Promise.all(children.map((child) => child.stop()));
  }
}

/** The checkpoints of a projection's only build. */
export async function checkpointsOf(place: Place, projection: string): Promise<Vector> {
  const [build] = await listBuilds(place.pool, projection);
  return build ? vectorOf(place.pool, build) : {};
}
