import type { Row } from "./definition.js";
import type { LaneEvent } from "./events.js";
import type { ProjectionLayout, TableLayout } from "./layout.js";
import { valuesEqual } from "./values.js";
import type { Vector } from "./vector.js";
import { type FoldSource, type RefusedEvents, recount } from "./verify-fold.js";
import type { RowChanged } from "./verify-rows.js";

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
  event: SettingEvent;
  readonly setBy: Map<string, SettingEvent>;
}

const none: RowEvents = { event: null, setBy: {} };

function named({ topic, partition, offset, eventId, type }: LaneEvent): SettingEvent {
  return { topic, partition, offset, id: eventId, type: type ?? null };
}

/** Follows the rows of a few keys from event to event. */
class Traces {
  readonly #rows = new Map<string, Trace>();

  of({ name, definition }: TableLayout, key: Row, columns: readonly string[]): RowEvents {
    const trace = this.#rows.get(nameOf(name, definition.key, key));
    if (!trace) return none;
    const { event, setBy } = trace;
    return { event, setBy: Object.fromEntries(columns.map((column) => [column, setBy.get(column) ?? event])) };
  }

  follow({ event, table: { name, definition, keyColumn, given }, before, after }: RowChanged): void {
    const row = { [keyColumn?.name ?? ""]: event.key, ...(after ?? before) };
    const rowName = nameOf(name, definition.key, row);
    const trace = (before && this.#rows.get(rowName)) || { event: named(event), setBy: new Map() };
    trace.event = named(event);
    for (const column of after ? given : []) {
      const isSet = !before || !valuesEqual(before[column.name], after?.[column.name]);
      if (isSet) trace.setBy.set(column.name, trace.event);
    }
    if (!after) trace.setBy.clear();
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
  const traces = new Traces();
  const tableOf = (name: string) => layout.keyed.find((table) => table.name === name) as TableLayout;
  const isAsked = (table: TableLayout) => asked.some(({ keyed, table: name }) => keyed && name === table.name);
  const keys = new Set(
    asked.flatMap(({ keyed, table }) => (keyed ? [String(keyed[tableOf(table).keyColumn?.name ?? ""])] : [])),
  );
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
      const met = (event: LaneEvent) => {
        for (const name of namesOf(event)) if (places.has(name)) found.set(name, named(event));
      };
      const changed = (change: RowChanged) => {
        if (isAsked(change.table)) traces.follow(change);
      };
      if (end > 0) await recount(source, layout, { topic, partition, to: end, refused, only, met, changed });
    }
  }
  return asked.map(({ table, keyed, place, columns }) => {
    if (keyed) return traces.of(tableOf(table), keyed, columns);
    const event = place === undefined ? undefined : found.get(place);
    return event ? { event, setBy: Object.fromEntries(columns.map((column) => [column, event])) } : none;
  });
}
