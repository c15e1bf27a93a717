import { TributaryError } from "../service/errors.js";
import { added, Changes, type Sum } from "./changes.js";
import type { Decisions } from "./decisions.js";
import type { AnyProjection, Row } from "./definition.js";
import { holdable } from "./derived-rows.js";
import { type ChangeSource, Entity } from "./entity.js";
import type { LaneEvent } from "./events.js";
import { type FoldInput, FoldMachine } from "./fold.js";
import { layOut, type ProjectionLayout, type TableLayout } from "./layout.js";
import { type ParkReason, parkedByOperator } from "./park-reason.js";
import { differenceOf, retellRows, tell } from "./retelling.js";
import { KeyedScope, restValues } from "./scope.js";
import { validateProjection } from "./validate.js";

/** A row as folded in memory, with the last event that changed it (keyed) or made it (appended). */
export interface PureRow {
  /** Every column of the table, the event's key included. A sum beyond exact numbers is given as text. */
  readonly row: Row;
  readonly source: ChangeSource | undefined;
  /** appended: of the event that made it. */
  readonly topic?: string;
}

/** A version of a row, as an event left it. */
export interface PureVersion {
  /** The columns that versions keep, the key included; of a row removed the key alone, the others null. */
  readonly row: Row;
  readonly removed: boolean;
  readonly occurredAt: number | null;
  readonly recordedAt: number;
  readonly offset: number;
}

export interface PureParked extends ParkReason {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly key: string;
}

/** An event, or one that can't be decoded: `parked` then says why. */
export interface PureInput extends Omit<FoldInput, "type"> {
  readonly type: FoldInput["type"] | undefined;
  readonly undecodable?: ParkReason;
}

/** Freezes a value and all in it. */
export function frozen<T>(value: T): T {
  if (typeof value !== "object" || value === null || Object.isFrozen(value) || ArrayBuffer.isView(value)) return value;
  for (const part of Object.values(value)) frozen(part);
  return Object.freeze(value);
}

/**
 * The read model as a pure function of the log: no batches, no database, no cache. What the lanes keep in Postgres must
 * equal it, row by row; `projections verify` and the tests compare.
 *
 * Events of one partition are to be given in its order, without repetitions.
 */
export class PureFold {
  readonly layout: ProjectionLayout;
  readonly parked: PureParked[] = [];
  readonly #machine: FoldMachine;
  readonly #changes: Changes;
  readonly #entities = new Map<string, { readonly entity: Entity; readonly partition: number }>();
  readonly #held = new Set<string>();
  readonly #appended = new Map<number, { readonly lane: string; readonly found: PureRow }[]>();

  readonly #freeze: boolean;
  readonly #decisions: Pick<Decisions, "decisionAt"> | undefined;

  /**
   * @param options.freeze makes a fold throw that changes a row in place: it would work here and break behind a cache.
   * @param options.decisions what operators decided about events; default nothing.
   * @throws TRIB_PROJECT_DEFINITION_INVALID
   */
  constructor(
    projection: AnyProjection,
    options: { readonly freeze?: boolean; readonly decisions?: Pick<Decisions, "decisionAt"> } = {},
  ) {
    validateProjection(projection);
    this.#freeze = options.freeze ?? false;
    this.#decisions = options.decisions;
    this.layout = layOut(projection);
    this.#machine = new FoldMachine(this.layout);
    this.#changes = new Changes(this.layout);
  }

  apply(input: PureInput): void {
    const { topic, partition, offset } = input.source;
    const lane = `${topic}\0${partition}\0${input.key}`;
    const decided = this.#decisions?.decisionAt(topic, partition, offset);
    if (this.#held.has(lane)) {
      if (decided === undefined) this.#eraseOnly(lane, input);
      return;
    }
    if (decided === "skip") return;
    let found = this.#entities.get(lane);
    if (!found) {
      found = { entity: new Entity(input.key), partition };
      this.#entities.set(lane, found);
    }
    const { entity } = found;
    const { type, key, event, sealed, position, undecodable } = input;
    const given = {
      topic,
      partition,
      offset,
      type,
      key,
      event,
      position,
      undecodable,
      eventId: null,
      origin: undefined,
    };
    const reason =
      (decided === "park" ? parkedByOperator : undecodable) ??
      this.#machine.apply({ ...given, sealed: null, opened: sealed }, entity);
    if (reason) {
      this.#held.add(lane);
      this.parked.push({ topic, partition, offset, key: input.key, ...reason });
      if (decided === undefined) this.#eraseOnly(lane, input);
      return;
    }
    if (this.#freeze) {
      for (const scope of this.#machine.scopes)
        if (scope instanceof KeyedScope) for (const row of scope.changedRows()) frozen(row);
    }
    const source = { recordedAt: input.position.recordedAt, partition, offset };
    this.#changes.take(this.#machine.scopes, entity, source.recordedAt, offset, event);
    for (const table of this.layout.tables) {
      const rows = this.#changes.appended[table.index] ?? [];
      for (const { row } of rows) this.#append(table.index, lane, row, source);
      rows.length = 0;
    }
  }

  /** What an event of a held key erases. */
  #eraseOnly(lane: string, { type, key, event, position, source, undecodable }: PureInput): void {
    const { entity } = this.#entities.get(lane) ?? {};
    if (!entity || undecodable || !this.#machine.eraseOnly({ type, key, event }, entity)) return;
    this.#changes.take(this.#machine.scopes, entity, position.recordedAt, source.offset, event);
  }

  #append(table: number, lane: string, row: Row, source: ChangeSource): void {
    const all = this.#appended.get(table) ?? [];
    all.push({ lane, found: { row, source, topic: lane.slice(0, lane.indexOf("\0")) } });
    this.#appended.set(table, all);
  }

