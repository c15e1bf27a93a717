import type { Decisions } from "../projector/decisions.js";
import type { AnyProjection } from "../projector/definition.js";
import type { LaneEvent } from "../projector/events.js";
import { type ParkReason, writeRefused } from "../projector/park-reason.js";
import { PureFold, type PureInput } from "../projector/pure.js";
import { valuesEqual } from "../projector/values.js";

/** What an event did to a row of a read model. */
export interface RowChange {
  readonly projection: string;
  readonly table: string;
  /** Key of the row, its columns joined by a space. */
  readonly row: string;
  readonly change: "made" | "changed" | "removed";
  /** Columns with their values before and after. */
  readonly columns: Readonly<Record<string, readonly [before: unknown, after: unknown]>>;
}

export interface FoldedChanges {
  readonly changes: readonly RowChange[];
  /** Read models that hold the key back from this event on. */
  readonly parked: readonly string[];
}

/** Where a read model holds a key back. */
export interface HeldFrom {
  readonly offset: number;
  /** Whether the event there is among those told: one that can't be decoded isn't. */
  readonly isTold: boolean;
}

/** What a read model does with events beyond what its fold says. */
export interface Handling {
  /** What operators decided about events; default nothing. */
  readonly decisions?: Pick<Decisions, "decisionAt"> | undefined;
  /** By {@link laneName}; default none. */
  readonly held?: ReadonlyMap<string, HeldFrom> | undefined;
}

export const laneName = (topic: string, partition: number, key: string): string => `${topic}/${partition}/${key}`;

/** Stands for any reason why a key is held. */
const held: ParkReason = { code: writeRefused, reason: "" };

type Rows = ReadonlyMap<string, Readonly<Record<string, unknown>>>;

/** Folds the events of some entities, all of them from their first, and tells what each changed in the keyed tables. */
export class ChangeTeller {
  readonly #folds: readonly {
    readonly fold: PureFold;
    readonly name: string;
    /** Keys that it is still to hold back. */
    readonly toHold: Map<string, HeldFrom>;
    seen: Map<string, Rows>;
  }[];
  readonly #showsRestricted: boolean;

  /**
   * @param showsRestricted whether columns that identify a person are told too: their content must be opened then.
   * @param handling of a read model by its name; default as its fold says.
   */
  constructor(
    projections: readonly AnyProjection[],
    showsRestricted: boolean,
    handling: (projection: string) => Handling = () => ({}),
  ) {
    this.#showsRestricted = showsRestricted;
    this.#folds = projections
      .map((projection) => {
        const { decisions, held } = handling(projection.name);
        const fold = new PureFold(projection, decisions ? { decisions } : {});
        return { fold, name: projection.name, toHold: new Map(held), seen: new Map<string, Rows>() };
      })
      .filter(({ fold }) => fold.layout.keyed.length > 0);
  }

  /** The next event; those of one partition in its order. */
  apply(event: PureInput): FoldedChanges {
    const { topic, partition, offset } = event.source;
    const lane = laneName(topic, partition, event.key);
    return this.#told(event.type, (fold, toHold) => {
      const from = toHold.get(lane);
      if (from && (from.isTold ? offset === from.offset : offset > from.offset)) {
        toHold.delete(lane);
        const source = { ...event.source, offset: from.offset };
        fold.apply({ ...event, type: undefined, event: {}, sealed: null, source, undecodable: held });
      }
      fold.apply(event);
    });
  }

  /**
   * An event of a unit translated again, as a live lane has it: its key is folded anew.
   * @param before events of the key that stood: see `withEvent`.
   * @param after those that stand with this one.
   */
  retell(event: LaneEvent, before: readonly LaneEvent[], after: readonly LaneEvent[]): FoldedChanges {
    return this.#told(undefined, (fold) => fold.retell(event, before, after));
  }

  #told(type: PureInput["type"], work: (fold: PureFold, toHold: Map<string, HeldFrom>) => void): FoldedChanges {
    const changes: RowChange[] = [];
    const parked: string[] = [];
    for (const projection of this.#folds) {
      const { fold, name, seen, toHold } = projection;
      if (type !== undefined && !fold.layout.eventTypes.includes(type)) continue;
      const held = fold.parked.length;
      work(fold, toHold);
      if (fold.parked.length > held) parked.push(name);
      for (const table of fold.layout.keyed) {
        const before: Rows = seen.get(table.name) ?? new Map();
        const after: Rows = new Map(
          fold
            .rows(table.name)
            .map(({ row }) => [table.definition.key.map((column) => String(row[column])).join(" "), row]),
        );
        seen.set(table.name, after);
        const columns = table.columns
          .filter(({ column, inKey }) => !inKey && !column.hidden && (this.#showsRestricted || !column.restricted))
          .map(({ name: column }) => column);
        if (table.definition.hidden || (table.definition.restricted && !this.#showsRestricted)) continue;
        changes.push(
          ...differences(before, after, columns).map((change) => ({ projection: name, table: table.name, ...change })),
        );
      }
    }
    return { changes, parked };
  }
}

function* rowNames(before: Rows, after: Rows): Iterable<string> {
  yield* before.keys();
  for (const name of after.keys()) if (!before.has(name)) yield name;
}

function differences(before: Rows, after: Rows, columns: readonly string[]): Omit<RowChange, "projection" | "table">[] {
  const found: Omit<RowChange, "projection" | "table">[] = [];
  for (const row of rowNames(before, after)) {
    const [old, now] = [before.get(row), after.get(row)];
    if (old === now) continue;
    const changed: Record<string, readonly [unknown, unknown]> = {};
    for (const column of columns) {
      const [left, right] = [old?.[column] ?? null, now?.[column] ?? null];
      if (!valuesEqual(left as never, right as never)) changed[column] = [left, right];
    }
    const change = !old ? "made" : now ? "changed" : "removed";
    if (change !== "changed" || Object.keys(changed).length > 0) found.push({ row, change, columns: changed });
  }
  return found;
}
