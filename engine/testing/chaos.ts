import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/**
 * What a fault spec saw, as `docs/reliability.md` shows it. One file a spec and title is written to the folder of the
 * setting TRIBUTARY_CHAOS_REPORT, when it is set.
 */
export interface ChaosFigures {
  /** The guarantee in a few words, a row of the page: `A zombie writes nothing`. */
  readonly guarantee: string;
  /** The spec's file, from the root of the checkout. */
  readonly spec: string;
  /** Seeds of random schedules run; 0 where the spec is exhaustive. */
  readonly seeds: number;
  /** Processes killed by SIGKILL. */
  readonly kills: number;
  /** Faults that hit work in progress, by kind: statements, requests or batches under way, never idle ones. */
  readonly faults: Readonly<Record<string, number>>;
  /** Events whose rows, or order, were checked. */
  readonly events: number;
  readonly violations: number;
}

/** The long suite (`npm run test:chaos`) sets TRIBUTARY_CHAOS to `full`; else a seeded sample runs. */
export const chaosSize = (sample: number, full: number): number =>
  process.env.TRIBUTARY_CHAOS === "full" ? full : sample;

/** First seed of random schedules: the setting TRIBUTARY_SEED, else 1. A failing spec prints the seed that failed. */
export const firstSeed = (): number => Number(process.env.TRIBUTARY_SEED ?? 1);

/** @throws when a kind of fault never hit work in progress: such a run proves nothing. */
export function recordChaos(figures: ChaosFigures): void {
  const idle = Object.entries(figures.faults).filter(([, hits]) => hits === 0);
  if (idle.length > 0)
    throw new Error(`Faults that hit no work in progress: ${idle.map(([kind]) => kind).join(", ")}.`);
  const folder = process.env.TRIBUTARY_CHAOS_REPORT;
  if (!folder) return;
  mkdirSync(folder, { recursive: true });
  const name = `${figures.guarantee}-${figures.spec}`.replace(/[^A-Za-z0-9]+/g, "-").toLowerCase();
  writeFileSync(join(folder, `${name}.json`), `${JSON.stringify(figures, null, 1)}\n`);
}
