import type { AppendedRows, ColumnValue, KeyedRows, Row, SummedRows } from "./definition.js";
import type { Entity, Slot } from "./entity.js";
import type { ColumnLayout, TableLayout } from "./layout.js";
import { RowProblem, type RowShape, rowShape } from "./row-shape.js";
import type { HistoryChange } from "./row-version.js";
import { keyProblem } from "./values.js";

/** Parts of a row's key after the event's own, as one string; no text of a row holds a NUL. */
export function restOf(table: TableLayout, row: Row | undefined): string {
  const { rest } = table;
  if (rest.length === 0) return "";
  if (rest.length === 1) return String(row?.[(rest[0] as ColumnLayout).name]);
  return rest.map(({ name }) => String(row?.[name])).join("\0");
}

/** A part of a key as {@link restOf} wrote it. */
export function restValue({ column }: ColumnLayout, rest: string, index: number): ColumnValue {
  const part = rest.split("\0")[index] ?? "";
  if (column.kind === "boolean") return part === "true";
  return column.kind === "integer" || column.kind === "bigint" || column.kind === "instant" ? Number(part) : part;
}

/** The parts of a key after the event's own, by column. */
export const restValues = (table: TableLayout, rest: string): Row =>
  Object.fromEntries(table.rest.map((column, index) => [column.name, restValue(column, rest, index)]));

/** What a version keeps of a column; of a row removed that is its key. @param index among the columns kept. */
export const versionValue = (
  table: TableLayout,
  kept: ColumnLayout,
  row: Row | undefined,
  rest: string,
  index: number,
): ColumnValue => (row ? (row[kept.name] ?? null) : index < table.rest.length ? restValue(kept, rest, index) : null);

function compareKeys(table: TableLayout, left: Row, right: Row): number {
  for (const { name } of table.rest) {
    const [one, other] = [left[name] as string | number, right[name] as string | number];
    if (one !== other) return one < other ? -1 : 1;
  }
  return 0;
}

/** What one event did to one table. Kept apart from the entity until the event is known to be applied as a whole. */
export interface TableScope {
  /** Forgets the event before. `key` and `entity` are the event's. */
  begin(entity: Entity, key: string): void;
  /** The first thing wrong that the fold gave, even if the fold caught the error. */
  problem(): RowProblem | undefined;
}

abstract class Scope {
  protected readonly table: TableLayout;
  #problem: RowProblem | undefined;

  constructor(table: TableLayout) {
    this.table = table;
  }

  begin(_entity: Entity, _key: string): void {
    this.#problem = undefined;
  }

  problem(): RowProblem | undefined {
    return this.#problem;
  }

  protected take(row: Row, shape: RowShape): Row {
    try {
      return shape.take(row);
    } catch (error) {
      if (error instanceof RowProblem) this.#problem ??= error;
      throw error;
    }
  }

  protected refuse(message: string): never {
    const problem = new RowProblem(`${this.table.name} ${message}`);
    this.#problem ??= problem;
    throw problem;
  }
}

export class KeyedScope extends Scope implements KeyedRows, TableScope {
  /** By the rest of the key; undefined is a deletion. Of a table keyed by the entity alone nothing is in it. */
  readonly #many = new Map<string, Row | undefined>();
  /** Whether the table is keyed by the entity alone: then there is one row, and no map is needed for it. */
  readonly #isOne: boolean;
  #oneChanged = false;
  #one: Row | undefined;
  readonly #keyProblem: ColumnLayout["problemOf"];
  readonly #shape: RowShape;
  /** Of what everybody may see; undefined when that is all. */
  readonly #clear: RowShape | undefined;
  /** Columns that an erasure empties. */
  readonly #erased: readonly string[];
  /** Of what its versions keep; undefined when it keeps none. */
  readonly #kept: RowShape | undefined;
  #entity: Entity | undefined;
  #key = "";

  constructor(table: TableLayout) {
    super(table);
    this.#isOne = table.rest.length === 0;
    this.#keyProblem = (table.keyColumn as ColumnLayout).problemOf;
    this.#shape = rowShape(table.name, table.given);
    this.#erased = table.given.filter(({ column, inKey }) => column.restricted && !inKey).map(({ name }) => name);
    this.#clear = table.clear.length < table.given.length ? rowShape(table.name, table.clear) : undefined;
    this.#kept = table.history && rowShape(table.name, table.history.columns);
  }

