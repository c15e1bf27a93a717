/**
 * The words a projection is written in. A projection is one plain object: tables and a pure fold.
 *
 * keyed: rows belong to the event's own key (their first key column is filled with it); one writer, the partition's owner.
 * summed: commuting increments, keyed by anything; stored per source partition, added up by the view.
 * appended: rows made by one event, never changed.
 */
import type { EventTypes, SealedTypes } from "../../schemas/events.generated.js";
import type { EventPosition } from "../log/position.js";

export type EventType = keyof EventTypes;

/** SQL types a column may have, and the JavaScript value a fold gives: see {@link ColumnValue}. */
export type ColumnKind =
  | "uuid"
  | "text"
  | "text[]"
  | "uuid[]"
  | "integer"
  | "bigint"
  | "boolean"
  | "money"
  | "date"
  | "instant"
  | "json";

export interface Column<Kind extends ColumnKind = ColumnKind, Values extends string = string> {
  readonly kind: Kind;
  /** Comment on the view's column, for analysts. */
  readonly comment: string;
  /** Allowed values of a text column. */
  readonly values?: readonly Values[];
  /** Identifies a person: only in `projections_restricted`. */
  readonly restricted?: boolean;
  /** What only the fold needs: in no view. */
  readonly hidden?: boolean;
  readonly indexed?: boolean;
}

/** money: integer cents; date: YYYY-MM-DD; instant: epoch milliseconds; json: any JSON value. Null everywhere allowed but in keys. */
export type ColumnValue = string | number | boolean | readonly string[] | JsonValue | null;
export type JsonValue =
  | string
  | number
  | boolean
  | null
  | readonly JsonValue[]
  | { readonly [name: string]: JsonValue };
export type Row = Readonly<Record<string, ColumnValue>>;

export const uuid = (comment: string): Column<"uuid"> => ({ kind: "uuid", comment });
export const uuids = (comment: string): Column<"uuid[]"> => ({ kind: "uuid[]", comment });
export const text = (comment: string): Column<"text"> => ({ kind: "text", comment });
export const texts = (comment: string): Column<"text[]"> => ({ kind: "text[]", comment });
export const oneOf = <Values extends string>(values: readonly Values[], comment: string): Column<"text", Values> => ({
  kind: "text",
  comment,
  values,
});
export const integer = (comment: string): Column<"integer"> => ({ kind: "integer", comment });
export const bigint = (comment: string): Column<"bigint"> => ({ kind: "bigint", comment });
export const boolean = (comment: string): Column<"boolean"> => ({ kind: "boolean", comment });
/** numeric(14,2) in Postgres, integer cents in the fold. */
export const money = (comment: string): Column<"money"> => ({ kind: "money", comment });
export const date = (comment: string): Column<"date"> => ({ kind: "date", comment });
/** timestamptz in Postgres, epoch milliseconds in the fold. */
export const instant = (comment: string): Column<"instant"> => ({ kind: "instant", comment });
export const json = (comment: string): Column<"json"> => ({ kind: "json", comment });
export const restricted = <C extends Column>(column: C): C => ({ ...column, restricted: true });
export const hidden = <C extends Column>(column: C): C => ({ ...column, hidden: true });
export const indexed = <C extends Column>(column: C): C => ({ ...column, indexed: true });

export type TableKind = "keyed" | "summed" | "appended";

export interface Table<Kind extends TableKind = TableKind> {
  readonly kind: Kind;
  readonly comment: string;
  /** keyed and summed: the key columns; appended: none (the event's position is the key). */
  readonly key: readonly string[];
  readonly columns: Readonly<Record<string, Column>>;
  /** The whole table is for the restricted schema only. */
  readonly restricted?: boolean;
  /** In no view: what only folds and derived tables need. */
  readonly hidden?: boolean;
}

