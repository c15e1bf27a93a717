import type { Row } from "../../engine/projector/definition.js";
import { type Clock, compareClocks, isLatest } from "../clock.js";

/** What was last said of a merge into one other record: when, and whether it stands. */
type MergeFact = readonly [...clock: Clock, stands: 0 | 1];

/**
 * What is known of a record's merges, by the record merged into. Each is by itself the last one told, so that a merge, an
 * undoing and a merge again give the same in whatever order they arrive.
 */
export type MergeState = Readonly<Record<string, MergeFact>>;

const clockIn = (fact: MergeFact): Clock => [fact[0], fact[1], fact[2], fact[3]];

/** The state after a merge into `other`, or its undoing, at a time. */
export function withMerge(state: MergeState, other: string, at: Clock, stands: boolean): MergeState {
  const before = state[other];
  if (before && !isLatest(at, clockIn(before))) return state;
  return { ...state, [other]: [...at, stands ? 1 : 0] };
}

/** The merge that stands and was told last; undefined when the record is in use. */
export function standingMerge(state: MergeState): { readonly into: string; readonly at: Clock } | undefined {
  let last: { into: string; at: Clock } | undefined;
  for (const [into, fact] of Object.entries(state)) {
    if (fact[4] === 0) continue;
    const at = clockIn(fact);
    if (!last || compareClocks(last.at, at) < 0) last = { into, at };
  }
  return last;
}

/** Whether a merge of an identifier told at a time still stands: it was not undone afterwards. */
export function stillStands(state: MergeState, other: string, at: Clock): boolean {
  const fact = state[other];
  return !fact || fact[4] === 1 || compareClocks(clockIn(fact), at) < 0;
}

/**
 * Where each retired record's chain of merges ends; those of a circle, or on the way into one, have no end. And which
 * records are on a circle.
 */
export function chainEnds(merges: readonly Row[]): {
  readonly survivors: ReadonlyMap<string, string>;
  readonly circular: ReadonlySet<string>;
} {
  const latest = new Map<string, { readonly into: string; readonly at: Clock }>();
  for (const { patient_id, new_patient_id, stands, at } of merges) {
    if (stands !== true || patient_id === new_patient_id) continue;
    const before = latest.get(patient_id as string);
    const clock = at as unknown as Clock;
    if (!before || compareClocks(before.at, clock) < 0) {
      latest.set(patient_id as string, { into: new_patient_id as string, at: clock });
    }
  }
  const survivors = new Map<string, string>();
  const circular = new Set<string>();
  for (const start of latest.keys()) {
    const seen = new Set<string>();
    let end = start;
    for (let next = latest.get(end); next && !seen.has(end); next = latest.get(end)) {
      seen.add(end);
      end = next.into;
    }
    if (!seen.has(end)) survivors.set(start, end);
    // The walk stops where it met itself: on the circle, and at the start only if that is on it too.
    else if (end === start) circular.add(start);
  }
  return { survivors, circular };
}
