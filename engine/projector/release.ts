import type { Pool } from "../store/pool.js";
import type { LanePlace } from "./checkpoint.js";
import type { HeldKey } from "./held-keys.js";
import type { ProjectionLayout } from "./layout.js";
import { consumerRole } from "./names.js";
import { writeRefused } from "./park-reason.js";
import type { Refolded } from "./refold.js";
import { WriteStatements } from "./statement.js";
import type { ParkedRow } from "./statement-parts.js";

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
  const add = (value: unknown, type: string) => `$${values.push(value)}::${type}`;

  const [name, number, inTopic, inPartition] = [
    add(build.projection, "text"),
    add(build.build, "integer"),
    add(topic, "text"),
    add(partition, "integer"),
  ];
  const again = [...refolded.keys.values()].flatMap(({ again: at, refusals }) => [
    ...(at ? [{ row: at, state: "parked" }] : []),
    ...refusals.map((row) => ({ row, state: "done" })),
  ]);
  const columns: readonly (readonly [string, string, (row: ParkedRow, state: string) => unknown])[] = [
    ["log_offset", "bigint[]", ({ offset }) => offset],
    ["key", "text[]", ({ key }) => key],
    ["position", "text[]", ({ position }) => position],
    ["event_id", "text[]", ({ eventId }) => eventId],
    ["event_type", "text[]", ({ eventType }) => eventType],
    ["code", "text[]", ({ code }) => code],
    ["reason", "text[]", ({ reason }) => reason],
    ["positions", "text[]", ({ positions: seen }) => seen],
    ["state", "text[]", (_, state) => state],
  ];
  const names = columns.map(([column]) => column);
  const arrays = columns.map(([, type, get]) =>
    add(
      again.map(({ row, state }) => get(row, state)),
      type,
    ),
  );
  const selected = names.map((column) => (column === "positions" ? "u.positions::json" : `u.${column}`));
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
    `again AS (INSERT INTO engine.parked_keys AS p (projection, build, topic, partition, consumer_role, ${names.join(", ")})
      SELECT ${name}, ${number}, ${inTopic}, ${inPartition}, ${add(consumerRole(build.consumer), "name")}, ${selected.join(", ")}
      FROM unnest(${arrays.join(", ")}) AS u (${names.join(", ")}) WHERE EXISTS (TABLE fence)
      ON CONFLICT (projection, build, topic, partition, log_offset) DO UPDATE SET state = EXCLUDED.state, mended = false,
        event_id = EXCLUDED.event_id, event_type = EXCLUDED.event_type, code = EXCLUDED.code, reason = EXCLUDED.reason, positions = EXCLUDED.positions)`,
    `answered AS (UPDATE engine.lane_requests AS r SET state = 'done', outcome = u.outcome, carried_out_at = now()
      FROM unnest(${add([...outcomes.keys()], "bigint[]")}, ${add([...outcomes.values()], "text[]")}) AS u (id, outcome)
      WHERE r.id = u.id AND EXISTS (TABLE fence))`,
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