  /**
   * Folds a key anew because a unit was translated again.
   * @param before events of the key that stood, in the order of their origins: see `withEvent`.
   * @param after those that stand with this one.
   */
  retell(event: LaneEvent, before: readonly LaneEvent[], after: readonly LaneEvent[]): void {
    const { topic, partition, key } = event;
    const lane = `${topic}\0${partition}\0${key}`;
    const entity = this.#entities.get(lane)?.entity ?? new Entity(key);
    this.#entities.set(lane, { entity, partition });
    const verdict = (offset: number) => this.#decisions?.decisionAt(topic, partition, offset);
    const options = { layout: this.layout, machine: this.#machine, verdict };
    const was = tell(options, key, before);
    const is = tell(options, key, after);
    const difference = differenceOf(this.layout, was.changes, is.changes);
    this.#changes.book({ ...difference, appended: [], withdrawn: [] });
    for (const { table, offset } of difference.withdrawn) {
      const left = this.#appended.get(table)?.filter((row) => row.lane !== lane || row.found.source?.offset !== offset);
      this.#appended.set(table, left ?? []);
    }
    for (const { table, row, offset } of difference.appended) {
      const recordedAt = after.find((each) => each.offset === offset)?.position.recordedAt ?? 0;
      this.#append(table, lane, row, { recordedAt, partition, offset });
    }
    retellRows(this.#machine, this.#changes, entity, is.entity, event);
    const held = this.parked.findIndex((one) => one.topic === topic && one.partition === partition && one.key === key);
    if (held >= 0) this.parked.splice(held, 1);
    this.#held.delete(lane);
    if (!is.parked) return;
    this.#held.add(lane);
    this.parked.push({ topic, partition, offset: is.parked.event.offset, key, ...is.parked.reason });
  }

  /** Rows of a table: keyed and summed by their key, appended in the order given. */
  rows(name: string): readonly PureRow[] {
    const table = this.layout.tables.find((candidate) => candidate.name === name);
    if (!table) {
      throw new TributaryError("TRIB_PROJECT_DEFINITION_INVALID", `${this.layout.name} has no table ${name}.`);
    }
    if (table.kind === "appended") return (this.#appended.get(table.index) ?? []).map(({ found }) => found);
    return table.kind === "summed" ? this.#summedRows(table) : this.#keyedRows(table);
  }

  /** Versions of the rows of a table, in the order given. */
  versions(name: string): readonly PureVersion[] {
    const table = this.layout.tables.find((candidate) => candidate.name === name);
    const columns = table?.history?.columns;
    if (!table || !columns) return [];
    return (this.#changes.history[table.index] ?? []).map(({ key, rest, row, ...source }) => {
      const values = row ?? restValues(table, rest);
      const kept = columns.map((column) => [column.name, values[column.name] ?? null] as const);
      const whole = Object.fromEntries([[table.keyColumn?.name ?? "", key] as const, ...kept]);
      return { row: whole, removed: row === undefined, ...source };
    });
  }

  /** Rows of a derived table that it can hold, from the keyed tables as they are now. */
  derived(name: string): readonly Row[] {
    const derived = this.layout.definition.derived?.[name];
    if (!derived) {
      throw new TributaryError("TRIB_PROJECT_DEFINITION_INVALID", `${this.layout.name} has no derived table ${name}.`);
    }
    const given = Object.fromEntries(derived.from.map((from) => [from, this.rows(from).map(({ row }) => row)]));
    return [...holdable(name, derived, derived.derive(given)).rows.values()];
  }

  #keyedRows(table: TableLayout): PureRow[] {
    const rows: { readonly order: string; readonly found: PureRow }[] = [];
    const keyColumn = table.keyColumn?.name ?? "";
    for (const { entity, partition } of this.#entities.values()) {
      for (const { rest, row, recordedAt, offset } of entity.slots(table.index)) {
        if (!row) continue;
        const source = { recordedAt, partition, offset };
        rows.push({ order: `${entity.key}\0${rest}`, found: { row: { [keyColumn]: entity.key, ...row }, source } });
      }
    }
    return rows.sort((left, right) => (left.order < right.order ? -1 : 1)).map(({ found }) => found);
  }

  #summedRows(table: TableLayout): PureRow[] {
    const value = (sum: Sum) => (typeof sum === "bigint" ? String(sum) : added(sum, 0)) as Row[string];
    return [...(this.#changes.summed[table.index] ?? [])]
      .sort(([left], [right]) => (left < right ? -1 : 1))
      .map(([, { key, sums }]) => ({
        row: {
          ...key,
          ...Object.fromEntries(table.sums.map((column, index) => [column.name, value(sums[index] ?? 0)])),
        },
        source: undefined,
      }));
  }
}
