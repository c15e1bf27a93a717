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

/** Milliseconds after which the same is told again. */
const toldAgain = 60_000;

/** Logs what stays as it is once a while, not at every look. */
class Told {
  readonly #logger: VersionSwapOptions["logger"];
  readonly #last = new Map<string, { readonly what: string; readonly at: number }>();

  constructor(logger: VersionSwapOptions["logger"]) {
    this.#logger = logger;
  }

  tell(level: "info" | "warn", facts: { readonly projection: string; readonly err?: unknown }, what: string): void {
    const last = this.#last.get(facts.projection);
    const text = `${what} ${(facts.err as { code?: string } | undefined)?.code ?? ""}`;
    if (last?.what === text && performance.now() - last.at < toldAgain) return;
    this.#last.set(facts.projection, { what: text, at: performance.now() });
    this.#logger[level](facts, what);
  }
}

/**
 * Puts the views on the build of the version known here, when a lower one is current and it has caught up with that. A build
 * that was current once is left alone: somebody rolled back from it. So of two versions that run side by side the higher one
 * wins once, and a roll-back stands.
 */
async function swapIfCaughtUp({ pool, logger }: VersionSwapOptions, told: Told, projection: AnyProjection) {
  const { name, version } = projection;
  const current = await currentBuild(pool, name);
  if (!current || current.version === version) return;
  const facts = { projection: name, version, current: current.version };
  if (current.version > version) {
    told.tell("info", facts, "a higher version is current; `tributary projections rollback` goes back to this one");
    return;
  }
  const next = (await listBuilds(pool, name))
    .filter((build) => build.version === version && build.feed === "consumer")
    .at(-1);
  if (!next) return;
  const ofBuild = { ...facts, build: next.build };
  if (next.currentSince !== null) {
    told.tell("info", ofBuild, "this version was rolled back from; `tributary projections swap --build` puts it back");
    return;
  }
  if (!(await hasAllOf(pool, projection, next))) {
    told.tell("info", ofBuild, "a new version catches up; until then the views stay on the one before");
    return;
  }
  await swapBuild(pool, projection, next.build, { timeout: 0 });
  logger.info({ projection: name, build: next.build, version, before: current.build }, "a new version is current");
}

/**
 * Watches builds of changed definitions: their consumers make them beside the current ones, which only processes of the
 * version before feed, and the views go over when they have caught up.
 */
export function watchVersions(options: VersionSwapOptions): { stop(): Promise<void> } {
  const { projections, logger, interval = 2_000 } = options;
  const told = new Told(logger);
  let looking: Promise<void> = Promise.resolve();
  const timer = setInterval(() => {
    looking = looking.then(async () => {
      for (const projection of projections) {
        // Readers hold the views, or Postgres is away: next time.
        await swapIfCaughtUp(options, told, projection).catch((error: unknown) =>
          told.tell("warn", { err: error, projection: projection.name }, "the new version is not current yet"),
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
