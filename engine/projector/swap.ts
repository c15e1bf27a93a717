import { setTimeout as pause } from "node:timers/promises";
import { TributaryError } from "../service/errors.js";
import type { Pool } from "../store/pool.js";
import {
  type Build,
  type BuildRow,
  currentBuild,
  hash,
  locked,
  lockMilliseconds,
  retryMilliseconds,
  rowsOf,
} from "./build.js";
import type { AnyProjection } from "./definition.js";
import { failureOf } from "./failure.js";
import { literal, quoted } from "./names.js";
import { dependedOn, putViews } from "./put-views.js";
import { topicsOfProjections } from "./roles.js";
import { viewsOf } from "./views.js";

/** SQLSTATEs of our own: another build is current by now; the next build has not all that readers have seen. */
const changed = "TR001";
const behind = "TR002";

export interface SwapOptions {
  /** Milliseconds in which it is tried again while readers hold the views, or the build is behind; default 30,000. */
  readonly timeout?: number;
}

const raise = (condition: string, code: string) =>
  `DO $swap$ BEGIN IF ${condition} THEN RAISE EXCEPTION USING ERRCODE = '${code}', MESSAGE = 'not now'; END IF; END $swap$`;

const ofBuild = ({ projection, build }: Build, alias: string) =>
  `${alias}.projection = ${literal(projection)} AND ${alias}.build = ${build}`;

/** Whether readers of one build have seen more than the other has, of the topics that this one reads. */
function isBehind(projection: AnyProjection, current: Build, next: Build): string {
  const derived = Object.keys(projection.derived ?? {}).map(literal);
  // A version may read less than the one before, and never gets there in what it does not read.
  const topics = topicsOfProjections([projection]).map(literal).join(", ");
  const checkpoints = `EXISTS (SELECT FROM engine.checkpoints c
    LEFT JOIN engine.checkpoints n ON ${ofBuild(next, "n")} AND n.topic = c.topic AND n.partition = c.partition
    WHERE ${ofBuild(current, "c")} AND c.topic IN (${topics}) AND c.next_offset > coalesce(n.next_offset, 0))`;
  if (derived.length === 0) return checkpoints;
  return `${checkpoints} OR EXISTS (SELECT FROM engine.derived_tables c
    CROSS JOIN json_each(c.vector) t CROSS JOIN json_each_text(t.value) p
    LEFT JOIN engine.derived_tables n ON ${ofBuild(next, "n")} AND n.name = c.name
    WHERE ${ofBuild(current, "c")} AND c.name IN (${derived.join(", ")}) AND t.key IN (${topics})
      AND p.value::bigint > coalesce((n.vector->t.key->>p.key)::bigint, 0))`;
}

/** Whether a build has all that readers of the current one have seen; true when there is none. */
export async function hasAllOf(pool: Pool, projection: AnyProjection, build: Build): Promise<boolean> {
  const current = await currentBuild(pool, projection.name);
  if (!current || current.build === build.build) return true;
  const { rows } = await pool.query<{ behind: boolean }>(`SELECT ${isBehind(projection, current, build)} AS behind`);
  return rows[0]?.behind === false;
}

/** One transaction as one message: a process that is stopped in the midst of it holds no lock that readers wait for. */
function swapText(projection: AnyProjection, current: BuildRow | undefined, next: BuildRow): string {
  const views = viewsOf(projection, next.schema);
  const { names, statements } = views;
  const statementsHash = hash(JSON.stringify(statements));
  const array = `ARRAY[${names.map(literal).join(", ")}]::text[]`;
  const is = current ? `build = ${current.build} AND` : "";
  return [
    `SELECT set_config('lock_timeout', '${lockMilliseconds}', true)`,
    "SELECT pg_advisory_xact_lock(7237143)",
    raise(
      `${current ? "NOT" : ""} EXISTS (SELECT FROM engine.builds WHERE projection = ${literal(projection.name)} AND ${is} state = 'current')`,
      changed,
    ),
    ...putViews(views, current?.views ?? []),
    // From here on nobody reads the views until this ends: what readers have seen is what the build has now, or less.
    ...(current ? [raise(isBehind(projection, current, next), behind)] : []),
    `UPDATE engine.builds b SET views = '{}', state = 'previous' WHERE projection = ${literal(projection.name)} AND state = 'current'`,
    `UPDATE engine.builds b SET state = 'current', current_since = now(), views = ${array}, views_hash = ${literal(statementsHash)} WHERE ${ofBuild(next, "b")}`,
  ].join(";\n");
}

