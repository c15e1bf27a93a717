import type { Row } from "./definition.js";
import type { LaneEvent } from "./events.js";
import type { ProjectionLayout, TableLayout } from "./layout.js";
import { PureFold } from "./pure.js";
import { valuesEqual } from "./values.js";
import type { Vector } from "./vector.js";
import { type FoldSource, foldPartition, type RefusedEvents } from "./verify-fold.js";

/** An event of the log, as who looks for it needs it. */
export interface SettingEvent {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  /** Null when its bytes can't be decoded. */
  readonly id: string | null;
  readonly type: string | null;
}

/** Which events should have made a row what the log says it is. */
export interface RowEvents {
  /** The last one that set a column of it, made it or took it away; null when no event ever made it, or many do. */
  readonly event: SettingEvent | null;
  /** By column that differs. */
  readonly setBy: Readonly<Record<string, SettingEvent>>;
}

/** A row of which the events are asked. */
export interface AskedRow {
  readonly table: string;
  /** Row of a keyed table: its key columns. */
  readonly keyed?: Row;
  /** Row that one event made: its place, `topic/partition/offset`, or `key@offset`. */
  readonly place?: string;
  /** Columns that differ. */
  readonly columns: readonly string[];
}

interface Trace {
  row: Row | undefined;
  event: SettingEvent;
  readonly setBy: Map<string, SettingEvent>;
}

const none: RowEvents = { event: null, setBy: {} };

function named({ topic, partition, offset, eventId, type }: LaneEvent): SettingEvent {
  return { topic, partition, offset, id: eventId, type: type ?? null };
}

/** Follows the rows of a few keys from event to event. */
class Traces {
  readonly #tables: readonly TableLayout[];
  readonly #pure: PureFold;
  readonly #rows = new Map<string, Trace>();

  constructor(tables: readonly TableLayout[], pure: PureFold) {
    this.#tables = tables;
    this.#pure = pure;
  }

  of(table: string, key: Row, columns: readonly string[]): RowEvents {
    const definition = this.#tables.find(({ name }) => name === table)?.definition;
    const trace = this.#rows.get(nameOf(table, definition?.key ?? [], key));
    if (!trace) return none;
    const { event, setBy } = trace;
    return { event, setBy: Object.fromEntries(columns.map((column) => [column, setBy.get(column) ?? event])) };
  }

  follow(event: LaneEvent): void {
    for (const table of this.#tables) {
      const { name, definition, keyColumn } = table;
      const there = new Set<string>();
      for (const { row } of this.#pure.rows(name)) {
        if (row[keyColumn?.name ?? ""] !== event.key) continue;
        const rowName = nameOf(name, definition.key, row);
        there.add(rowName);
        this.#compare(rowName, row, event);
      }
      for (const [rowName, trace] of this.#rows) {
        if (!trace.row || !rowName.startsWith(`${name}\0${event.key}\0`) || there.has(rowName)) continue;
        trace.row = undefined;
        trace.event = named(event);
        trace.setBy.clear();
      }
    }
  }

  #compare(rowName: string, row: Row, event: LaneEvent): void {
    const trace = this.#rows.get(rowName) ?? { row: undefined, event: named(event), setBy: new Map() };
    const { row: before } = trace;
    for (const [column, value] of Object.entries(row)) {
      if (before && valuesEqual(before[column], value)) continue;
      trace.event = named(event);
      trace.setBy.set(column, trace.event);
    }
    trace.row = row;
    this.#rows.set(rowName, trace);
  }
}

const nameOf = (table: string, key: readonly string[], row: Row): string =>
  `${table}\0${key.map((column) => `${String(row[column])}\0`).join("")}`;

/**
 * Folds the keys of a few rows again, and notes which event set each of their columns last. Names events, no values.
 * @param recomputed where the recomputation ends, and what it takes for refused.
 */
export async function settingEvents(
  source: FoldSource,
  layout: ProjectionLayout,
  { vector, refused }: { readonly vector: Vector; readonly refused: RefusedEvents },
  asked: readonly AskedRow[],
): Promise<readonly RowEvents[]> {
  const { decisions } = source;
  const pure = new PureFold(layout.definition, decisions ? { decisions } : {});
  const tables = layout.keyed.filter(({ name }) => asked.some(({ table, keyed }) => keyed && table === name));
  const traces = new Traces(tables, pure);
  const keys = new Set(asked.flatMap(({ keyed, table }) => (keyed ? [entityOf(layout, table, keyed)] : [])));
  const places = new Set(asked.flatMap(({ place }) => (place === undefined ? [] : [place])));
  const found = new Map<string, SettingEvent>();
  for (const [topic, partitions] of Object.entries(vector)) {
    for (const [number, end] of Object.entries(partitions)) {
      const partition = Number(number);
      const namesOf = ({ key, offset }: { readonly key: string; readonly offset: number }) => [
        `${topic}/${partition}/${offset}`,
        `${key}@${offset}`,
      ];
      const only = (record: { readonly key: string; readonly offset: number }) =>
        keys.has(record.key) || namesOf(record).some((name) => places.has(name));
      const told = (event: LaneEvent) => {
        for (const name of namesOf(event)) if (places.has(name)) found.set(name, named(event));
        if (keys.has(event.key)) traces.follow(event);
      };
      if (end > 0) await foldPartition(source, pure, { topic, partition, to: end, refused, only, told });
    }
  }
  return asked.map(({ table, keyed, place, columns }) => {
    if (keyed) return traces.of(table, keyed, columns);
    const event = place === undefined ? undefined : found.get(place);
    return event ? { event, setBy: Object.fromEntries(columns.map((column) => [column, event])) } : none;
  });
}

function entityOf(layout: ProjectionLayout, table: string, row: Row): string {
  const { keyColumn } = layout.keyed.find(({ name }) => name === table) ?? {};
  return String(row[keyColumn?.name ?? ""]);
}
