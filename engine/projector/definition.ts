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
  /**
   * What only the fold needs: in no view. Restricted as well where sealed content decides it, so that it is compared and
   * hashed with the restricted columns, never with the clear ones.
   */
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
  /**
   * keyed: every version of a row is kept, in a view `<table>_history` beside the table's own: its columns that everybody may
   * see, and the range of recorded time in which it stood. A change of restricted or hidden columns alone makes no version:
   * what identifies a person is kept in one place, where an erasure finds it.
   */
  readonly history?: boolean;
}

/** Columns that the engine adds to the versions of a table. */
export const historyColumns = ["event_occurred_at", "recorded_from", "recorded_to", "removed"] as const;

/**
 * Columns the engine adds: a fold never gives them. Keyed tables have all but `source_ordinal`; summed tables have
 * `source_topic` and `source_partition` in their key; appended tables have the four of `source_` as their key.
 */
export const reservedColumns = {
  keyed: ["recorded_at", "source_partition", "source_offset"],
  summed: ["source_topic", "source_partition"],
  appended: ["source_topic", "source_partition", "source_offset", "source_ordinal"],
} as const;

type TableOptions = Omit<Table, "kind" | "history">;
/**
 * `key[0]` is always the event's own key. Every keyed row also has recorded_at, source_partition and source_offset: those
 * of the last event that changed a column which is not restricted.
 */
export const table = (options: TableOptions & Pick<Table, "history">): Table<"keyed"> => ({
  kind: "keyed",
  ...options,
});
/** Every column outside the key is a number that is added up (integer, bigint or money). */
export const summed = (options: TableOptions): Table<"summed"> => ({ kind: "summed", ...options });
export const appended = (options: Omit<TableOptions, "key">): Table<"appended"> => ({
  kind: "appended",
  key: [],
  ...options,
});

/**
 * The event's entity in one keyed table. Rows are given and taken without the first key column and without the engine's
 * own columns. A row given is never to be changed in place: put a new one. A row put that equals the one there changes
 * nothing (`recorded_at` included). A value that its column can't hold parks the event's key.
 */
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

/** Control flow by return, not by throwing: `park(reason)` holds the key back from this event on. The reason names no value. */
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
  /** In no view of its own: what only the projection's `views` need. */
  readonly hidden?: boolean;
  /** Keyed tables it is computed from. */
  readonly from: readonly string[];
  /**
   * Pure: all rows of the tables named in `from` -> all rows of this table, in any order.
   * Rows are given whole: the first key column, hidden and restricted columns too.
   */
  readonly derive: (tables: Readonly<Record<string, readonly Row[]>>) => readonly Row[];
  /**
   * Name of the keyed table whose views this one completes, for what a row can't know of itself (a claim: that another
   * replaced it). Both have the same key. Such a table has no view of its own: the views of the keyed table are
   * `keyed LEFT JOIN derived USING (key)`, where a column outside the key that both have is `COALESCE(derived, keyed)`
   * (type, comment and restriction are the keyed table's), and one that only the derived table has comes after them.
   */
  readonly overlays?: string;
}

export interface Projection<Tables extends Readonly<Record<string, Table>> = Readonly<Record<string, Table>>> {
  /** Folder name in `projections/`. With a keyed table, all event types of the fold are of one topic. */
  readonly name: string;
  /**
   * A topic of others that it reads instead of ours, in the Confluent wire format. The fold's types are then the names of
   * the records there, without namespace; an event is its own position, recorded when it was appended. See
   * {@link projectionOfOthers}.
   */
  readonly topic?: string;
  /** Raised when tables or fold change: a new build is made beside the old one. */
  readonly version: number;
  /** Columns of type json hold any JSON; visible ones are jsonb, so the order of an object's names is not kept. */
  readonly tables: Tables;
  readonly fold: Fold<Tables>;
  readonly derived?: Readonly<Record<string, DerivedTable>>;
  readonly views?: Readonly<Record<string, View>>;
}

/**
 * A further view, made with the build's own. It may take the name of a hidden table's public face: hide the table
 * (`hidden: true`) and name the view as analysts should know it.
 */
export interface View {
  readonly comment: string;
  /**
   * One `select`. `$build.x` is table `x` of this build (hidden tables and columns included; a summed table is there
   * split by source), `$schema.x` is the view `x` in the schema the view is made in (`projections` or
   * `projections_restricted`), also of another projection, `$now` is the time of the question (of an as-of, its instant:
   * no other clock may be asked), `$setting(x)` is the setting `tributary.x` as text, null where it is not set (and in an
   * as-of: no other may be asked). It must give exactly the columns named in `columns`, by name.
   */
  readonly sql: string;
  /** Only in `projections_restricted`. */
  readonly restricted?: boolean;
  /** Column -> comment for analysts; restricted columns are left out of the view in `projections`. */
  readonly columns: Readonly<Record<string, string | { readonly comment: string; readonly restricted: true }>>;
}

/** A projection whose table types no longer matter: what the engine runs. */
export type AnyProjection = Projection<Readonly<Record<string, Table>>>;

/** Checks nothing at run time: the engine validates a definition when it loads it. Infers table types for the fold. */
export function projection<const Tables extends Readonly<Record<string, Table>>>(
  definition: Projection<Tables>,
): AnyProjection {
  return definition as unknown as AnyProjection;
}

/** A fold of events that are not ours: no catalogue knows them, and nothing in them is sealed. */
export type FoldOfOthers<
  Tables extends Readonly<Record<string, Table>>,
  Events extends Readonly<Record<string, object>>,
> = {
  readonly [Type in keyof Events]?: (
    context: Omit<FoldContext<Tables>, "type" | "event" | "sealed"> & {
      readonly type: Type;
      readonly event: Events[Type];
    },
  ) => FoldResult;
};

/**
 * A read model of a topic of others: `projectionOfOthers<{ OrderPlaced: OrderPlaced }>()({ topic: "shop.orders", ... })`.
 * Records are decoded as they were written, with the schema that the registry has under the id on the wire.
 */
export const projectionOfOthers =
  <Events extends Readonly<Record<string, object>>>() =>
  <const Tables extends Readonly<Record<string, Table>>>(
    definition: Omit<Projection<Tables>, "fold" | "topic"> & {
      readonly topic: string;
      readonly fold: FoldOfOthers<Tables, Events>;
    },
  ): AnyProjection =>
    definition as unknown as AnyProjection;