/**
 * Puts the views on another build, in one transaction: a reader sees the old rows or the new ones, and never less than it
 * has seen. A roll-back is the same the other way.
 *
 * @param projection of the build's version.
 * @throws TRIB_PROJECT_BUILD_MISSING; TRIB_PROJECT_SWAP_TIMEOUT when the build stays behind, or readers hold the views;
 *   TRIB_PROJECT_VIEWS_DEPENDED when views of others stand on columns that go or change.
 */
export async function swapBuild(
  pool: Pool,
  projection: AnyProjection,
  build: number,
  { timeout = 30_000 }: SwapOptions = {},
): Promise<void> {
  const deadline = performance.now() + timeout;
  for (;;) {
    const rows = await locked(pool, (client) => rowsOf(client, projection.name));
    const next = rows.find((row) => row.build === build);
    if (
      !next ||
      next.feed === "nobody" ||
      next.feed === "as-of" ||
      !next.indexed ||
      next.version !== projection.version
    ) {
      throw new TributaryError(
        "TRIB_PROJECT_BUILD_MISSING",
        `Projection ${projection.name} has no build ${build} of version ${projection.version} that can be shown.`,
      );
    }
    if (next.state === "current") return;
    const current = rows.find((row) => row.state === "current");
    try {
      await pool.query(swapText(projection, current, next));
      return;
    } catch (error) {
      const depended = dependedOn(error, projection.name);
      if (depended) throw depended;
      const { kind, code } = failureOf(error);
      const passing = kind === "again" || kind === "doubt" || code === changed || code === behind;
      if (!passing) throw error;
      if (performance.now() > deadline) {
        throw new TributaryError(
          "TRIB_PROJECT_SWAP_TIMEOUT",
          code === behind
            ? `Build ${build} of ${projection.name} stays behind the current one.`
            : `Readers hold the views of ${projection.name}.`,
          { projection: projection.name, build },
          { cause: error },
        );
      }
    }
    await pause(retryMilliseconds);
  }
}

const dropAttempts = 50;

/**
 * Drops a build that is not current, its checkpoints and parked keys too. Lanes and the keeper of its derived tables are
 * fenced off first, and let it go by themselves. Whoever is killed over it leaves it there as a whole, to be dropped again.
 * @param further schemas that go with it.
 * @returns false when there is no such build, or it is current.
 */
export async function dropBuild(
  pool: Pool,
  projection: string,
  build: number,
  further: readonly string[] = [],
): Promise<boolean> {
  const place = [projection, build];
  const found = await locked(pool, async (client) => {
    const row = (await rowsOf(client, projection)).find((candidate) => candidate.build === build);
    if (!row || row.state === "current") return undefined;
    await client.query(
      // An as-of's nobody feeds as it is, and by its feed it is found again.
      "UPDATE engine.builds SET feed = 'nobody' WHERE projection = $1 AND build = $2 AND feed <> 'as-of'",
      place,
    );
    for (const fence of ["checkpoints", "derived_tables"]) {
      await client.query(
        `UPDATE engine.${fence} SET epoch = epoch + 1, owner = 'dropped' WHERE projection = $1 AND build = $2`,
        place,
      );
    }
    return row;
  });
  if (!found) return false;
  for (let attempt = 1; ; attempt++) {
    try {
      // A statement of a lane may wait for one of ours while ours waits for its tables: then it goes first.
      return await locked(pool, async (client) => {
        await client.query(`SET LOCAL lock_timeout = '${lockMilliseconds}'`);
        for (const schema of [...further, found.schema])
          await client.query(`DROP SCHEMA IF EXISTS ${quoted(schema)} CASCADE`);
        const { rows } = await client.query(
          "DELETE FROM engine.builds WHERE projection = $1 AND build = $2 AND state <> 'current' RETURNING 1",
          place,
        );
        return rows.length === 1;
      });
    } catch (error) {
      if (failureOf(error).kind !== "again" || attempt === dropAttempts) throw error;
      await pause(retryMilliseconds);
    }
  }
}
