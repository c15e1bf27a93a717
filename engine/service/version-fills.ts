import { setTimeout as pause } from "node:timers/promises";
import type { Logger } from "pino";
import type { AnyProjection } from "../projector/definition.js";
import { leaveToLanes, unfilledVersion } from "../replay/new-version.js";
import type { Pool } from "../store/pool.js";

export interface VersionFillOptions {
  /** As the owner of the database. */
  readonly pool: Pool;
  readonly projections: readonly AnyProjection[];
  readonly logger: Pick<Logger, "info" | "warn">;
  /**
   * Fills the build of a projection's version in a process of its own, and hands it over; ends early with the signal.
   * @returns its exit code, null where it was killed.
   */
  readonly fill: (projection: string, signal: AbortSignal) => Promise<number | null>;
  /** Fills that fail before lanes are left to make it; default 3. */
  readonly attempts?: number;
  /** Milliseconds between attempts, doubled each time; default 1,000. */
  readonly firstPause?: number;
}

/** Another process fills it, or somebody ended this one: no failure of the fill. */
const notNow = 75;
/** Longest pause between attempts, in milliseconds. */
const longestPause = 10_000;

/** Fills one build, until its consumer has it. */
async function fillVersion(options: VersionFillOptions, projection: AnyProjection, signal: AbortSignal): Promise<void> {
  const { pool, logger, fill, attempts = 3, firstPause = 1_000 } = options;
  const { name, version } = projection;
  let failures = 0;
  for (let round = 0; ; round++) {
    const build = await unfilledVersion(pool, projection);
    if (!build || signal.aborted) return;
    const facts = { projection: name, version, build: build.build };
    if (failures >= attempts) {
      await leaveToLanes(pool, projection, build);
      logger.warn(facts, "a new version could not be filled; its consumer's lanes make what is missing");
      return;
    }
    if (round > 0) {
      logger.warn({ ...facts, failures }, "the fill of a new version ended early; it is gone on with");
      await pause(Math.min(longestPause, firstPause * 2 ** (round - 1)), undefined, { signal }).catch(() => {});
      if (signal.aborted) return;
    } else logger.info(facts, "a new version is filled beside the current one");
    if ((await fill(name, signal)) !== notNow) failures++;
  }
}

/**
 * Fills the builds of new versions, one after the other: each takes the memory of a rebuild. What fails again and again is
 * left to the lanes of its consumer, which make the same rows, and stop at what only an operator can decide.
 */
export function fillVersions(options: VersionFillOptions): { readonly ended: Promise<void>; stop(): Promise<void> } {
  const { projections, logger, firstPause = 1_000 } = options;
  const stopping = new AbortController();
  const { signal } = stopping;
  const ended = (async () => {
    for (const projection of projections) {
      for (let isDone = false; !isDone && !signal.aborted; ) {
        isDone = await fillVersion(options, projection, signal).then(
          () => true,
          (error: unknown) => {
            // Postgres is away, or somebody else has the build: later.
            logger.warn({ err: error, projection: projection.name }, "a new version is not filled yet");
            return false;
          },
        );
        if (!isDone) await pause(firstPause, undefined, { signal }).catch(() => {});
      }
    }
  })();
  return {
    ended,
    async stop() {
      stopping.abort();
      await ended;
    },
  };
}
