import { createHash } from "node:crypto";
import type { Build } from "./build.js";
import type { Changes } from "./changes.js";
import { arrayLiteral, centsToDecimal, parameterType, putExpression, writeValue } from "./columns.js";
import type { StoredRow } from "./entity.js";
import type { ColumnLayout, ProjectionLayout, TableLayout } from "./layout.js";
import { consumerRole, quoted } from "./names.js";

/** A key held back, as it is written with the batch. */
export interface ParkedRow {
  readonly offset: number;
  readonly key: string;
  readonly position: string;
  readonly eventId: string | null;
  readonly eventType: string | null;
  readonly code: string;
  readonly reason: string;
  /** Highest journal positions seen up to the event, it included. */
  readonly positions: string;
}

/** A batch ready to be written: the checkpoint's move and all that goes with it. */
export interface Write {
  readonly epoch: number;
  /** Offset the checkpoint must have, and the one it gets. */
  readonly first: number;
  readonly next: number;
  readonly journal: string | null;
  readonly positions: string;
  /** Latest recorded time in the batch, epoch milliseconds; null when nothing was applied. */
  readonly recordedAt: number | null;
  readonly changes: Changes;
  readonly parked: readonly ParkedRow[];
}

type Fill = (write: Final) => string;

/** Collects the statement's parameters: each a number in the text and a function that fills it. */
class Parameters {
  readonly fills: ((write: Final, lane: { topic: string; partition: number }) => unknown)[] = [];

  add(type: string, fill: (write: Final, lane: { topic: string; partition: number }) => unknown): string {
    this.fills.push(fill);
    return `$${this.fills.length}::${type}`;
  }
}

interface Unnested {
  readonly name: string;
  readonly type: string;
  readonly fill: Fill;
  /** From the element to what is inserted. */
  readonly expression?: string;
}

function insertFrom(
  parameters: Parameters,
  target: string,
  unnested: readonly Unnested[],
  constants: readonly (readonly [string, string])[],
  conflict: string,
): string {
  const arrays = unnested.map(({ type, fill }) => parameters.add(type, fill));
  const names = unnested.map((_, index) => `c${index}`);
  const columns = [...unnested.map(({ name }) => quoted(name)), ...constants.map(([name]) => quoted(name))];
  const values = [
    ...unnested.map(({ expression }, index) => expression?.replaceAll("$", `u.c${index}`) ?? `u.c${index}`),
    ...constants.map(([, value]) => value),
  ];
  return `INSERT INTO ${target} AS t (${columns.join(", ")}) SELECT ${values.join(", ")} FROM unnest(${arrays.join(", ")}) AS u (${names.join(", ")}) WHERE EXISTS (TABLE fence)${conflict}`;
}

interface PutRow extends StoredRow {
  readonly key: string;
}

interface DeletedRow {
  readonly key: string;
  readonly parts: readonly string[];
}

/** A write with its keyed changes told apart: rows that stay, by table, and keys without a row. */
interface Final extends Write {
  readonly puts: readonly (readonly PutRow[])[];
  readonly deletes: readonly (readonly DeletedRow[])[];
}

function finalOf(write: Write): Final {
  const puts = write.changes.keyed.map((): PutRow[] => []);
  const deletes = write.changes.keyed.map((): DeletedRow[] => []);
  write.changes.keyed.forEach((changes, table) => {
    for (const { entity, rest } of changes.values()) {
      const stored = entity.rowsOf(table)?.get(rest);
      if (stored) puts[table]?.push({ key: entity.key, row: stored.row, source: stored.source });
      else deletes[table]?.push({ key: entity.key, parts: rest.split("\0") });
    }
  });
  return { ...write, puts, deletes };
}

function* mapped<From, To>(from: Iterable<From>, to: (value: From) => To): Generator<To> {
  for (const value of from) yield to(value);
}

const columnOf = ({ name, column }: ColumnLayout) => ({
  name,
  type: parameterType(column),
  expression: putExpression(column, "$"),
});

