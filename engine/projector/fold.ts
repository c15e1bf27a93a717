import type { EventPosition } from "../log/position.js";
import type { EventType, FoldContext, FoldResult, Table } from "./definition.js";
import type { Entity } from "./entity.js";
import { isErasure, mayErase } from "./erasures.js";
import type { LaneEvent } from "./events.js";
import type { ProjectionLayout } from "./layout.js";
import type { ParkReason } from "./park-reason.js";
import { RowProblem } from "./row-shape.js";
import { type AnyScope, KeyedScope, scopeOf } from "./scope.js";

/** An event as a fold is given it: decoded, opened, in its place. */
export interface FoldInput {
  readonly type: EventType;
  readonly key: string;
  /** The decoded event, `meta` included. */
  readonly event: object;
  /** Its opened sealed content; null when there is none, or its key is gone. */
  readonly sealed: object | null;
  readonly position: EventPosition;
  readonly source: { readonly topic: string; readonly partition: number; readonly offset: number };
}

type AnyFold = (context: FoldContext<Readonly<Record<string, Table>>>) => FoldResult;

/** Reasons are kept in the database and shown to operators. */
const longestReason = 500;

/**
 * Runs a projection's folds, one event at a time. The changes of the last event are in `scopes`, by the table's index,
 * until the next call: they count only when `apply` gave undefined.
 */
export class FoldMachine {
  readonly scopes: readonly AnyScope[];
  readonly #folds: ReadonlyMap<string, AnyFold>;
  readonly #context: Context;
  readonly #layout: ProjectionLayout;

  constructor(layout: ProjectionLayout) {
    this.#layout = layout;
    this.scopes = layout.tables.map(scopeOf);
    this.#context = new Context(
      Object.fromEntries(layout.tables.map((table, index) => [table.name, this.scopes[index] as AnyScope])),
    );
    this.#folds = new Map(Object.entries(layout.definition.fold) as [string, AnyFold][]);
  }

  /** Whether events of this type concern the projection: it has a fold for them, or something that they erase. */
  folds(type: string): boolean {
    return this.#folds.has(type) || mayErase(this.#layout, type);
  }

  /** Whether an event takes what is restricted out of the rows of its key. */
  erases(event: Pick<LaneEvent, "type" | "event">): boolean {
    return isErasure(this.#layout, event);
  }

  /**
   * An event of a key that is held: nothing of it is folded, but what it erases goes from the rows that are there. Nobody
   * may be shown it until somebody sees to the key. Folded once the key is released, it finds nothing left to erase.
   * @returns whether anything is in `scopes`; never for an event that could not be decoded.
   */
  eraseOnly(event: Pick<LaneEvent, "type" | "key" | "event">, entity: Entity): boolean {
    if (!this.erases(event)) return false;
    for (const scope of this.scopes) {
      scope.begin(entity, event.key);
      if (scope instanceof KeyedScope) scope.erase();
    }
    return true;
  }

  /** @returns why the event's key is to be parked; undefined when the event is applied (or of no interest). */
  apply(event: LaneEvent, entity: Entity): ParkReason | undefined {
    const { type } = event;
    const fold = type && this.#folds.get(type);
    const erases = this.erases(event);
    for (let index = 0; index < this.scopes.length; index++) this.scopes[index]?.begin(entity, event.key);
    if (!fold && !erases) return undefined;
    let result: FoldResult;
    let thrown: unknown;
    try {
      if (fold) result = fold(this.#context.about(event) as unknown as Parameters<AnyFold>[0]);
      // Not left to the definitions: what was sealed is gone from every build, and none may show it longer.
      if (erases) for (const scope of this.scopes) if (scope instanceof KeyedScope) scope.erase();
    } catch (error) {
      thrown = error ?? new Error("nothing");
    }
    for (let index = 0; index < this.scopes.length; index++) {
      const problem = this.scopes[index]?.problem();
      if (problem) return { code: "TRIB_PROJECT_VALUE_INVALID", reason: problem.message.slice(0, longestReason) };
    }
    // The message of a thrown error may quote the event, so only its class is kept.
    if (thrown !== undefined) {
      const name = thrown instanceof RowProblem || !(thrown instanceof Error) ? "an error" : thrown.name;
      return {
        code: "TRIB_PROJECT_FOLD_FAILED",
        reason: `the fold of ${type} threw ${name}`.slice(0, longestReason),
      };
    }
    return result ? { code: "TRIB_PROJECT_FOLD_PARKED", reason: result.park.slice(0, longestReason) } : undefined;
  }
}

/**
 * What a fold is given: the event with what it may look at and change. One object for all events, since a fold is done with
 * it when it returns.
 */
class Context implements FoldInput {
  type!: EventType;
  key!: string;
  event!: object;
  sealed!: object | null;
  position!: EventPosition;
  readonly tables: Readonly<Record<string, AnyScope>>;
  #event!: LaneEvent;

  constructor(tables: Readonly<Record<string, AnyScope>>) {
    this.tables = tables;
  }

  about(event: LaneEvent): this {
    this.type = event.type as EventType;
    this.key = event.key;
    this.event = event.event;
    this.sealed = event.opened ?? null;
    this.position = event.position;
    this.#event = event;
    return this;
  }

  get source(): FoldInput["source"] {
    const { topic, partition, offset } = this.#event;
    return { topic, partition, offset };
  }
}
