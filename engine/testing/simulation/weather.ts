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

/** What a run of many seeds must have met, each in the middle of work; or it proves nothing. */
const expected = [
  "write lost before it ran",
  "write reply lost",
  "write run late",
  "write run twice",
  "write serialization failure",
  "write deadlock",
  "write stopped by the fence",
  "read lost before it ran",
  "read reply lost",
  "claim lost before it ran",
  "claim reply lost",
  "claim run late",
  "vault unreachable",
  "registry unreachable",
  "rebalance in the middle of a batch",
  "process killed at work",
  "process frozen at work",
] as const;

/** Faults that hit work in progress, by kind. */
export class Hits {
  readonly #counts = new Map<string, number>(expected.map((kind) => [kind, 0]));

  count(kind: string, times = 1): void {
    this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + times);
  }

  add(other: Hits): void {
    for (const [kind, times] of other.#counts) this.count(kind, times);
  }

  /** Only what is expected. */
  figures(): Readonly<Record<string, number>> {
    return Object.fromEntries(expected.map((kind) => [kind, this.#counts.get(kind) ?? 0]));
  }
}
