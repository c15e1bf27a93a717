import type { Chance } from "./random.js";

/** Something that may happen next. Of all that may, one does; then everything comes to rest before the next choice. */
export interface Step {
  /** What it is and to whom, without anything that differs between two runs of a seed. */
  readonly name: string;
  /** How likely it is beside the others; 0: never. */
  readonly weight: number;
  readonly take: () => Promise<unknown> | unknown;
}

/** Whoever has steps to offer, always in the same order. */
export interface Stage {
  steps(): Iterable<Step>;
}

/** What must never be: the run stops at once. */
export class Violation extends Error {
  override readonly name = "Violation";
}

/** One turn of the event loop: all promises that can go on have gone on. */
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/**
 * Turns after which nothing moves any more. Everything that takes time is a step of some stage, so that two suffice; the
 * third is for code that lets others go first.
 */
const turnsToRest = 8;

/** Decides what happens next, by chance alone, and remembers it. */
export class Schedule {
  /** Every decision so far: two runs of a seed have the same. */
  readonly trace: string[] = [];
  readonly #chance: Chance;
  readonly #stages: readonly Stage[];

  constructor(chance: Chance, stages: readonly Stage[]) {
    this.#chance = chance;
    this.#stages = stages;
  }

  /** @returns false when nothing can happen any more. */
  async next(): Promise<boolean> {
    const possible = this.#stages.flatMap((stage) => [...stage.steps()]).filter(({ weight }) => weight > 0);
    let left = this.#chance.next() * possible.reduce((sum, { weight }) => sum + weight, 0);
    const chosen = possible.find(({ weight }) => {
      left -= weight;
      return left < 0;
    });
    if (!chosen) return false;
    this.trace.push(chosen.name);
    await chosen.take();
    for (let rest = 0; rest < turnsToRest; rest++) await turn();
    return true;
  }
}
