import type { Log } from "../log/log.js";
import type { Pool } from "../store/pool.js";
import type { Build } from "./build.js";
import { storableText } from "./checkpoint.js";
import type { Decisions } from "./decisions.js";
import { type AnyProjection, type Row, text } from "./definition.js";
import { type LaneEvent, type ReadContext, readEvents } from "./events.js";
import { keyHistory } from "./key-history.js";
import { layOut, type ProjectionLayout, type TableLayout } from "./layout.js";
import { waitingFrom, withEvent } from "./origins.js";
import { type ParkReason, writeRefused } from "./park-reason.js";
import type { Decoder, Opener } from "./ports.js";
import { Positions } from "./positions.js";
import { PureFold, type PureRow, type PureVersion } from "./pure.js";
import { type BuiltRow, readDerived, readTable, readVersions, versionColumns } from "./read-table.js";
import { openSealed } from "./sealed-content.js";
import { valuesEqual } from "./values.js";
import { type Vector, vectorOf } from "./vector.js";

/** A row that is not what the log says. Names its place only. */
export interface RowDifference {
  readonly table: string;
  /** The row's key: surrogate ids and codes, or the place of the event of an appended row. */
  readonly key: string;
  readonly what: "missing" | "not in the log" | "different";
  /** Columns that differ. */
  readonly columns: readonly string[];
}

export interface Verification {
  readonly events: number;
  readonly rows: number;
  /** Keys held back by the log and the definition. */
  readonly parkedKeys: number;
  /** What the build reflects, and what was read of the log. */
  readonly vector: Vector;
  /** In all; `differences` has the first ones. */
  readonly differing: number;
  readonly differences: readonly RowDifference[];
  /** Derived tables that reflect another vector now, and so were not compared. */
  readonly skipped: readonly string[];
}

export interface VerifyOptions {
  readonly projection: AnyProjection;
  readonly build: Build;
  readonly log: Pick<Log, "read">;
  readonly pool: Pool;
  readonly decoder: Decoder;
  readonly opener: Opener;
  /** What operators decided about events, read just before; default nothing. */
  readonly decisions?: Pick<Decisions, "decisionAt">;
  /** Most differences told; default 20. */
  readonly limit?: number;
}

interface Snapshot {
  readonly vector: Vector;
  readonly tables: ReadonlyMap<string, readonly BuiltRow[]>;
  readonly versions: ReadonlyMap<string, readonly Row[]>;
  readonly derived: ReadonlyMap<string, readonly Row[]>;
  readonly skipped: readonly string[];
  /** Keys held back, each a row. */
  readonly parked: readonly Row[];
  /**
   * Events that Postgres itself refused, `topic/partition/offset`: no fold can know. True where their keys are held at them
   * by now; else they were released when a unit was translated again.
   */
  readonly refused: ReadonlyMap<string, boolean>;
}

/** Keys held back, as a table that is compared like the others. */
const parkedKeys = {
  name: "parked_keys",
  kind: "summed",
  key: ["topic", "partition", "offset"],
  columns: [
    { name: "key", column: text(""), inKey: false },
    { name: "code", column: text(""), inKey: false },
  ],
} as const;

async function snapshotOf(pool: Pool, build: Build, layout: ProjectionLayout): Promise<Snapshot> {
  const client = await pool.connect();
  let broken = true;
  try {
    await client.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
    const vector = await vectorOf(client, build);
    const tables = new Map<string, readonly BuiltRow[]>();
    const versions = new Map<string, readonly Row[]>();
    for (const table of layout.tables) {
      tables.set(table.name, await readTable(client, build, table));
      if (table.history) versions.set(table.name, await readVersions(client, build, table));
    }
    const derived = new Map<string, readonly Row[]>();
    const skipped: string[] = [];
    for (const [name, definition] of Object.entries(layout.definition.derived ?? {})) {
      const { rows } = await client.query<{ vector: Vector }>(
        "SELECT vector FROM engine.derived_tables WHERE projection = $1 AND build = $2 AND name = $3",
        [build.projection, build.build, name],
      );
      if (JSON.stringify(rows[0]?.vector) !== JSON.stringify(vector)) skipped.push(name);
      else derived.set(name, await readDerived(client, build, name, definition));
    }
    const { rows } = await client.query<Row>(
      `SELECT topic, partition, log_offset AS offset, key, code, state, mended FROM engine.parked_keys
       WHERE projection = $1 AND build = $2`,
      [build.projection, build.build],
    );
    await client.query("COMMIT");
    broken = false;
    const refused = rows
      .filter(({ code, mended }) => code === writeRefused && !mended)
      .map(({ topic, partition, offset, state }) => [`${topic}/${partition}/${offset}`, state !== "done"] as const);
    const parked = rows.filter(({ state }) => state !== "done");
    return { vector, tables, versions, derived, skipped, parked, refused: new Map(refused) };
  } finally {
    client.release(broken);
  }
}

