import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { setTimeout as pause } from "node:timers/promises";
import type { Log } from "../log/log.js";
import { type Build, createBuild } from "../projector/build.js";
import { type DecisionLog, Decisions } from "../projector/decisions.js";
import type { AnyProjection } from "../projector/definition.js";
import { DerivedTables } from "../projector/derived.js";
import { layOut } from "../projector/layout.js";
import { asOfSchema, literal, quoted } from "../projector/names.js";
import type { DatedOpener } from "../projector/ports.js";
import { topicsOfProjections } from "../projector/roles.js";
import { dropBuild } from "../projector/swap.js";
import { type AsOfView, viewsAsOf } from "../projector/views.js";
import type { ConsumerDefinition } from "../service/consumer.js";
import { TributaryError } from "../service/errors.js";
import type { Pool } from "../store/pool.js";
import { AsOfSelection, type AsOfVector, awaitPublished, vectorAt } from "./as-of-vector.js";
import { assertWhole } from "./as-of-whole.js";
import { type Claim, claimBuild } from "./claim.js";
import { type FillOptions, fillBuild } from "./fill.js";
import { follow } from "./follow.js";

export interface AsOfOptions
  extends Omit<FillOptions, "build" | "claim" | "decisions" | "log" | "opener" | "selection" | "progress" | "rate"> {
  readonly consumer: ConsumerDefinition;
  /** One that opens nothing leaves restricted columns empty. */
  readonly opener: DatedOpener;
  readonly log: Log;
  readonly decisionLog: DecisionLog;
  /** What was known at this moment, inclusive, by recorded time; epoch milliseconds. */
  readonly at: number;
  /** And of that only what had happened by this moment, inclusive, by the messages' own time; default all. */
  readonly effectiveAt?: number | undefined;
  /** Milliseconds by which clocks may differ. */
  readonly clockSkew: number;
  /** Milliseconds to wait for the publisher; default 30,000. */
  readonly publishTimeout?: number;
  /** Told now and then: events read, of so many that there are. */
  readonly progress?: (events: number, total: number) => void;
}

/** A read model as it was known at a moment. */
export interface AsOf {
  readonly projection: string;
  readonly version: number;
  readonly build: number;
  /** Of its views. */
  readonly schema: string;
  readonly at: number;
  readonly effectiveAt: number | undefined;
  readonly vector: AsOfVector;
  readonly views: readonly AsOfView[];
  /** Ids of the schemas that its events were written with, ascending. */
  readonly schemaIds: readonly number[];
  /** Events that operators decided about, of those that it may hold, each as `topic/partition/offset verdict`. */
  readonly decisions: readonly string[];
  readonly parkedKeys: number;
  /** Destructions of keys that restricted columns reflect; undefined where nothing was opened. */
  readonly vaultEpoch: number | undefined;
  /** Whether restricted columns are empty, as what they are made of was not opened. */
  readonly sealed: boolean;
  /** Events read to make it. */
  readonly events: number;
  /** Until it is shown or dropped it is this process's alone: else it counts as left behind. */
  readonly claim: Claim;
}

/** A patient erased while it is built makes it anew, so often. */
const mostAttempts = 3;

/** The log up to where it ends now: what comes later is not below any vector of the past. */
async function endedLog(log: Log, topics: readonly string[]): Promise<Pick<Log, "read" | "watermarks">> {
  const marks = new Map(await Promise.all(topics.map(async (topic) => [topic, await log.watermarks(topic)] as const)));
  return {
    read: (topic, partition, from, to) => log.read(topic, partition, from, to),
    watermarks: async (topic) => marks.get(topic) ?? [],
  };
}

async function epochOf(pool: Pool): Promise<number> {
  const { rows } = await pool.query<{ epoch: number }>("SELECT epoch FROM engine.vault_epoch");
  return Number(rows[0]?.epoch ?? 0);
}

async function fill(options: AsOfOptions, build: Build, claim: Claim, vector: AsOfVector) {
  const { pool, projection, decisionLog, effectiveAt } = options;
  const ending = new AbortController();
  claim.lost.catch((error: unknown) => ending.abort(error));
  const signal = options.signal ? AbortSignal.any([options.signal, ending.signal]) : ending.signal;
  const log = await endedLog(options.log, topicsOfProjections([projection]));
  const selection = new AsOfSelection(vector, effectiveAt);
  const decisions = new Decisions(decisionLog, projection.name);
  await decisions.load();
  const given = { ...options, log, build, selection, signal };
  const { events, unfilled } = await fillBuild({ ...given, claim, decisions });
  // What did not fit into memory, or what Postgres refused, is for the ordinary lanes.
  if (unfilled.length > 0) {
    const { progress: _, ...parts } = given;
    // Requests of operators are none of theirs: what is decided while they read does not count.
    const following = await follow({ ...parts, decisions, unfilled });
    try {
      while (!following.isWritten()) await Promise.race([pause(50), following.ended]);
    } finally {
      await following.stop();
    }
  }
  await assertWhole(pool, projection, build, { log, vector });
  const derived = new DerivedTables(pool, build, layOut(projection), `${hostname()}:${process.pid}:${randomUUID()}`);
  if (derived.names.length > 0) {
    await derived.takeOver();
    await derived.refresh();
  }
  return { events, schemaIds: selection.schemaIds, decisions: decisions.standing() };
}