function keyedParts(parameters: Parameters, table: TableLayout, target: string, partition: string): string[] {
  const putsOf = (write: Final) => write.puts[table.index] ?? [];
  const deletesOf = (write: Final) => write.deletes[table.index] ?? [];
  const keyColumn = table.keyColumn as ColumnLayout;
  const unnested: Unnested[] = [
    { ...columnOf(keyColumn), fill: (write) => arrayLiteral(mapped(putsOf(write), ({ key }) => key)) },
    ...table.given.map((given) => ({
      ...columnOf(given),
      fill: (write: Final) =>
        arrayLiteral(mapped(putsOf(write), ({ row }) => writeValue(given.column, row[given.name]))),
    })),
    {
      name: "recorded_at",
      type: "timestamptz[]",
      fill: (write) => arrayLiteral(mapped(putsOf(write), ({ source }) => new Date(source.recordedAt).toISOString())),
    },
    {
      name: "source_offset",
      type: "bigint[]",
      fill: (write) => arrayLiteral(mapped(putsOf(write), ({ source }) => String(source.offset))),
    },
  ];
  const key = [keyColumn, ...table.rest];
  const set = [...unnested.map(({ name }) => name), "source_partition"]
    .filter((name) => !key.some((column) => column.name === name))
    .map((name) => `${quoted(name)} = EXCLUDED.${quoted(name)}`);
  const put = insertFrom(
    parameters,
    target,
    unnested,
    [["source_partition", partition]],
    ` ON CONFLICT (${key.map(({ name }) => quoted(name)).join(", ")}) DO UPDATE SET ${set.join(", ")}`,
  );
  const keys = [
    parameters.add(parameterType(keyColumn.column), (write) =>
      arrayLiteral(mapped(deletesOf(write), (deleted) => deleted.key)),
    ),
    ...table.rest.map(({ column }, index) =>
      parameters.add(parameterType(column), (write) =>
        // Parts of a key are as `String` prints them, but an instant is milliseconds there.
        arrayLiteral(
          mapped(deletesOf(write), ({ parts }) => {
            const part = parts[index] ?? "";
            return column.kind === "instant" ? writeValue(column, Number(part)) : part;
          }),
        ),
      ),
    ),
  ];
  const match = key.map(({ name }, index) => `t.${quoted(name)} = d.c${index}`);
  const remove = `DELETE FROM ${target} AS t USING unnest(${keys.join(", ")}) AS d (${keys.map((_, index) => `c${index}`).join(", ")}) WHERE ${match.join(" AND ")} AND EXISTS (TABLE fence)`;
  return [put, remove];
}

function summedPart(
  parameters: Parameters,
  table: TableLayout,
  target: string,
  lane: readonly [string, string],
): string {
  const changesOf = (write: Final) => write.changes.summed[table.index]?.values() ?? [];
  const unnested: Unnested[] = [
    ...table.rest.map((part) => ({
      ...columnOf(part),
      fill: (write: Final) =>
        arrayLiteral(mapped(changesOf(write), ({ key }) => writeValue(part.column, key[part.name]))),
    })),
    ...table.sums.map((sum, index) => ({
      name: sum.name,
      type: "numeric[]",
      fill: (write: Final) =>
        arrayLiteral(
          mapped(changesOf(write), ({ sums }) =>
            sum.column.kind === "money" ? centsToDecimal(sums[index] ?? 0) : String(sums[index] ?? 0),
          ),
        ),
    })),
  ];
  const key = [...table.rest.map(({ name }) => name), "source_topic", "source_partition"];
  const set = table.sums.map(({ name }) => `${quoted(name)} = t.${quoted(name)} + EXCLUDED.${quoted(name)}`);
  return insertFrom(
    parameters,
    target,
    unnested,
    [
      ["source_topic", lane[0]],
      ["source_partition", lane[1]],
    ],
    ` ON CONFLICT (${key.map(quoted).join(", ")}) DO UPDATE SET ${set.join(", ")}`,
  );
}

