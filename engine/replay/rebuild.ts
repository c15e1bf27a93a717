import { setTimeout as pause } from "node:timers/promises";
import { type Build, createBuild, currentBuild, listBuilds, setFeed } from "../projector/build.js";
import { type DecisionLog, Decisions } from "../projector/decisions.js";
import { applyConsumerGrants } from "../projector/roles.js";
import { hasAllOf, swapBuild } from "../projector/swap.js";
import type { ConsumerDefinition } from "../service/consumer.js";
import { TributaryError } from "../service/errors.js";
import type { Pool } from "../store/pool.js";
import { claimBuild } from "./claim.js";
import { type Comparison, compareBuilds } from "./compare.js";
import { type FillOptions, fillBuild } from "./fill.js";
import { type Following, follow } from "./follow.js";

/** What a rebuild is at. */
export type RebuildStep = "fill" | "catch up" | "hand over" | "compare" | "swap";

export interface RebuildProgress {
  readonly step: RebuildStep;
  readonly build: number;
  /** Events handled, of so many that there are; only while it fills and catches up. */
  readonly events?: number;
  readonly total?: number;
}

export interface RebuildOptions extends Omit<FillOptions, "build" | "claim" | "progress" | "decisions"> {
  /** Whose projection it is. */
  readonly consumer: ConsumerDefinition;
  readonly decisionLog: DecisionLog;
  /** Put the views on the new build in the end; default true. */
  readonly swap?: boolean;
  readonly progress?: (progress: RebuildProgress) => void;
  /** Milliseconds in which the consumer has to take the build up; default 15,000. */
  readonly handOverTimeout?: number;
  /** Milliseconds in which the builds have to be compared; default 120,000. */
  readonly compareTimeout?: number;
}

export interface Rebuilt {
  readonly build: Build;
  /** Events read while it was filled; 0 where an earlier call had filled it. */
  readonly filledEvents: number;
  /** Undefined when there is no build of the same version to compare with. */
  readonly comparison: Comparison | undefined;
  readonly swapped: boolean;
}

/** Events that a build may be behind when it is handed over: its consumer reads them again beside its other work. */
const handOverEvents = 2_000;
/** A derived table that takes longer is waited for later, by the swap. */
const derivedTimeout = 10_000;

/** The build that an earlier rebuild left, or a new one. */
async function begun({ pool, projection, consumer }: RebuildOptions): Promise<Build> {
  const left = (await listBuilds(pool, projection.name)).filter(
    ({ state, version, feed }) => state === "building" && version === projection.version && feed !== "nobody",
  );
  const build = left.at(-1) ?? (await createBuild(pool, projection, consumer.name, "rebuild"));
  await applyConsumerGrants(pool, consumer);
  return build;
}

/** Resolves when `reached`, or when what it waits beside ends; false after the time. */
async function reaches(timeout: number, signal: AbortSignal | undefined, reached: () => Promise<boolean>) {
  const deadline = performance.now() + timeout;
  while (!(await reached())) {
    signal?.throwIfAborted();
    if (performance.now() > deadline) return false;
    await pause(50);
  }
  return true;
}

/** Fills the build and lets lanes of this process catch up, then leaves it to its consumer. */
async function makeWhole(options: RebuildOptions, build: Build): Promise<number> {
  const { pool, projection, log, progress, decisionLog } = options;
  const claim = await claimBuild(pool, build);
  const ending = new AbortController();
  claim.lost.catch((error: unknown) => ending.abort(error));
  const signal = options.signal ? AbortSignal.any([options.signal, ending.signal]) : ending.signal;
  let following: Following | undefined;
  try {
    const decisions = new Decisions(decisionLog, projection.name);
    await decisions.load();
    const told = (step: RebuildStep) => (events: number, total: number) =>
      progress?.({ step, build: build.build, events, total });
    const given = { ...options, build, signal };
    const { events, unfilled } = await fillBuild({ ...given, claim, decisions, progress: told("fill") });
    following = await follow({ ...given, log, unfilled, progress: told("catch up") });
    const { behind, ended } = following;
    await Promise.race([reaches(Number.POSITIVE_INFINITY, signal, async () => behind() <= handOverEvents), ended]);
    // So that what is derived is there too, whether or not its consumer runs.
    await Promise.race([reaches(derivedTimeout, signal, async () => hasAllOf(pool, projection, build)), ended]);
    await following.stop();
    progress?.({ step: "hand over", build: build.build });
    await setFeed(pool, build, "consumer");
    return events;
  } finally {
    ending.abort();
    await following?.stop();
    claim.release();
  }
}