/** The schema with its views, readable by nobody else yet. */
async function makeSchema({ pool, projection, at, effectiveAt }: AsOfOptions, build: Build): Promise<AsOfView[]> {
  const schema = asOfSchema(projection.name, build.build);
  const { statements, views } = viewsAsOf(projection, build.schema, schema, at);
  const truth =
    effectiveAt === undefined ? "" : `, of that what had happened by ${new Date(effectiveAt).toISOString()}`;
  const about = `Read model ${projection.name} as it was known at ${new Date(at).toISOString()}${truth}.`;
  await pool.query(
    [
      "BEGIN",
      `CREATE SCHEMA ${quoted(schema)}`,
      `COMMENT ON SCHEMA ${quoted(schema)} IS ${literal(about)}`,
      ...statements,
      "COMMIT",
    ].join(";\n"),
  );
  return [...views];
}

async function parkedIn(pool: Pool, build: Build): Promise<number> {
  const { rows } = await pool.query<{ parked: number }>(
    "SELECT count(*) AS parked FROM engine.parked_keys WHERE projection = $1 AND build = $2 AND state <> 'done'",
    [build.projection, build.build],
  );
  return Number(rows[0]?.parked ?? 0);
}

/**
 * Builds a projection as it was known at a moment, into a schema of its own: exactly the events of the journal entries
 * recorded up to then, so that a unit is in as a whole or not at all. Nobody else may read it before {@link showAsOf}.
 *
 * @throws TRIB_REPLAY_AS_OF_TOO_YOUNG; TRIB_REPLAY_UNPUBLISHED; TRIB_REPLAY_VAULT_MOVED; TRIB_REPLAY_NOT_WHOLE; what
 *   {@link fillBuild} throws.
 */
export async function buildAsOf(options: AsOfOptions): Promise<AsOf> {
  const { pool, projection, consumer, at, effectiveAt, clockSkew, publishTimeout = 30_000 } = options;
  const vector = await vectorAt(options.log, projection, at, { now: Date.now(), skew: clockSkew });
  if (projection.topic === undefined) await awaitPublished(pool, vector, publishTimeout);
  await dropUnfinished(pool, projection.name);
  const { readsSealed } = layOut(projection);
  for (let attempt = 1; ; attempt++) {
    // The opener is asked, not the vault: what it has in memory has to be of this epoch, too.
    const epoch = readsSealed ? await options.opener.epoch() : undefined;
    const { build, claim } = await begun(pool, projection, consumer);
    const schema = asOfSchema(projection.name, build.build);
    try {
      const filled = await fill(options, build, claim, vector);
      if (epoch === undefined || epoch === (await epochOf(pool))) {
        const views = await makeSchema(options, build);
        const { name, version } = projection;
        const parkedKeys = await parkedIn(pool, build);
        const sealed = readsSealed && epoch === undefined;
        const made = { build: build.build, schema, at, effectiveAt, vector, views, parkedKeys };
        return { projection: name, version, ...made, vaultEpoch: epoch, sealed, ...filled, claim };
      }
      if (attempt === mostAttempts) throw new TributaryError("TRIB_REPLAY_VAULT_MOVED");
      await dropAsOf(pool, { ...build, claim });
    } catch (error) {
      await dropAsOf(pool, { ...build, claim }).catch(() => {});
      throw error;
    }
  }
}

/** A build that nobody sees before this process has claimed it: else it would count as left behind. */
async function begun(pool: Pool, projection: AnyProjection, consumer: ConsumerDefinition) {
  let claim: Claim | undefined;
  try {
    const build = await createBuild(pool, projection, consumer.name, "as-of", async (made) => {
      claim = await claimBuild(pool, made);
    });
    return { build, claim: claim as unknown as Claim };
  } catch (error) {
    claim?.release();
    throw error;
  }
}

/** What a process left that was killed while it built, of one projection or of all: those that nobody works on. */
async function dropUnfinished(pool: Pool, projection?: string): Promise<void> {
  const { rows } = await pool.query<Build>(
    `SELECT projection, build, schema_name AS schema FROM engine.builds b
     WHERE ($1::text IS NULL OR projection = $1) AND feed = 'as-of'
       AND NOT EXISTS (SELECT FROM engine.as_ofs a WHERE a.projection = b.projection AND a.build = b.build)`,
    [projection ?? null],
  );
  for (const build of rows) {
    const claim = await claimBuild(pool, build, 0).catch(() => undefined);
    if (!claim) continue;
    await dropAsOf(pool, { ...build, claim });
  }
}

/**
 * Drops every as-of that may still show somebody who was erased: those that opened restricted columns before the last key
 * was destroyed, and those left behind. One that is being made now is never shown: see {@link showAsOf}. Each can be built
 * again.
 * @param dropping awaited before each of those that were shown is dropped, with its schema.
 * @returns the schemas of those that were shown.
 */
