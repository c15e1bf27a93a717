import type { LanePlace } from "./checkpoint.js";
import { consumerRole } from "./names.js";
import type { ParkedRow } from "./statement-parts.js";

/** Adds a parameter to a statement. @returns how the statement names it, with its type. */
export type AddParameter = (value: unknown, type: string) => string;

/** Values of one column of several rows, as a parameter. */
export type ArrayColumn<Row> = readonly [name: string, type: string, get: (row: Row) => unknown];

/** Rows as a table `u` of one parameter a column. */
export function unnested<Row>(columns: readonly ArrayColumn<Row>[], rows: readonly Row[], add: AddParameter): string {
  const names = columns.map(([column]) => column);
  const arrays = columns.map(([, type, get]) => add(rows.map(get), type));
  return `unnest(${arrays.join(", ")}) AS u (${names.join(", ")})`;
}

/** An event at which a key is held; `done` where it is held elsewhere, and Postgres refuses this one all the same. */
export interface ParkedState {
  readonly row: ParkedRow;
  readonly state: "parked" | "done";
}

const parkedColumns: readonly ArrayColumn<ParkedState>[] = [
  ["log_offset", "bigint[]", ({ row }) => row.offset],
  ["key", "text[]", ({ row }) => row.key],
  ["position", "text[]", ({ row }) => row.position],
  ["event_id", "text[]", ({ row }) => row.eventId],
  ["event_type", "text[]", ({ row }) => row.eventType],
  ["code", "text[]", ({ row }) => row.code],
  ["reason", "text[]", ({ row }) => row.reason],
  ["positions", "text[]", ({ row }) => row.positions],
  ["state", "text[]", ({ state }) => state],
];

/** Keys held from now on, also at an event at which they were held before, as a part of a statement with a `fence`. */
export function parkedPart(parked: readonly ParkedState[], { build, topic, partition }: LanePlace, add: AddParameter) {
  const names = parkedColumns.map(([column]) => column);
  const selected = names.map((column) => (column === "positions" ? "u.positions::json" : `u.${column}`));
  const again = ["state", "event_id", "event_type", "code", "reason", "positions"];
  return `INSERT INTO engine.parked_keys (projection, build, topic, partition, consumer_role, ${names.join(", ")})
    SELECT ${add(build.projection, "text")}, ${add(build.build, "integer")}, ${add(topic, "text")}, ${add(partition, "integer")},
      ${add(consumerRole(build.consumer), "name")}, ${selected.join(", ")}
    FROM ${unnested(parkedColumns, parked, add)} WHERE EXISTS (TABLE fence)
    ON CONFLICT (projection, build, topic, partition, log_offset) DO UPDATE SET mended = false,
      ${again.map((column) => `${column} = EXCLUDED.${column}`).join(", ")}`;
}

/** Requests that are carried out with the statement, with what came of them, by their id. */
export const answeredPart = (outcomes: ReadonlyMap<number, string>, add: AddParameter): string =>
  `UPDATE engine.lane_requests AS r SET state = 'done', outcome = u.outcome, carried_out_at = pg_catalog.now()
    FROM unnest(${add([...outcomes.keys()], "bigint[]")}, ${add([...outcomes.values()], "text[]")}) AS u (id, outcome)
    WHERE r.id = u.id AND EXISTS (TABLE fence)`;
