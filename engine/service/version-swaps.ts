import type { Logger } from "pino";
import { currentBuild, listBuilds } from "../projector/build.js";
import type { AnyProjection } from "../projector/definition.js";
import { hasAllOf, swapBuild } from "../projector/swap.js";
import type { Pool } from "../store/pool.js";

export interface VersionSwapOptions {
  /** As the owner of the database. */
  readonly pool: Pool;
  readonly projections: readonly AnyProjection[];
  readonly logger: Pick<Logger, "info" | "warn">;
  /** Milliseconds between looks; default 2,000. */
  readonly interval?: number;
}

/** Puts the views on the build of the version known here, if another one is current and it has caught up with that. */
async function swapIfCaughtUp({ pool, logger }: VersionSwapOptions, projection: AnyProjection): Promise<void> {
  const { name, version } = projection;
  const current = await currentBuild(pool, name);
  if (!current || current.version === version) return;
  const next = (await listBuilds(pool, name))
    .filter((build) => build.version === version && build.feed === "consumer")
    .at(-1);
  if (!next || !(await hasAllOf(pool, projection, next))) return;
  await swapBuild(pool, projection, next.build, { timeout: 0 });
  logger.info({ projection: name, build: next.build, version, before: current.build }, "a new version is current");
}

/**
 * Watches builds of changed definitions: their consumers make them beside the current ones, which nobody feeds any more, and
 * the views go over when they have caught up.
 */
export function watchVersions(options: VersionSwapOptions): { stop(): Promise<void> } {
  const { projections, logger, interval = 2_000 } = options;
  let looking: Promise<void> = Promise.resolve();
  const timer = setInterval(() => {
    looking = looking.then(async () => {
      for (const projection of projections) {
        // Readers hold the views, or Postgres is away: next time.
        await swapIfCaughtUp(options, projection).catch((error: unknown) =>
          logger.warn({ err: error, projection: projection.name }, "the new version is not current yet"),
        );
      }
    });
  }, interval);
  return {
    async stop() {
      clearInterval(timer);
      await looking;
    },
  };
}
