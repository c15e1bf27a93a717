import fc from "fast-check";
import { expect } from "vitest";
import type { AnyProjection } from "../projector/definition.js";
import type { FoldInput } from "../projector/fold.js";
import { Positions } from "../projector/positions.js";
import { frozen, PureFold } from "../projector/pure.js";
import { validateProjection } from "../projector/validate.js";
import { anyHistory, interleaved } from "./any-history.js";

/** What every projection must hold to, whatever it is about: each throws with the smallest history that breaks it. */
export const projectionLaws: Readonly<Record<string, (projection: AnyProjection) => void>> = {
  "is a valid definition whose every column and view says what it is": isExplained,
  "parks, and never throws, whatever its schema allows": neverThrows,
  "gives the same rows when events come twice": redelivered,
  "gives the same clear columns when nothing sealed can be opened": withoutSealed,
  "gives the same rows however partitions interleave": otherwiseInterleaved,
};

const runs = { numRuns: 100 };

function isExplained(projection: AnyProjection): void {
  validateProjection(projection);
  for (const [name, view] of Object.entries(projection.views ?? {})) {
    expect(view.comment.trim(), `comment of ${name}`).not.toBe("");
    for (const [column, about] of Object.entries(view.columns)) {
      expect((typeof about === "string" ? about : about.comment).trim(), `comment of ${name}.${column}`).not.toBe("");
    }
  }
  for (const [name, derived] of Object.entries(projection.derived ?? {})) {
    expect(derived.comment.trim(), `comment of ${name}`).not.toBe("");
  }
}

function folded(projection: AnyProjection, history: readonly FoldInput[]): PureFold {
  const pure = new PureFold(projection, { freeze: true });
  for (const event of history) pure.apply({ ...event, event: frozen(event.event), sealed: frozen(event.sealed) });
  return pure;
}

/** Everything a build shows: rows with what changed them last, derived rows, parked keys; in an order of their own. */
function shown(projection: AnyProjection, pure: PureFold) {
  const sorted = (rows: readonly unknown[]) => rows.map((row) => JSON.stringify(row)).sort();
  const tables = Object.keys(projection.tables).map((name) => [name, sorted(pure.rows(name))]);
  const derived = Object.keys(projection.derived ?? {}).map((name) => [name, sorted(pure.derived(name))]);
  return { ...Object.fromEntries([...tables, ...derived]), parked: sorted(pure.parked) };
}

function neverThrows(projection: AnyProjection): void {
  const fold = fc.property(anyHistory(projection), (history) => {
    const pure = folded(projection, history);
    expect(pure.parked.filter(({ code }) => code === "TRIB_PROJECT_FOLD_FAILED")).toEqual([]);
    for (const name of Object.keys(projection.derived ?? {})) pure.derived(name);
  });
  fc.assert(fold, runs);
}

/** A publisher or consumer that starts again repeats a stretch; positions tell what was applied. */
function redelivered(projection: AnyProjection): void {
  const fold = fc.property(anyHistory(projection), fc.nat(), fc.nat(), (history, one, other) => {
    const [from, to] = [one % (history.length + 1), other % (history.length + 1)].sort((a, b) => a - b);
    const lanes = new Map<string, Positions>();
    const fresh = [...history.slice(0, to), ...history.slice(from)].filter(({ source, position, event }) => {
      const lane = `${source.topic}/${source.partition}`;
      const positions = lanes.get(lane) ?? new Positions(undefined, "{}");
      lanes.set(lane, positions);
      return positions.take(position, (event as { readonly meta: { readonly id: string } }).meta.id);
    });
    expect(shown(projection, folded(projection, fresh))).toEqual(shown(projection, folded(projection, history)));
  });
  fc.assert(fold, runs);
}

/** Rows as analysts without the right to sealed content see them. */
function clear(projection: AnyProjection, pure: PureFold) {
  const seen: Record<string, readonly unknown[]> = {};
  for (const [name, { columns, restricted, kind }] of Object.entries(projection.tables)) {
    if (restricted) continue;
    const names = Object.keys(columns).filter((column) => !columns[column]?.restricted);
    // What the engine adds to a keyed row (recorded_at and its like) is for everybody to see as well.
    const rows = pure
      .rows(name)
      .map(({ row, source }) => [...names.map((column) => row[column] ?? null), source ?? null]);
    seen[name] = kind === "appended" ? rows.map((row) => JSON.stringify(row)).sort() : rows;
  }
  for (const [name, { columns, restricted }] of Object.entries(projection.derived ?? {})) {
    if (restricted) continue;
    const names = Object.keys(columns).filter((column) => !columns[column]?.restricted);
    seen[name] = pure.derived(name).map((row) => names.map((column) => row[column] ?? null));
  }
  return { ...seen, parked: pure.parked };
}

/** A rebuild after a patient's key was destroyed shows what was shown before, but for what named the patient. */
function withoutSealed(projection: AnyProjection): void {
  const fold = fc.property(anyHistory(projection), (history) => {
    const bare = history.map((event) => ({ ...event, sealed: null }));
    expect(clear(projection, folded(projection, bare))).toEqual(clear(projection, folded(projection, history)));
  });
  fc.assert(fold, runs);
}

function otherwiseInterleaved(projection: AnyProjection): void {
  const choices = fc.array(fc.nat(3), { maxLength: 12 });
  const fold = fc.property(anyHistory(projection), choices, (history, choose) => {
    let at = 0;
    const other = interleaved(history, () => choose[at++] ?? 0);
    expect(shown(projection, folded(projection, other))).toEqual(shown(projection, folded(projection, history)));
  });
  fc.assert(fold, runs);
}