export async function dropErasedAsOfs(
  pool: Pool,
  dropping: (schema: string) => Promise<void>,
): Promise<readonly string[]> {
  const { rows } = await pool.query<Pick<AsOf, "projection" | "build" | "schema">>(
    `SELECT projection, build, schema_name AS schema FROM engine.as_ofs
     WHERE (manifest->>'vaultEpoch')::bigint < (SELECT epoch FROM engine.vault_epoch) ORDER BY made_at`,
  );
  for (const outlived of rows) {
    await dropping(outlived.schema);
    await dropAsOf(pool, outlived);
  }
  await dropUnfinished(pool);
  return rows.map(({ schema }) => schema);
}

/**
 * Keeps the manifest of an as-of, and lets its readers in.
 * @param manifest as it was signed.
 * @throws TRIB_REPLAY_VAULT_MOVED when a key was destroyed since its restricted columns were opened; the as-of is to be
 *   dropped then.
 */
export async function showAsOf(pool: Pool, asOf: AsOf, manifest: object, by: string): Promise<void> {
  const { schema, projection, build, at, effectiveAt, vaultEpoch } = asOf;
  const client = await pool.connect();
  let broken = true;
  try {
    // Kept and readable together, or neither.
    await client.query("BEGIN");
    // Under the epoch's lock: a destruction comes before this, and then nothing is kept, or sees what is kept.
    const { rowCount } = await client.query(
      `INSERT INTO engine.as_ofs (schema_name, projection, build, known_at, effective_at, made_by, manifest)
       SELECT $1, $2, $3, to_timestamp($4::double precision / 1000), to_timestamp($5::double precision / 1000), $6, $7
       FROM engine.vault_epoch WHERE $8::bigint IS NULL OR epoch = $8 FOR SHARE`,
      [schema, projection, build, at, effectiveAt ?? null, by, JSON.stringify(manifest), vaultEpoch ?? null],
    );
    if (rowCount !== 1) throw new TributaryError("TRIB_REPLAY_VAULT_MOVED");
    const readers = "tributary_analyst, tributary_auditor";
    // Where nothing was opened, nothing in it identifies a person.
    if (vaultEpoch === undefined)
      await client.query(`GRANT SELECT ON ALL TABLES IN SCHEMA ${quoted(schema)} TO ${readers}`);
    await client.query(`GRANT USAGE ON SCHEMA ${quoted(schema)} TO tributary_analyst_restricted, ${readers}`);
    await client.query("COMMIT");
    broken = false;
  } finally {
    // Closed, it is rolled back.
    client.release(broken);
  }
  asOf.claim.release();
}

/**
 * Whether an as-of that is not shown yet may still be.
 * @throws TRIB_REPLAY_VAULT_MOVED when a key was destroyed since its restricted columns were opened.
 */
export async function assertNobodyErased(pool: Pool, { vaultEpoch }: Pick<AsOf, "vaultEpoch">): Promise<void> {
  if (vaultEpoch !== undefined && vaultEpoch !== (await epochOf(pool))) {
    throw new TributaryError("TRIB_REPLAY_VAULT_MOVED");
  }
}

/** Postgres has no such table, or no such schema. */
const missing = new Set(["42P01", "3F000"]);

/**
 * Reads an as-of that others may drop meanwhile, as an erasure does.
 * @throws TRIB_REPLAY_AS_OF_DROPPED; what the reading throws.
 */
export async function whileThere<Read>({ schema }: Pick<AsOf, "schema">, read: () => Promise<Read>): Promise<Read> {
  try {
    return await read();
  } catch (error) {
    if (!missing.has(String((error as { readonly code?: unknown }).code))) throw error;
    throw new TributaryError("TRIB_REPLAY_AS_OF_DROPPED", undefined, { schema }, { cause: error });
  }
}

/** An as-of that is there. */
export interface KeptAsOf {
  readonly schema: string;
  readonly projection: string;
  readonly build: number;
  /** Epoch milliseconds. */
  readonly at: number;
  readonly effectiveAt: number | null;
  readonly madeAt: number;
  readonly madeBy: string;
  readonly manifest: object;
}

/** Every as-of that is there, oldest first. */
export async function listAsOfs(pool: Pool): Promise<readonly KeptAsOf[]> {
  const { rows } = await pool.query<KeptAsOf>(
    `SELECT schema_name AS schema, projection, build, known_at AS at, effective_at AS "effectiveAt",
       made_at AS "madeAt", made_by AS "madeBy", manifest FROM engine.as_ofs ORDER BY made_at`,
  );
  return rows;
}

/** Drops an as-of, also one that was not shown yet. */
export async function dropAsOf(
  pool: Pool,
  { projection, build, claim }: Pick<AsOf, "projection" | "build"> & Partial<Pick<AsOf, "claim">>,
): Promise<void> {
  try {
    await dropBuild(pool, projection, build, [asOfSchema(projection, build)]);
  } finally {
    claim?.release();
  }
}