function appendedPart(
  parameters: Parameters,
  table: TableLayout,
  target: string,
  lane: readonly [string, string],
): string {
  const changesOf = (write: Final) => write.changes.appended[table.index] ?? [];
  const unnested: Unnested[] = [
    ...table.given.map((given) => ({
      ...columnOf(given),
      fill: (write: Final) =>
        arrayLiteral(mapped(changesOf(write), ({ row }) => writeValue(given.column, row[given.name]))),
    })),
    {
      name: "source_offset",
      type: "bigint[]",
      fill: (write) => arrayLiteral(mapped(changesOf(write), ({ offset }) => String(offset))),
    },
    {
      name: "source_ordinal",
      type: "integer[]",
      fill: (write) => arrayLiteral(mapped(changesOf(write), ({ ordinal }) => String(ordinal))),
    },
  ];
  // No ON CONFLICT: a second row of the same event would be a broken fence, and must not pass in silence.
  return insertFrom(
    parameters,
    target,
    unnested,
    [
      ["source_topic", lane[0]],
      ["source_partition", lane[1]],
    ],
    "",
  );
}

const parkedColumns: readonly (readonly [string, string, (row: ParkedRow) => string | null])[] = [
  ["log_offset", "bigint[]", ({ offset }) => String(offset)],
  ["key", "text[]", ({ key }) => key],
  ["position", "text[]", ({ position }) => position],
  ["event_id", "text[]", ({ eventId }) => eventId],
  ["event_type", "text[]", ({ eventType }) => eventType],
  ["code", "text[]", ({ code }) => code],
  ["reason", "text[]", ({ reason }) => reason],
  ["positions", "text[]", ({ positions }) => positions],
];

/** The one statement of a build's lanes: checkpoint, rows and parked keys, all or nothing, only behind the fence. */
export interface WriteStatement {
  /** Name it is prepared under. */
  readonly name: string;
  readonly text: string;
  /**
   * Its parameters, as they are now: the entities that the changes name go on changing with the next batch.
   * The statement gives one row with one column: 1 when written, 0 when another owner has the fence.
   */
  values(write: Write, lane: { readonly topic: string; readonly partition: number }): unknown[];
}

export function writeStatement(layout: ProjectionLayout, build: Build): WriteStatement {
  const parameters = new Parameters();
  const projection = parameters.add("text", () => build.projection);
  const number = parameters.add("integer", () => build.build);
  const topic = parameters.add("text", (_, lane) => lane.topic);
  const partition = parameters.add("integer", (_, lane) => lane.partition);
  const role = parameters.add("name", () => consumerRole(build.consumer));
  const fence = `UPDATE engine.checkpoints AS c SET next_offset = ${parameters.add("bigint", ({ next }) => next)}, journal = ${parameters.add("text", ({ journal }) => journal)}, positions = ${parameters.add("json", ({ positions }) => positions)}, recorded_at = greatest(c.recorded_at, ${parameters.add("timestamptz", ({ recordedAt }) => (recordedAt === null ? null : new Date(recordedAt).toISOString()))}), updated_at = now() WHERE c.projection = ${projection} AND c.build = ${number} AND c.topic = ${topic} AND c.partition = ${partition} AND c.epoch = ${parameters.add("bigint", ({ epoch }) => epoch)} AND c.next_offset = ${parameters.add("bigint", ({ first }) => first)} RETURNING 1`;
  const parked = insertFrom(
    parameters,
    "engine.parked_keys",
    parkedColumns.map(([name, type, get]) => ({
      name,
      type,
      fill: (write) => arrayLiteral(mapped(write.parked, get)),
      ...(name === "positions" ? { expression: "$::json" } : {}),
    })),
    [
      ["projection", projection],
      ["build", number],
      ["topic", topic],
      ["partition", partition],
      ["consumer_role", role],
    ],
    "",
  );
  const parts = [`fence AS (${fence})`, `parked AS (${parked})`];
  for (const table of layout.tables) {
    const target = `${quoted(build.schema)}.${quoted(table.name)}`;
    const statements =
      table.kind === "keyed"
        ? keyedParts(parameters, table, target, partition)
        : table.kind === "summed"
          ? [summedPart(parameters, table, target, [topic, partition])]
          : [appendedPart(parameters, table, target, [topic, partition])];
    statements.forEach((statement, index) => {
      parts.push(`w${table.index}_${index} AS (${statement})`);
    });
  }
  const text = `WITH ${parts.join(", ")} SELECT count(*) FROM fence`;
  return {
    name: `write_${createHash("sha256").update(text).digest("hex").slice(0, 24)}`,
    text,
    values: (write, lane) => {
      const final = finalOf(write);
      return parameters.fills.map((fill) => fill(final, lane));
    },
  };
}
