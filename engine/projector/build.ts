import { createHash } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { TributaryError } from "../service/errors.js";
import type { Pool } from "../store/pool.js";
import { indexStatements, layoutOf, physicalTables, tableStatements } from "./ddl.js";
import type { AnyProjection } from "./definition.js";
import { failureOf } from "./failure.js";
import { buildSchema, consumerRole, quoted } from "./names.js";
import { dependedOn, putViews } from "./put-views.js";
import { validateProjection } from "./validate.js";
import { viewsOf } from "./views.js";

export type BuildState = "building" | "current" | "previous";
/**
 * Whose lanes write a build; nobody's once it is about to be dropped. One of an as-of is never shown as the projection. One of
 * a delivery is no read model: a delivering consumer has its checkpoints and parked keys under it.
 */
export type BuildFeed = "consumer" | "rebuild" | "as-of" | "nobody" | "delivery";

/** One physical copy of a projection's tables. */
export interface Build {
  readonly projection: string;
  /** 1 for the first, and so on; a number of a build that was dropped is not given again. */
  readonly build: number;
  readonly version: number;
  readonly schema: string;
  readonly state: BuildState;
  readonly consumer: string;
  readonly feed: BuildFeed;
  /** Whether its tables have their keys and indexes; without them they can only be filled. */
  readonly indexed: boolean;
  /** When the views were put on it last, epoch milliseconds; null when they never were. */
  readonly currentSince: number | null;
}

export interface BuildRow extends Build {
  readonly layout_hash: string;
  readonly views_hash: string;
  readonly views: readonly string[];
}

export interface Queryable {
  query(text: string, values?: readonly unknown[]): Promise<{ readonly rows: readonly unknown[] }>;
}

/** Longest wait for a reader of a view; shorter than the time after which Postgres would call two waits a deadlock. */
export const lockMilliseconds = 150;
export const retryMilliseconds = 200;

const buildColumns = `projection, build, version, schema_name AS schema, state, consumer, feed, indexed, current_since AS "currentSince", layout_hash, views_hash, views`;
export const hash = (text: string) => createHash("sha256").update(text).digest("hex").slice(0, 32);

const toBuild = ({ layout_hash: _, views_hash: __, views: ___, ...build }: BuildRow): Build => build;

/** All builds of a projection (of all projections when none is named) but those of as-ofs and deliveries, oldest first. */
export async function listBuilds(pool: Queryable, projection?: string): Promise<readonly Build[]> {
  const { rows } = await pool.query(
    `SELECT ${buildColumns} FROM engine.builds WHERE ($1::text IS NULL OR projection = $1) AND feed NOT IN ('as-of', 'delivery') ORDER BY projection, build`,
    [projection ?? null],
  );
  return (rows as BuildRow[]).map(toBuild);
}

/** @returns the build that the views are on, undefined when there is none. */
export async function currentBuild(pool: Queryable, projection: string): Promise<Build | undefined> {
  return (await listBuilds(pool, projection)).find(({ state }) => state === "current");
}

/**
 * One installer at a time, in one transaction. The lock is of the whole database, not of the projection: views of one
 * projection may stand on views of another.
 */
export async function locked<Result>(pool: Pool, work: (client: Queryable) => Promise<Result>): Promise<Result> {
  const client = await pool.connect();
  try {
    await client.query("BEGIN");
    await client.query("SELECT pg_advisory_xact_lock(7237143)");
    const result = await work(client as unknown as Queryable);
    await client.query("COMMIT");
    client.release();
    return result;
  } catch (error) {
    // A connection in an unknown state is not for others.
    client.release(true);
    throw error;
  }
}

export const rowsOf = async (client: Queryable, projection: string) =>
  (
    await client.query(`SELECT ${buildColumns} FROM engine.builds WHERE projection = $1 ORDER BY build FOR UPDATE`, [
      projection,
    ])
  ).rows as BuildRow[];

