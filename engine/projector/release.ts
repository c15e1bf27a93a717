import type { Pool } from "../store/pool.js";
import type { LanePlace } from "./checkpoint.js";
import { type AddParameter, answeredPart, type ParkedState, parkedPart } from "./fenced-parts.js";
import type { HeldKey } from "./held-keys.js";
import type { ProjectionLayout } from "./layout.js";
import { writeRefused } from "./park-reason.js";
import type { Refolded } from "./refold.js";
import { WriteStatements } from "./statement.js";

/** Where a lane stands, read behind its fence. */
export interface Standing {
  readonly nextOffset: number;
  readonly journal: string | null;
  readonly positions: string;
  readonly lastRecord: string | null;
}

/** @returns undefined when another owner came. */
export async function standingOf(pool: Pool, place: LanePlace, epoch: number): Promise<Standing | undefined> {
  const { rows } = await pool.query<Standing>(
    `SELECT next_offset AS "nextOffset", journal, positions::text, last_record AS "lastRecord" FROM engine.checkpoints
     WHERE projection = $1 AND build = $2 AND topic = $3 AND partition = $4 AND epoch = $5`,
    [place.build.projection, place.build.build, place.topic, place.partition, epoch],
  );
  return rows[0];
}

export interface Release {
  readonly epoch: number;
  readonly standing: Standing;
  readonly held: readonly HeldKey[];
  readonly refolded: Refolded;
  /** What came of the requests carried out by it, by id. */
  readonly outcomes: ReadonlyMap<number, string>;
  /** Nothing of it is to stay: Postgres is only asked whether it takes it. */
  readonly isTrial?: boolean;
}

const last = " SELECT lane::integer FROM fence";

/**
 * Writes what was folded again: rows, released and newly parked keys, and the requests carried out, in the lane's own
 * fenced statement, which leaves its checkpoint where it is.
 *
 * @returns false when another owner came, and nothing was written.
 */
export async function writeRelease(
  pool: Pool,
  layout: ProjectionLayout,
  place: LanePlace,
  release: Release,
): Promise<boolean> {
  const { epoch, standing, held, refolded, outcomes } = release;
  const { build, topic, partition } = place;
  const statements = new WriteStatements(layout, build);
  const { nextOffset: next, journal, positions } = standing;
  const write = {
    topic,
    partition,
    epoch,
    first: next,
    next,
    journal,
    positions,
    lastRecord: standing.lastRecord,
    recordedAt: null,
    parked: [],
    refusals: [],
    released: [],
  };
  const statement = statements.statement([statements.encode({ ...write, changes: refolded.changes })]);
  const values = [...statement.values];
  const add: AddParameter = (value, type) => `$${values.push(value)}::${type}`;

  const [name, number, inTopic, inPartition] = [
    add(build.projection, "text"),
    add(build.build, "integer"),
    add(topic, "text"),
    add(partition, "integer"),
  ];
  const again = [...refolded.keys.values()].flatMap(({ again: at, refusals }): ParkedState[] => [
    ...(at ? [{ row: at, state: "parked" as const }] : []),
    ...refusals.map((row) => ({ row, state: "done" as const })),
  ]);
  const parts = [
    `released AS (UPDATE engine.parked_keys AS p SET state = 'done', mended = true
      FROM unnest(${add(
        held.map(({ key }) => key),
        "text[]",
      )}, ${add(
        held.map(({ offset }) => offset),
        "bigint[]",
      )}) AS h (held_key, from_offset)
      WHERE p.projection = ${name} AND p.build = ${number} AND p.topic = ${inTopic} AND p.partition = ${inPartition}
        AND (p.state <> 'done' OR (p.code = ${add(writeRefused, "text")} AND p.log_offset >= from_offset)) AND p.key = held_key
        AND p.log_offset <> ALL (${add(
          again.map(({ row }) => row.offset),
          "bigint[]",
        )}) AND EXISTS (TABLE fence))`,
    `again AS (${parkedPart(again, place, add)})`,
    `answered AS (${answeredPart(outcomes, add)})`,
  ];
  if (!statement.text.endsWith(last)) throw new Error("the fenced statement doesn't end in its fence");
  const text = `${statement.text.slice(0, -last.length)}, ${parts.join(", ")}${last}`;
  const { rows } = await (release.isTrial ? tried(pool, text, values) : pool.query(text, values));
  return rows.length === 1;
}

/** A process that stops meanwhile must not hold up who comes next: the server ends the transaction. */
async function tried(
  pool: Pool,
  text: string,
  values: readonly unknown[],
): Promise<{ readonly rows: readonly object[] }> {
  const client = await pool.connect();
  let broken = true;
  try {
    await client.query("BEGIN; SET LOCAL idle_in_transaction_session_timeout = '5s'; SET CONSTRAINTS ALL IMMEDIATE");
    const result = await client.query(text, [...values]);
    await client.query("ROLLBACK");
    broken = false;
    return result;
  } finally {
    client.release(broken);
  }
}