/** Whether the consumer's lanes have it, or there is nothing for them to do: they are as far as those of the current one. */
async function isTakenUp(pool: Pool, current: Build | undefined, build: Build): Promise<boolean> {
  const { rows } = await pool.query<{ taken: boolean }>(
    `SELECT count(*) FILTER (WHERE owner LIKE '%/rebuild/%') = 0 OR count(*) FILTER (WHERE next_offset IS DISTINCT FROM (
       SELECT next_offset FROM engine.checkpoints o WHERE o.projection = c.projection AND o.build = $3
         AND o.topic = c.topic AND o.partition = c.partition)) = 0 AS taken
     FROM engine.checkpoints c WHERE projection = $1 AND build = $2`,
    // Lanes that feed another version are no sign that anybody feeds this one.
    [build.projection, build.build, current && current.version !== build.version ? 0 : (current?.build ?? build.build)],
  );
  return rows[0]?.taken === true;
}

/**
 * Makes a build anew beside the current one, which goes on: fills it, hands it to its consumer, compares the two at the same
 * positions, and puts the views on it. A process that ends on the way is gone on with by the next call.
 *
 * @returns with `swapped` false when the builds differ, or no swap was asked for: the build is fed on until it is dropped.
 * @throws TRIB_REPLAY_BUSY; TRIB_REPLAY_NOT_TAKEN_UP when no consumer feeds the builds, and they are not at one position;
 *   TRIB_REPLAY_COMPARE_TIMEOUT; TRIB_PROJECT_SWAP_TIMEOUT; what lanes stop for.
 */
export async function rebuildProjection(options: RebuildOptions): Promise<Rebuilt> {
  const { pool, projection, progress, signal, swap = true, handOverTimeout = 15_000, compareTimeout } = options;
  const build = await begun(options);
  const filledEvents = build.feed === "rebuild" ? await makeWhole(options, build) : 0;

  const current = await currentBuild(pool, projection.name);
  const takenUp = await reaches(
    handOverTimeout,
    signal,
    async () => (await isTakenUp(pool, current, build)) && (await hasAllOf(pool, projection, build)),
  );
  if (!takenUp) {
    throw new TributaryError(
      "TRIB_REPLAY_NOT_TAKEN_UP",
      current && current.version !== build.version
        ? `Build ${build.build} of ${projection.name} is whole, of version ${build.version}: start the processes of this version (tributary run). They feed it from there, and the views go over to it when it has caught up.`
        : `Build ${build.build} of ${projection.name} is whole, and waits for consumer ${build.consumer} to feed it.`,
      { projection: projection.name, build: build.build },
    );
  }
  let comparison: Comparison | undefined;
  if (current && current.version === build.version) {
    progress?.({ step: "compare", build: build.build });
    comparison = await compareBuilds({
      pool,
      projection,
      builds: [current, build],
      ...(compareTimeout === undefined ? {} : { timeout: compareTimeout }),
      ...(signal ? { signal } : {}),
    });
  }
  const differs = comparison !== undefined && comparison.differences.length > 0;
  if (swap && !differs) {
    progress?.({ step: "swap", build: build.build });
    await swapBuild(pool, projection, build.build);
  }
  return { build, filledEvents, comparison, swapped: swap && !differs };
}