/** @param before views that are there, in the order in which they were made. */
async function makeViews(
  client: Queryable,
  projection: AnyProjection,
  build: Build,
  before: readonly string[] = [],
): Promise<void> {
  const views = viewsOf(projection, build.schema);
  const { names, statements } = views;
  // Who waits for readers keeps others from reading.
  await client.query(`SET LOCAL lock_timeout = '${lockMilliseconds}'`);
  for (const statement of putViews(views, before)) await client.query(statement);
  await client.query("UPDATE engine.builds SET views = $3, views_hash = $4 WHERE projection = $1 AND build = $2", [
    projection.name,
    build.build,
    names,
    hash(JSON.stringify(statements)),
  ]);
}

/** A number is given once: the audit and manifests name builds by it, also such as were dropped. */
async function nextNumber(client: Queryable, projection: string): Promise<number> {
  const { rows } = await client.query(
    `INSERT INTO engine.build_numbers AS n (projection, last) VALUES ($1, 1)
     ON CONFLICT (projection) DO UPDATE SET last = n.last + 1 RETURNING last`,
    [projection],
  );
  return (rows[0] as { last: number }).last;
}

async function addBuild(
  client: Queryable,
  projection: AnyProjection,
  consumer: string,
  state: BuildState,
  feed: BuildFeed = "consumer",
): Promise<Build> {
  const build = await nextNumber(client, projection.name);
  const schema = buildSchema(projection.name, build);
  const indexed = feed === "consumer";
  for (const statement of tableStatements(projection, schema)) await client.query(statement);
  if (indexed) for (const statement of indexStatements(projection, schema)) await client.query(statement);
  await client.query(
    `INSERT INTO engine.builds
       (projection, build, version, layout_hash, views_hash, schema_name, state, consumer, consumer_role, feed, indexed, current_since)
     VALUES ($1, $2, $3, $4, '', $5, $6, $7, $8, $9, $10, CASE WHEN $6 = 'current' THEN now() END)`,
    [
      projection.name,
      build,
      projection.version,
      hash(layoutOf(projection)),
      schema,
      state,
      consumer,
      consumerRole(consumer),
      feed,
      indexed,
    ],
  );
  const made = (await rowsOf(client, projection.name)).find((row) => row.build === build) as BuildRow;
  if (state === "current") await makeViews(client, projection, made);
  return toBuild(made);
}

export interface EnsureOptions {
  /** Milliseconds in which it is tried again while readers hold the views; default 30,000. */
  readonly timeout?: number;
  /** Who makes a build beside the current one, where there is none yet; default the consumer's own lanes. */
  readonly beside?: "consumer" | "rebuild";
}

/**
 * Finds the build of a projection's version, or makes it: the first one of a projection is current at once, a later one
 * is `building` until swapped. One that a rebuild is to fill, or fills, is found, too. Views and comments that changed are
 * made anew. Any number of callers at once.
 *
 * @param pool as the owner of the database.
 * @throws TRIB_PROJECT_DEFINITION_INVALID; TRIB_PROJECT_BUILD_CHANGED when tables changed and the version did not;
 *   TRIB_PROJECT_SWAP_TIMEOUT when readers hold the views; TRIB_PROJECT_VIEWS_DEPENDED when views of others stand in the way.
 */
export async function ensureBuild(
  pool: Pool,
  projection: AnyProjection,
  consumer: string,
  { timeout = 30_000, beside = "consumer" }: EnsureOptions = {},
): Promise<Build> {
  validateProjection(projection);
  const deadline = performance.now() + timeout;
  for (;;) {
    try {
      return await ensured(pool, projection, consumer, beside);
    } catch (error) {
      const depended = dependedOn(error, projection.name);
      if (depended) throw depended;
      if (failureOf(error).kind !== "again") throw error;
      if (performance.now() > deadline) {
        const readers = `Readers hold the views of ${projection.name}.`;
        const facts = { projection: projection.name };
        throw new TributaryError("TRIB_PROJECT_SWAP_TIMEOUT", readers, facts, { cause: error });
      }
    }
    await pause(retryMilliseconds);
  }
}

