import type { AnyProjection, Row } from "../projector/definition.js";
import type { FoldInput } from "../projector/fold.js";
import { frozen, PureFold, type PureParked } from "../projector/pure.js";

/** Rows by table, derived tables included, and the keys held back. */
export interface Folded {
  readonly tables: Readonly<Record<string, readonly Row[]>>;
  readonly parked: readonly PureParked[];
}

/**
 * Folds events in memory, in the order given, without Postgres.
 * @returns all rows of all tables, by key, and what was parked.
 * @throws TRIB_PROJECT_DEFINITION_INVALID
 */
export function foldWithParked(projection: AnyProjection, events: readonly FoldInput[]): Folded {
  const pure = new PureFold(projection, { freeze: true });
  for (const event of events) {
    pure.apply({ ...event, event: frozen(event.event), sealed: frozen(event.sealed) });
  }
  const tables: Record<string, readonly Row[]> = {};
  for (const name of Object.keys(projection.tables)) tables[name] = pure.rows(name).map(({ row }) => row);
  for (const name of Object.keys(projection.derived ?? {})) tables[name] = pure.derived(name);
  return { tables, parked: pure.parked };
}

/**
 * Like {@link foldWithParked}, for specs in which nothing is to be parked.
 * @throws Error naming the first key that was parked, and why.
 */
export function foldAll(projection: AnyProjection, events: readonly FoldInput[]): Folded["tables"] {
  const { tables, parked } = foldWithParked(projection, events);
  const first = parked[0];
  if (first) throw new Error(`offset ${first.offset} of ${first.topic}/${first.partition} parked: ${first.reason}`);
  return tables;
}
