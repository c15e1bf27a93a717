import type { AppendedRows, FoldResult, KeyedRows, Row, SummedRows } from "./definition.js";
import { isErasure, mayErase } from "./erasures.js";
import type { LaneEvent } from "./events.js";
import type { ProjectionLayout, TableLayout } from "./layout.js";
import { parkedByOperator, writeRefused } from "./park-reason.js";
import { RowProblem, type RowShape, rowShape } from "./row-shape.js";
import { keyProblem } from "./values.js";

/** Rows of one key in one keyed table, by the rest of their keys. */
export type RowsOfTable = ReadonlyMap<string, Row>;
/** Rows of one key, by the table's index. */
export type RowsOfKey = readonly RowsOfTable[];

/** What a key is after some of its events. */
export interface KeyState {
  readonly rows: RowsOfKey;
  /** By which event it is held, and why. */
  readonly held: { readonly event: LaneEvent; readonly code: string } | undefined;
}

/** What one event added to tables that are not of its key. */
export interface Additions {
  sum(table: TableLayout, key: Row, increments: Readonly<Record<string, number>>): void;
  append(table: TableLayout, row: Row, event: LaneEvent): void;
}

export interface Handled {
  readonly decided: "skip" | "park" | undefined;
  readonly isRefused: boolean;
}

interface Folding {
  /** Notes what a column can't hold, even where the fold catches the error. */
  readonly checked: <Result>(work: () => Result) => Result;
  /** Done once the event is known to be applied. */
  readonly later: (add: () => void) => void;
  readonly additions: Additions;
}

const noRows: RowsOfTable = new Map();
const noAdditions: Additions = { sum: () => {}, append: () => {} };

/** The rest of a row's key as one string; no text of a row holds a NUL. */
const restName = ({ rest }: TableLayout, row: Row | undefined) =>
  rest.map(({ name }) => String(row?.[name])).join("\0");

/**
 * Folds one key, event by event, on plain maps: for `projections verify`. With the lanes it has in common the definition, and
 * what a column can hold; it is slow, and keeps nothing between events but the rows.
 */
export class KeyFold {
  readonly #layout: ProjectionLayout;
  readonly #whole: ReadonlyMap<TableLayout, RowShape>;
  readonly #rests: ReadonlyMap<TableLayout, RowShape>;
  readonly #sums: ReadonlyMap<TableLayout, RowShape>;
  readonly #folds: ReadonlyMap<string, (context: object) => FoldResult>;

  constructor(layout: ProjectionLayout) {
    this.#layout = layout;
    const shapes = (columns: (table: TableLayout) => TableLayout["columns"]) =>
      new Map(layout.tables.map((table) => [table, rowShape(table.name, columns(table))]));
    this.#whole = shapes(({ given }) => given);
    this.#rests = shapes(({ rest }) => rest);
    this.#sums = shapes(({ sums }) => sums);
    this.#folds = new Map(Object.entries(layout.definition.fold) as [string, (context: object) => FoldResult][]);
  }