const refusal: ParkReason = { code: writeRefused, reason: "" };

/** Folds one partition up to the snapshot. @returns how many events were new. */
async function foldPartition(
  options: VerifyOptions,
  pure: PureFold,
  refused: Snapshot["refused"],
  place: { readonly topic: string; readonly partition: number; readonly to: number },
): Promise<number> {
  const { topic, partition, to } = place;
  const positions = new Positions(undefined, "{}");
  let events = 0;
  const context: ReadContext = {
    topic,
    partition,
    published: true,
    decoder: options.decoder,
    decided: (offset) => options.decisions?.decisionAt(topic, partition, offset) !== undefined,
    wait: async (error) => {
      throw error;
    },
  };
  const history = keyHistory(options.log, context);
  /** What stands of keys that a unit translated again concerned so far. */
  const standing = new Map<string, readonly LaneEvent[]>();
  const nameOf = (offset: number) => `${topic}/${partition}/${offset}`;
  const isRefused = ({ offset }: LaneEvent) =>
    refused.has(nameOf(offset)) && options.decisions?.decisionAt(topic, partition, offset) !== "skip";
  /** Keys held at what Postgres refused: where, and what their rows are made of. What came since waits. */
  const refusedAt = new Map<string, number>();
  const made = new Map<string, readonly LaneEvent[]>();
  for await (const records of options.log.read(topic, partition, 0, to)) {
    const read = await readEvents(records, context);
    const fresh = read.filter(({ position, eventId }) => positions.take(position, eventId));
    if (pure.layout.readsSealed) await openSealed(fresh, options.opener);
    const again = new Set(fresh.filter(({ origin, key }) => origin && !standing.has(key)).map(({ key }) => key));
    if (again.size > 0) {
      const before = await history(again, records[0]?.offset ?? 0);
      if (pure.layout.readsSealed) await openSealed([...before.values()].flat(), options.opener);
      for (const [key, told] of before) standing.set(key, told);
    }
    for (const event of fresh) {
      events++;
      const { key } = event;
      const before = standing.get(key);
      const heldAt = refusedAt.get(key);
      if (isRefused(event) && heldAt === undefined) refusedAt.set(key, event.offset);
      if (before) {
        const after = withEvent(before, event);
        standing.set(key, after);
        if (event.origin && !isRefused(event) && !(heldAt !== undefined && refused.get(nameOf(heldAt)))) {
          pure.retell(event, made.get(key) ?? before, after, heldAt);
          refusedAt.delete(key);
          made.delete(key);
          continue;
        }
        if (refusedAt.has(key)) made.set(key, [...(made.get(key) ?? before), ...waitingFrom(0, [event])]);
      }
      const held = event.undecodable ?? (isRefused(event) ? refusal : undefined);
      pure.apply({
        type: event.type,
        key: event.key,
        event: event.event,
        sealed: event.opened ?? null,
        position: event.position,
        source: { topic, partition, offset: event.offset },
        ...(held ? { undecodable: held } : {}),
      });
    }
  }
  return events;
}

const versionRow = ({ row, removed, occurredAt, recordedAt, offset }: PureVersion): Row => ({
  ...row,
  event_occurred_at: occurredAt,
  recorded_at: recordedAt,
  removed,
  source_offset: offset,
});

const sourceOf = (row: PureRow | BuiltRow) => `${row.source?.partition}/${row.source?.offset}`;