  override begin(entity: Entity, key: string): void {
    super.begin(entity, key);
    this.#oneChanged = false;
    if (this.#many.size > 0) this.#many.clear();
    this.#entity = entity;
    this.#key = key;
  }

  /** Rows that the event changed, as they are now. */
  *changedRows(): Generator<Row> {
    if (this.#oneChanged && this.#one) yield this.#one;
    for (const row of this.#many.values()) if (row) yield row;
  }

  #stored(rest: string): Row | undefined {
    return this.#entity?.slot(this.table.index, rest)?.row;
  }

  #set(rest: string, row: Row | undefined): void {
    if (this.#isOne) {
      this.#oneChanged = true;
      this.#one = row;
    } else this.#many.set(rest, row);
  }

  #unset(rest: string): void {
    if (this.#isOne) this.#oneChanged = false;
    else this.#many.delete(rest);
  }

  get(rest?: Row): Row | undefined {
    if (this.#isOne) return this.#oneChanged ? this.#one : this.#stored("");
    const key = this.#rest(rest);
    return this.#many.has(key) ? this.#many.get(key) : this.#stored(key);
  }

  #rest(rest: Row | undefined): string {
    for (const { name } of this.table.rest) {
      if (rest?.[name] === undefined || rest[name] === null) this.refuse(`is asked for a row without ${name}`);
    }
    return restOf(this.table, rest);
  }

  all(): readonly Row[] {
    const one = this.#isOne ? this.get() : undefined;
    if (this.#isOne) return one ? [one] : [];
    const rows: Row[] = [];
    for (const { row, rest } of this.#entity?.slots(this.table.index) ?? []) {
      if (row && !this.#many.has(rest)) rows.push(row);
    }
    for (const row of this.#many.values()) if (row) rows.push(row);
    return rows.sort((left, right) => compareKeys(this.table, left, right));
  }

  /** Rows of another entity in this table, in no order. */
  rowsOf(entity: Entity): readonly Row[] {
    const rows: Row[] = [];
    for (const { row } of entity.slots(this.table.index)) if (row) rows.push(row);
    return rows;
  }

  /** A row's key after the entity's own. */
  nameOf(row: Row): string {
    return restOf(this.table, row);
  }

  put(row: Row): void {
    const problem = this.#keyProblem(this.#key);
    if (problem) this.refuse(`can't be keyed by the event's key: it ${problem}`);
    const whole = this.take(row, this.#shape);
    const tooLong = keyProblem(this.table.keyTexts(this.#key, whole));
    if (tooLong) this.refuse(tooLong);
    const rest = restOf(this.table, whole);
    const stored = this.#stored(rest);
    if (stored && this.#shape.equal(stored, whole)) this.#unset(rest);
    else this.#set(rest, whole);
  }

  delete(rest?: Row): void {
    const key = this.#rest(rest);
    if (this.#stored(key)) this.#set(key, undefined);
    else this.#unset(key);
  }

  /** Takes what is restricted out of every row of the entity; rows of a table that is restricted as a whole go. */
  erase(): void {
    if (this.table.definition.restricted) for (const row of this.all()) this.delete(row);
    else if (this.#erased.length > 0) {
      const gone = Object.fromEntries(this.#erased.map((name) => [name, null]));
      for (const row of this.all()) this.put({ ...row, ...gone });
    }
  }

  get keepsHistory(): boolean {
    return this.#kept !== undefined;
  }

  /** Adds the versions that the event made, before its changes are made part of the entity. */
  addVersions(entity: Entity, recordedAt: number, offset: number, event: object, versions: HistoryChange[]): void {
    if (!this.#oneChanged && this.#many.size === 0) return;
    const time = (event as { readonly meta?: { readonly time?: unknown } }).meta?.time;
    const occurredAt = typeof time === "number" ? time : null;
    const add = (rest: string, row: Row | undefined) => {
      const before = this.#stored(rest);
      if (before && row ? this.#kept?.equal(before, row) : before === row) return;
      versions.push({ key: entity.key, rest, row, occurredAt, recordedAt, offset });
    };
    if (this.#oneChanged) add("", this.#one);
    for (const [rest, row] of this.#many) add(rest, row);
  }

  /** Makes the changes part of the entity; slots that now have to be written and had not before are added to `dirty`. */
  commit(entity: Entity, recordedAt: number, offset: number, dirty: Slot[]): void {
    if (this.#oneChanged) this.#commitRow(entity, "", this.#one, recordedAt, offset, dirty);
    if (this.#many.size === 0) return;
    for (const [rest, row] of this.#many) this.#commitRow(entity, rest, row, recordedAt, offset, dirty);
  }

  #commitRow(
    entity: Entity,
    rest: string,
    row: Row | undefined,
    recordedAt: number,
    offset: number,
    dirty: Slot[],
  ): void {
    const slot = entity.ensureSlot(this.table.index, rest);
    // A change of restricted columns alone is none for `recorded_at` and its like, which everybody sees: they would
    // tell what was sealed, and differ once it can't be opened any more.
    if (!(this.#clear && row && slot.row && this.#clear.equal(slot.row, row))) {
      slot.recordedAt = recordedAt;
      slot.offset = offset;
    }
    slot.row = row;
    if (slot.dirty) return;
    slot.dirty = true;
    dirty.push(slot);
  }
}

export class SummedScope extends Scope implements SummedRows, TableScope {
  readonly changes: { readonly key: Row; readonly increments: Readonly<Record<string, number>> }[] = [];
  readonly #key: RowShape;
  readonly #sums: RowShape;

  constructor(table: TableLayout) {
    super(table);
    this.#key = rowShape(table.name, table.rest);
    this.#sums = rowShape(table.name, table.sums);
  }

  override begin(entity: Entity, key: string): void {
    super.begin(entity, key);
    this.changes.length = 0;
  }

  add(key: Row, increments: Readonly<Record<string, number>>): void {
    const taken = this.take(key, this.#key);
    const tooLong = keyProblem(this.table.keyTexts("", taken));
    if (tooLong) this.refuse(tooLong);
    this.changes.push({
      key: taken,
      increments: this.take(increments, this.#sums) as Readonly<Record<string, number>>,
    });
  }
}

export class AppendedScope extends Scope implements AppendedRows, TableScope {
  readonly changes: Row[] = [];
  readonly #shape: RowShape;

  constructor(table: TableLayout) {
    super(table);
    this.#shape = rowShape(table.name, table.given);
  }

  override begin(entity: Entity, key: string): void {
    super.begin(entity, key);
    this.changes.length = 0;
  }

  append(row: Row): void {
    this.changes.push(this.take(row, this.#shape));
  }
}

export type AnyScope = KeyedScope | SummedScope | AppendedScope;

export function scopeOf(table: TableLayout): AnyScope {
  if (table.kind === "keyed") return new KeyedScope(table);
  return table.kind === "summed" ? new SummedScope(table) : new AppendedScope(table);
}