type TableOptions = Omit<Table, "kind">;
/** `key[0]` is always the event's own key. Every keyed row also has recorded_at, source_partition and source_offset. */
export const table = (options: TableOptions): Table<"keyed"> => ({ kind: "keyed", ...options });
/** Every column outside the key is a number that is added up (integer, bigint or money). */
export const summed = (options: TableOptions): Table<"summed"> => ({ kind: "summed", ...options });
export const appended = (options: Omit<TableOptions, "key">): Table<"appended"> => ({
  kind: "appended",
  key: [],
  ...options,
});

/** The event's entity in one keyed table. Rows are given and taken without the first key column. */
export interface KeyedRows {
  /** The row with the rest of the key (nothing, when the table's key is the event's key alone). */
  get(rest?: Row): Row | undefined;
  /** All rows of the entity, in the order of their keys. */
  all(): readonly Row[];
  /** Writes a whole row; columns left out are null. */
  put(row: Row): void;
  delete(rest?: Row): void;
}

export interface SummedRows {
  add(key: Row, increments: Readonly<Record<string, number>>): void;
}

export interface AppendedRows {
  append(row: Row): void;
}

type RowsOf<T extends Table> =
  T extends Table<"keyed"> ? KeyedRows : T extends Table<"summed"> ? SummedRows : AppendedRows;

export interface FoldContext<Tables extends Readonly<Record<string, Table>>, Type extends EventType = EventType> {
  readonly type: Type;
  readonly event: EventTypes[Type];
  /** The opened sealed content, or null when there is none or its key is gone. Decides restricted columns only. */
  readonly sealed: SealedTypes[Type] | null;
  /** The event's key. */
  readonly key: string;
  /** Journal position: the tie-breaker of equal business times, and the recorded time. */
  readonly position: EventPosition;
  readonly source: { readonly topic: string; readonly partition: number; readonly offset: number };
  readonly tables: { readonly [Name in keyof Tables]: RowsOf<Tables[Name]> };
}

/** Control flow by return, not by throwing: `park(reason)` holds the key back from this event on. */
export type FoldResult = undefined | { readonly park: string };
export const park = (reason: string): FoldResult => ({ park: reason });

export type Fold<Tables extends Readonly<Record<string, Table>>> = {
  readonly [Type in EventType]?: (context: FoldContext<Tables, Type>) => FoldResult;
};

/** A read model kept by one owner from the keyed tables: what needs the whole graph (see `persons`). */
export interface DerivedTable {
  readonly comment: string;
  readonly key: readonly string[];
  readonly columns: Readonly<Record<string, Column>>;
  readonly restricted?: boolean;
  /** Keyed tables it is computed from. */
  readonly from: readonly string[];
  /** Pure: all rows of the tables named in `from` (first key column included) -> all rows of this table. */
  readonly derive: (tables: Readonly<Record<string, readonly Row[]>>) => readonly Row[];
}

export interface Projection<Tables extends Readonly<Record<string, Table>> = Readonly<Record<string, Table>>> {
  /** Folder name in `projections/`. */
  readonly name: string;
  /** Raised when tables or fold change: a new build is made beside the old one. */
  readonly version: number;
  readonly tables: Tables;
  readonly fold: Fold<Tables>;
  readonly derived?: Readonly<Record<string, DerivedTable>>;
  /** Further views, SQL by name: `select` text over views of the same schema (`$schema` stands for it). */
  readonly views?: Readonly<
    Record<
      string,
      {
        readonly comment: string;
        readonly sql: string;
        readonly restricted?: boolean;
        readonly columns: Readonly<Record<string, string>>;
      }
    >
  >;
}

/** A projection whose table types no longer matter: what the engine runs. */
export type AnyProjection = Projection<Readonly<Record<string, Table>>>;

/** Checks nothing at run time: the engine validates a definition when it loads it. Infers table types for the fold. */
export function projection<const Tables extends Readonly<Record<string, Table>>>(
  definition: Projection<Tables>,
): AnyProjection {
  return definition as unknown as AnyProjection;
}