function* tableDifferences(
  table: Pick<TableLayout, "name" | "kind"> & {
    readonly key: readonly string[];
    readonly columns: readonly { readonly name: string }[];
  },
  built: readonly (PureRow | BuiltRow)[],
  wanted: readonly PureRow[],
): Generator<RowDifference> {
  const columns = table.columns.map(({ name }) => name);
  const numbered = new Map<string, number>();
  const keyOf = (row: PureRow | BuiltRow) => {
    if (table.kind !== "appended") return table.key.map((name) => String(row.row[name])).join(" ");
    return `${sourceOf(row)} ${columns.map((name) => JSON.stringify(row.row[name])).join(" ")}`;
  };
  // Appended rows have no key but their place and content; equal ones are told apart by counting.
  const counted = (rows: readonly (PureRow | BuiltRow)[]) => {
    numbered.clear();
    return new Map(
      rows.map((row) => {
        const key = keyOf(row);
        const number = (numbered.get(key) ?? 0) + 1;
        numbered.set(key, number);
        return [`${key} #${number}`, row];
      }),
    );
  };
  const told = (key: string, row: PureRow | BuiltRow) =>
    table.kind === "appended" ? `partition/offset ${sourceOf(row)}` : key.replace(/ #1$/, "");
  const there = counted(built);
  for (const [key, row] of counted(wanted)) {
    const found = there.get(key);
    there.delete(key);
    if (!found) {
      yield { table: table.name, key: told(key, row), what: "missing", columns: [] };
      continue;
    }
    const differing = columns.filter((name) => !valuesEqual(found.row[name], row.row[name]));
    if (table.kind === "keyed") {
      if (found.source?.recordedAt !== row.source?.recordedAt) differing.push("recorded_at");
      if (found.source?.offset !== row.source?.offset) differing.push("source_offset");
    }
    if (differing.length > 0) {
      yield { table: table.name, key: told(key, row), what: "different", columns: differing };
    }
  }
  for (const [key, row] of there) yield { table: table.name, key: told(key, row), what: "not in the log", columns: [] };
}

/**
 * Recomputes a build from the whole log, up to the checkpoints of one snapshot of it, and compares row by row, the keys held back too.
 * Holds the read model in memory.
 */
export async function verifyProjection(options: VerifyOptions): Promise<Verification> {
  const { projection, build, pool, limit = 20 } = options;
  const layout = layOut(projection);
  const snapshot = await snapshotOf(pool, build, layout);
  const pure = new PureFold(projection, options.decisions ? { decisions: options.decisions } : {});
  let events = 0;
  for (const [topic, partitions] of Object.entries(snapshot.vector)) {
    for (const [partition, to] of Object.entries(partitions)) {
      if (to > 0)
        events += await foldPartition(options, pure, snapshot.refused, { topic, partition: Number(partition), to });
    }
  }
  const differences: RowDifference[] = [];
  let differing = 0;
  let rows = 0;
  const compare = (found: Generator<RowDifference>) => {
    for (const difference of found) {
      differing++;
      if (differences.length < limit) differences.push(difference);
    }
  };
  for (const table of layout.tables) {
    const built = snapshot.tables.get(table.name) ?? [];
    rows += built.length;
    compare(tableDifferences({ ...table, key: table.definition.key }, built, pure.rows(table.name)));
  }
  const asRows = (all: readonly Row[]) => all.map((row) => ({ row, source: undefined }));
  for (const table of layout.tables) {
    const built = snapshot.versions.get(table.name);
    if (!built || !table.history) continue;
    rows += built.length;
    const wanted = pure.versions(table.name).map(versionRow);
    const { name, columns } = table.history;
    const compared = { name, kind: "summed" as const, columns: [...columns, ...versionColumns] };
    const key = [...table.definition.key, "source_offset"];
    compare(tableDifferences({ ...compared, key }, asRows(built), asRows(wanted)));
  }
  const held = pure.parked.map(({ topic, partition, offset, key, code }) => ({
    topic,
    partition,
    offset,
    key: storableText(key),
    code,
  }));
  compare(tableDifferences(parkedKeys, asRows(snapshot.parked), asRows(held)));
  for (const [name, built] of snapshot.derived) {
    const definition = projection.derived?.[name];
    if (!definition) continue;
    rows += built.length;
    const columns = Object.keys(definition.columns).map((column) => ({ name: column }));
    compare(
      tableDifferences(
        { name, kind: "summed", columns, key: definition.key },
        asRows(built),
        asRows(pure.derived(name)),
      ),
    );
  }
  return {
    events,
    rows,
    parkedKeys: held.length,
    vector: snapshot.vector,
    differing,
    differences,
    skipped: snapshot.skipped,
  };
}