function ensured(
  pool: Pool,
  projection: AnyProjection,
  consumer: string,
  beside: "consumer" | "rebuild",
): Promise<Build> {
  return locked(pool, async (client) => {
    const rows = await rowsOf(client, projection.name);
    const ofVersion = rows.filter(({ version }) => version === projection.version);
    const fedBy = (wanted: BuildFeed) => ofVersion.filter(({ feed }) => feed === wanted);
    const found =
      ofVersion.find(({ state, feed }) => state === "current" && feed === "consumer") ??
      fedBy("consumer").at(-1) ??
      fedBy("rebuild").at(-1);
    if (!found) {
      if (!rows.some((row) => row.state === "current")) return addBuild(client, projection, consumer, "current");
      return addBuild(client, projection, consumer, "building", beside);
    }
    if (found.layout_hash !== hash(layoutOf(projection))) {
      throw new TributaryError(
        "TRIB_PROJECT_BUILD_CHANGED",
        `The tables of projection ${projection.name} differ from build ${found.build}, and both are version ${projection.version}.`,
        { projection: projection.name, build: found.build },
      );
    }
    if (
      found.state === "current" &&
      found.views_hash !== hash(JSON.stringify(viewsOf(projection, found.schema).statements))
    ) {
      await makeViews(client, projection, found, found.views);
    }
    return toBuild(found);
  });
}

/**
 * Makes a further build of the same version beside the others, state `building`: for a rebuild.
 * @param feed `rebuild` and `as-of`: it is to be filled, and gets its keys and indexes afterwards (`indexBuild`); default `consumer`.
 * @param before called before anybody else sees it; when it throws there is no build.
 */
export async function createBuild(
  pool: Pool,
  projection: AnyProjection,
  consumer: string,
  feed: "consumer" | "rebuild" | "as-of" = "consumer",
  before?: (build: Build) => Promise<void>,
): Promise<Build> {
  validateProjection(projection);
  return locked(pool, async (client) => {
    const build = await addBuild(client, projection, consumer, "building", feed);
    await before?.(build);
    return build;
  });
}

/**
 * Gives a filled build its keys and indexes, all or nothing, and tells the planner what is in it. Whoever calls it has the
 * build for itself: it takes long, so it holds up no other installer.
 */
export async function indexBuild(pool: Pool, projection: AnyProjection, build: Build): Promise<void> {
  const client = await pool.connect();
  let broken = true;
  try {
    await client.query("BEGIN");
    const { rows } = await client.query<{ indexed: boolean }>(
      "SELECT indexed FROM engine.builds WHERE projection = $1 AND build = $2",
      [build.projection, build.build],
    );
    if (rows[0]?.indexed === false) {
      await client.query("SET LOCAL maintenance_work_mem = '256MB'");
      for (const statement of indexStatements(projection, build.schema)) await client.query(statement);
      await client.query("UPDATE engine.builds SET indexed = true WHERE projection = $1 AND build = $2", [
        build.projection,
        build.build,
      ]);
    }
    await client.query("COMMIT");
    for (const table of physicalTables(projection).keys()) {
      await client.query(`ANALYZE ${quoted(build.schema)}.${quoted(table)}`);
    }
    broken = false;
  } finally {
    client.release(broken);
  }
}

/** Says whose lanes write a build from now on. @returns false when it is gone. */
export async function setFeed(pool: Pool, build: Build, feed: BuildFeed): Promise<boolean> {
  const { rowCount } = await pool.query("UPDATE engine.builds SET feed = $3 WHERE projection = $1 AND build = $2", [
    build.projection,
    build.build,
    feed,
  ]);
  return rowCount === 1;
}
