import { Changes, type Difference, type Sum } from "./changes.js";
import type { Verdict } from "./decisions.js";
import type { Row } from "./definition.js";
import { Entity } from "./entity.js";
import type { LaneEvent } from "./events.js";
import type { FoldMachine } from "./fold.js";
import type { FoldWatch } from "./fold-watch.js";
import type { ProjectionLayout } from "./layout.js";
import { type ParkReason, parkedByOperator, refusedWith } from "./park-reason.js";
import { KeyedScope } from "./scope.js";

/** A key folded from nothing. */
export interface Told {
  readonly entity: Entity;
  /** All that its events made; rows of keyed tables are in the entity. */
  readonly changes: Changes;
  readonly parked: { readonly event: LaneEvent; readonly reason: ParkReason } | undefined;
}

export interface TellOptions {
  readonly layout: ProjectionLayout;
  readonly machine: FoldMachine;
  /** Each fold has its own budget. */
  readonly watch?: FoldWatch | undefined;
  /** What operators decided about an event. */
  readonly verdict: (offset: number) => Verdict | undefined;
  /** Where the key is held whatever the fold says by now: it may have been mended since. */
  readonly heldAt?: number;
}

/** Folds events of one key, in the order given, up to the first that parks it; those after it only erase. */
export function tell(options: TellOptions, key: string, events: readonly LaneEvent[]): Told {
  const { layout } = options;
  const entity = new Entity(key);
  const changes = new Changes(layout);
  let parked: Told["parked"];
  for (const event of events) parked = tellNext(options, { entity, changes, parked }, event);
  return { entity, changes, parked };
}

/** Folds the next event of a key, or keeps it held. @returns by what the key is held after it. */
export function tellNext(options: TellOptions, { entity, changes, parked }: Told, event: LaneEvent): Told["parked"] {
  options.watch?.begin(event.offset);
  const { machine, verdict, heldAt } = options;
  if (parked) {
    eraseHeld(options, changes, entity, event);
    return parked;
  }
  if (event.offset === heldAt) return { event, reason: refusedWith("") };
  const decided = verdict(event.offset);
  if (decided === "skip") return undefined;
  if (decided === undefined && !event.refused && event.type !== undefined && !machine.folds(event.type))
    return undefined;
  const reason =
    (decided === "park" ? parkedByOperator : undefined) ??
    event.refused ??
    event.undecodable ??
    machine.apply(event, entity);
  if (!reason) {
    changes.take(machine.scopes, entity, event.position.recordedAt, event.offset, event.event);
    return undefined;
  }
  eraseHeld(options, changes, entity, event);
  return { event, reason };
}

/** What an event of a held key erases, unless an operator decided about it, or Postgres refused it. */
export function eraseHeld(
  { machine, verdict }: Pick<TellOptions, "machine" | "verdict">,
  changes: Changes,
  entity: Entity,
  event: LaneEvent,
): void {
  const { offset, position, refused } = event;
  if (refused || verdict(offset) !== undefined || !machine.eraseOnly(event, entity)) return;
  changes.take(machine.scopes, entity, position.recordedAt, offset, event.event);
}

const minus = (left: Sum, right: Sum): Sum => {
  const difference = BigInt(left) - BigInt(right);
  const exact = Number(difference);
  return Number.isSafeInteger(exact) ? exact : difference;
};

/** What changes in summed and appended tables. A row appended is a function of its event alone. */
export function differenceOf(layout: ProjectionLayout, before: Changes, after: Changes): Difference {
  const sums: Difference["sums"][number][] = [];
  const appended: Difference["appended"][number][] = [];
  const withdrawn: Difference["withdrawn"][number][] = [];
  for (const table of layout.tables) {
    const { index } = table;
    const [old, now] = [before.summed[index], after.summed[index]];
    for (const name of new Set([...(old?.keys() ?? []), ...(now?.keys() ?? [])])) {
      const [left, right] = [now?.get(name), old?.get(name)];
      const key = (left ?? right)?.key as Row;
      const difference = table.sums.map((_, sum) => minus(left?.sums[sum] ?? 0, right?.sums[sum] ?? 0));
      // A row that events came to nothing in stays, as it does in the log's order.
      if (difference.some((sum) => sum !== 0) || !right) sums.push({ table, key, sums: difference });
    }
    const had = new Set((before.appended[index] ?? []).map(({ offset }) => offset));
    const has = new Set((after.appended[index] ?? []).map(({ offset }) => offset));
    for (const change of after.appended[index] ?? []) {
      if (!had.has(change.offset)) appended.push({ table: index, ...change });
    }
    for (const offset of had) if (!has.has(offset)) withdrawn.push({ table: index, offset });
  }
  return { sums, appended, withdrawn };
}

/**
 * Makes an entity's rows those that were told, by the event that made it necessary: rows that stay as they are keep the
 * event that changed them last. Rows of the entity are to be all there.
 */
export function retellRows(
  machine: FoldMachine,
  changes: Changes,
  entity: Entity,
  told: Entity,
  event: LaneEvent,
): void {
  for (const scope of machine.scopes) {
    scope.begin(entity, event.key);
    if (!(scope instanceof KeyedScope)) continue;
    const rows = scope.rowsOf(told);
    const names = new Set(rows.map((row) => scope.nameOf(row)));
    for (const row of scope.all()) if (!names.has(scope.nameOf(row))) scope.delete(row);
    for (const row of rows) scope.put(row);
  }
  changes.take(machine.scopes, entity, event.position.recordedAt, event.offset, event.event);
}
