import fc from "fast-check";
import { chaosSize } from "./chaos.js";
import type { ChildEnd } from "./crash-process.js";
import { type FailPoint, failPointsOf, type SeenCall } from "./failpoints.js";

/** Every point at which a run can be killed; outside of the long suite so many of them, chosen by the seed. */
export function chosenPoints(calls: readonly SeenCall[], seed: number, sample: number): readonly FailPoint[] {
  const points = failPointsOf(calls);
  const size = Math.min(points.length, chaosSize(sample, points.length));
  const chosen = fc.shuffledSubarray(points, { minLength: size, maxLength: size });
  return fc.sample(chosen, { seed, numRuns: 1 })[0] ?? [];
}

/** Does work one after the other in each of some places, all of which are busy until there is none left. */
export async function inTurns<Item>(
  items: readonly Item[],
  places: number,
  work: (item: Item, place: number) => Promise<void>,
): Promise<void> {
  const left = [...items];
  const busy = async (place: number) => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await work(item, place);
  };
  const turns = await Promise.allSettled(Array.from({ length: places }, (_, place) => busy(place)));
  for (const turn of turns) if (turn.status === "rejected") throw turn.reason;
}

/** Counts what became of children that were to be killed. */
export class CrashTally {
  events = 0;
  readonly #diedAt = new Map<string, number>();
  /** Children whose point lay beyond their last call: nothing was killed, nothing counts. */
  missed = 0;

  take(end: ChildEnd): void {
    if ("diedAt" in end) this.#diedAt.set(end.diedAt, (this.#diedAt.get(end.diedAt) ?? 0) + 1);
    else this.missed++;
  }

  /** Processes killed so far. */
  get kills(): number {
    return [...this.#diedAt.values()].reduce((sum, hits) => sum + hits, 0);
  }

  /** @throws when most points lay beyond the last call: how many calls a run makes varies a little, not that much. */
  figures() {
    const faults = Object.fromEntries([...this.#diedAt].sort().map(([kind, hits]) => [`killed at a ${kind}`, hits]));
    const { kills } = this;
    if (this.missed > kills) throw new Error(`${this.missed} children ended before their fail point, ${kills} died`);
    return { kills, faults, events: this.events };
  }
}
