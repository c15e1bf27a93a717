import { setTimeout as pause } from "node:timers/promises";
import type { Log } from "../log/log.js";
import { TributaryError } from "../service/errors.js";
import type { Pool } from "../store/pool.js";
import { type Build, listBuilds } from "./build.js";
import type { AnyProjection } from "./definition.js";
import { topicsOfProjections } from "./roles.js";
import { behind, type Vector, vectorOf } from "./vector.js";

export interface AwaitOptions {
  readonly log: Pick<Log, "watermarks">;
  /** As a role that sees all builds. */
  readonly pool: Pool;
  /** All projections whose current builds are awaited. */
  readonly projections: readonly AnyProjection[];
  /** Milliseconds; default 60,000. */
  readonly timeout?: number;
  /** Milliseconds between looks; default 100. */
  readonly interval?: number;
  readonly journalTopic?: string;
}

export interface Awaited {
  /** Keys held back in the current builds: their events count as handled. */
  readonly parkedKeys: number;
}

async function highs(log: Pick<Log, "watermarks">, topic: string): Promise<Vector[string]> {
  return Object.fromEntries((await log.watermarks(topic)).map(({ partition, high }) => [partition, high]));
}

/** The publisher's checkpoints; an entry that only names the journal needs no publishing. */
async function published(pool: Pool, topic: string): Promise<Vector> {
  const { rows } = await pool.query<{ partition: number; next: number }>(
    "SELECT partition, max(next_offset) AS next FROM engine.publisher_checkpoints GROUP BY partition",
  );
  return { [topic]: Object.fromEntries(rows.map(({ partition, next }) => [partition, Number(next)])) };
}

/**
 * Waits until all that was in the log at the call is applied: first the journal by the publisher, then every event by every
 * current build, then the derived tables.
 * @throws TRIB_PROJECT_AWAIT_TIMEOUT naming what is behind; TRIB_PROJECT_BUILD_MISSING.
 */
export async function awaitProjections(options: AwaitOptions): Promise<Awaited> {
  const { log, pool, projections, timeout = 60_000, interval = 100, journalTopic = "health.intake.journal" } = options;
  const deadline = performance.now() + timeout;
  const until = async (what: string, lagging: () => Promise<readonly string[]>) => {
    for (;;) {
      const left = await lagging();
      if (left.length === 0) return;
      if (performance.now() >= deadline) {
        throw new TributaryError(
          "TRIB_PROJECT_AWAIT_TIMEOUT",
          `Not applied in time: ${what}: ${left.slice(0, 5).join(", ")}.`,
        );
      }
      await pause(interval);
    }
  };
  const told = (reached: Vector, wanted: Vector, name: string) =>
    [...behind(reached, wanted)].map(({ topic, partition, missing }) => `${name} ${topic}/${partition} by ${missing}`);

  const journal = await highs(log, journalTopic);
  const entries = Object.fromEntries(Object.entries(journal).filter(([, high]) => high > 1));
  await until("the publisher", async () =>
    told(await published(pool, journalTopic), { [journalTopic]: entries }, "publisher"),
  );

  const wanted = new Map<string, Vector>();
  for (const projection of projections) {
    const vector: Record<string, Vector[string]> = {};
    for (const topic of topicsOfProjections([projection])) vector[topic] = await highs(log, topic);
    wanted.set(projection.name, vector);
  }
  let builds: readonly Build[] = [];
  await until("builds", async () => {
    builds = (await listBuilds(pool)).filter(({ state }) => state === "current");
    return projections.filter(({ name }) => !builds.some((build) => build.projection === name)).map(({ name }) => name);
  });
  const current = builds.filter(({ projection }) => wanted.has(projection));
  await until("read models", async () => {
    const lagging: string[] = [];
    for (const build of current) {
      lagging.push(...told(await vectorOf(pool, build), wanted.get(build.projection) ?? {}, build.projection));
    }
    return lagging;
  });
  const derivedOf = new Map(projections.map(({ name, derived }) => [name, Object.keys(derived ?? {})]));
  await until("derived tables", async () => {
    const lagging: string[] = [];
    for (const build of current) {
      for (const name of derivedOf.get(build.projection) ?? []) {
        const { rows } = await pool.query<{ vector: Vector }>(
          "SELECT vector FROM engine.derived_tables WHERE projection = $1 AND build = $2 AND name = $3",
          [build.projection, build.build, name],
        );
        lagging.push(...told(rows[0]?.vector ?? {}, wanted.get(build.projection) ?? {}, name));
      }
    }
    return lagging;
  });
  const { rows } = await pool.query<{ parked: number }>(
    `SELECT count(*) AS parked FROM engine.parked_keys JOIN engine.builds AS builds USING (projection, build)
     WHERE builds.state = 'current' AND parked_keys.state <> 'done' AND projection = ANY ($1)`,
    [projections.map(({ name }) => name)],
  );
  return { parkedKeys: Number(rows[0]?.parked) };
}
