import { setTimeout as pause } from "node:timers/promises";
import type { Random } from "../../demo/random.js";
import { passed, type TcpProxy, type Treatment } from "../../engine/testing/tcp-proxy.js";
import type { LoneBroker } from "./broker.js";

/** What strikes the services that intake stands on. */
export const weatherKinds = [
  "broker killed",
  "broker frozen",
  "broker's disk full",
  "broker's replies lost",
  "broker's replies delayed",
  "Postgres away",
] as const;
export type WeatherKind = (typeof weatherKinds)[number];

/** What becomes of the replies of a server just now, and how often it did. */
export class Replies {
  /** Of a thousand pieces, how many are lost with their connection, and how many come late. */
  lost = 0;
  late = 0;
  readonly faults: Record<"lost" | "late", number> = { lost: 0, late: 0 };
  readonly #random: Random;
  readonly #longest: number;

  /** @param longest milliseconds that a late one takes. */
  constructor(random: Random, longest: number) {
    this.#random = random;
    this.#longest = longest;
  }

  readonly treat = (): Treatment => {
    if (this.lost > 0 && this.#random.chance(this.lost)) {
      this.faults.lost += 1;
      // Some get the first bytes of an answer.
      return { kind: "cut", after: this.#random.chance(300) ? 12 : 0 };
    }
    if (this.late > 0 && this.#random.chance(this.late)) {
      this.faults.late += 1;
      return { kind: "delay", milliseconds: 50 + this.#random.below(this.#longest) };
    }
    return passed;
  };
}

export interface WeatherOptions {
  readonly broker: LoneBroker;
  readonly brokerReplies: Replies;
  readonly postgres: { away: boolean; proxy(): TcpProxy };
  readonly random: Random;
  /** Units without an answer now. */
  readonly inFlight: () => number;
  /** Counts of faults that hit work in progress. */
  readonly faults: Record<string, number>;
  /** Longest time that a broker is frozen, milliseconds; longer than a partner's answer may take in the long run. */
  readonly longestFreeze: number;
}

/** Strikes once, and mends what it broke. */
export async function strike(kind: WeatherKind, options: WeatherOptions): Promise<void> {
  const { broker, brokerReplies, postgres, random, faults } = options;
  await until(() => options.inFlight() > 0, 5_000);
  const atWork = options.inFlight() > 0;
  if (kind === "broker killed") {
    await broker.kill();
    await pause(random.below(1_000));
    await broker.begin();
  } else if (kind === "broker frozen") {
    await broker.freeze();
    await pause(500 + random.below(options.longestFreeze));
    broker.thaw();
  } else if (kind === "broker's disk full") {
    broker.fillDisk();
    // It gives up by itself once it can't write; else what waits is told so.
    await until(async () => !(await broker.isRunning()), 6_000);
    broker.freeDisk();
    await broker.kill();
    await broker.begin();
  } else if (kind === "Postgres away") {
    postgres.away = true;
    postgres.proxy().cut();
    await pause(500 + random.below(2_500));
    postgres.away = false;
  } else {
    const part = kind === "broker's replies lost" ? "lost" : "late";
    const before = brokerReplies.faults[part];
    brokerReplies[part] = part === "lost" ? 60 : 500;
    await pause(1_000 + random.below(1_000));
    brokerReplies[part] = 0;
    faults[kind] = (faults[kind] ?? 0) + (brokerReplies.faults[part] - before);
    return;
  }
  faults[kind] = (faults[kind] ?? 0) + (atWork ? 1 : 0);
}

async function until(what: () => boolean | Promise<boolean>, milliseconds: number): Promise<void> {
  for (const last = performance.now() + milliseconds; performance.now() < last; await pause(10))
    if (await what()) return;
}
