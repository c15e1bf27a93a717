import type { Chance } from "./random.js";

/** How likely each fault is beside the ordinary steps, most of which weigh 8. Each seed has its own. */
const faults = {
  /** A statement never reaches the server, and its sender can't tell. */
  lostBefore: 1,
  /** The reply is lost: it was carried out, and its sender can't tell. */
  lostAfter: 1,
  /** Its sender has given up, and only later it reaches the server. */
  late: 1,
  /** It reaches the server twice. */
  twice: 0.5,
  /** Serialization failures, deadlocks. */
  refusedForNow: 1,
  /** A process is gone in the middle of anything. */
  kill: 0.15,
  /** A process ends as it is told to. */
  leave: 0.15,
  /** Partitions are given to others without need. */
  rebalance: 0.3,
  /** A process stands still: neither replies nor assignments reach it. */
  freeze: 0.15,
  /** Time passes although there is work to do. */
  hurry: 1,
} as const;

export type Fault = keyof typeof faults;

/** What goes wrong in a run, until it clears up. */
export class Weather {
  #stormy = true;
  readonly #weights = new Map<Fault, number>();

  constructor(chance: Chance) {
    for (const [fault, usual] of Object.entries(faults)) {
      // Some faults only show when others are absent, some only when they come often.
      this.#weights.set(fault as Fault, chance.of(0.4) ? 0 : usual * chance.pick([0.3, 1, 3]));
    }
  }

  get stormy(): boolean {
    return this.#stormy;
  }

  weight(fault: Fault): number {
    return this.#stormy ? (this.#weights.get(fault) ?? 0) : 0;
  }

  /** From now on nothing goes wrong any more. */
  clearUp(): void {
    this.#stormy = false;
  }
}

/** Faults that hit work in progress, by kind. */
export class Hits {
  readonly counts = new Map<string, number>();

  count(kind: string): void {
    this.counts.set(kind, (this.counts.get(kind) ?? 0) + 1);
  }
}