  /** A key without any event. */
  start(): KeyState {
    return { rows: this.#layout.tables.map(() => noRows), held: undefined };
  }

  /** Whether events of a type do anything. */
  #isFolded(type: string | undefined): boolean {
    return type !== undefined && (this.#folds.has(type) || mayErase(this.#layout, type));
  }

  next(state: KeyState, event: LaneEvent, { decided, isRefused }: Handled, additions = noAdditions): KeyState {
    const erased = () =>
      decided === undefined && !isRefused && isErasure(this.#layout, event) ? this.#erased(state.rows) : state.rows;
    if (state.held) return { ...state, rows: erased() };
    if (decided === "skip") return state;
    const held = (code: string): KeyState => ({ rows: erased(), held: { event, code } });
    if (decided === "park") return held(parkedByOperator.code);
    if (isRefused) return held(writeRefused);
    if (event.undecodable) return held(event.undecodable.code);
    if (!this.#isFolded(event.type)) return state;
    return this.#fold(state, event, additions, held);
  }

  #fold(state: KeyState, event: LaneEvent, additions: Additions, held: (code: string) => KeyState): KeyState {
    const rows = [...state.rows];
    const done: (() => void)[] = [];
    let isProblem = false;
    const checked = <Result>(work: () => Result): Result => {
      try {
        return work();
      } catch (error) {
        isProblem ||= error instanceof RowProblem;
        throw error;
      }
    };
    const tables = Object.fromEntries(
      this.#layout.tables.map((table) => {
        const later = (add: () => void) => void done.push(add);
        return [table.name, this.#tableOf(table, event, rows, { checked, later, additions })] as const;
      }),
    );
    const { type, key, event: said, opened, position, topic, partition, offset } = event;
    const source = { topic, partition, offset };
    const fold = this.#folds.get(type ?? "");
    let result: FoldResult;
    let isThrown = false;
    try {
      result = fold?.({ type, key, event: said, sealed: opened ?? null, position, source, tables });
    } catch {
      isThrown = true;
    }
    if (isProblem) return held("TRIB_PROJECT_VALUE_INVALID");
    if (isThrown) return held("TRIB_PROJECT_FOLD_FAILED");
    if (result) return held("TRIB_PROJECT_FOLD_PARKED");
    for (const add of done) add();
    return { rows: isErasure(this.#layout, event) ? this.#erased(rows) : rows, held: undefined };
  }

  #tableOf(
    table: TableLayout,
    event: LaneEvent,
    rows: RowsOfTable[],
    { checked, later, additions }: Folding,
  ): KeyedRows | SummedRows | AppendedRows {
    const take = (shape: ReadonlyMap<TableLayout, RowShape>, row: Row) =>
      checked(() => (shape.get(table) as RowShape).take(row));
    const inIndex = (row: Row) =>
      checked(() => {
        const problem = keyProblem(table.keyTexts(event.key, row));
        if (problem) throw new RowProblem(`${table.name} ${problem}`);
      });
    if (table.kind === "summed") {
      return {
        add: (key, increments) => {
          const name = take(this.#rests, key);
          inIndex(name);
          const more = take(this.#sums, increments);
          later(() => additions.sum(table, name, more as Readonly<Record<string, number>>));
        },
      };
    }
    if (table.kind === "appended") {
      return {
        append: (row) => {
          const whole = take(this.#whole, row);
          later(() => additions.append(table, whole, event));
        },
      };
    }
    const named = (rest: Row | undefined) =>
      checked(() => {
        for (const { name } of table.rest) {
          if ((rest?.[name] ?? null) === null) throw new RowProblem(`${table.name} is asked for a row without ${name}`);
        }
        return restName(table, rest);
      });
    const there = () => rows[table.index] as RowsOfTable;
    const change = (work: (changed: Map<string, Row>) => void) => {
      const changed = new Map(there());
      work(changed);
      rows[table.index] = changed;
    };
    return {
      get: (rest) => there().get(named(rest)),
      all: () => [...there().values()].sort((left, right) => inOrder(table, left, right)),
      put: (row) => {
        checked(() => {
          if (table.keyColumn?.problemOf(event.key))
            throw new RowProblem(`${table.name} can't be keyed by the event's key`);
        });
        const whole = take(this.#whole, row);
        inIndex(whole);
        change((changed) => changed.set(restName(table, whole), whole));
      },
      delete: (rest) => {
        const name = named(rest);
        change((changed) => changed.delete(name));
      },
    };
  }

  /** Without what identifies a person. */
  #erased(rows: RowsOfKey): RowsOfKey {
    return this.#layout.tables.map((table) => {
      const there = rows[table.index] ?? noRows;
      if (table.kind !== "keyed" || table.definition.restricted) return noRows;
      const gone = table.columns
        .filter(({ column, inKey }) => column.restricted && !inKey)
        .map(({ name }) => [name, null]);
      return new Map([...there].map(([rest, row]) => [rest, { ...row, ...Object.fromEntries(gone) }]));
    });
  }
}

function inOrder({ rest }: TableLayout, left: Row, right: Row): number {
  for (const { name } of rest) {
    const [one, other] = [left[name] as string | number, right[name] as string | number];
    if (one !== other) return one < other ? -1 : 1;
  }
  return 0;
}
