import type { Pool } from "../store/pool.js";
import type { Build } from "./build.js";
import { DerivedTables, type Refreshed } from "./derived.js";
import { failureOf } from "./failure.js";
import type { ProjectionLayout } from "./layout.js";
import type { ProjectorLogger } from "./ports.js";
import { vectorOf } from "./vector.js";

export interface KeeperOptions {
  readonly pool: Pool;
  readonly build: Build;
  readonly layout: ProjectionLayout;
  readonly owner: string;
  readonly logger: ProjectorLogger;
  /** Milliseconds between looks at the checkpoints, up to four times as long while these stand still; default 300. */
  readonly interval?: number;
}

/** A refresh reads whole tables: it may take at most this part of the time. */
const restPerWork = 4;
const longestRest = 30_000;
const stillness = 4;

/** Refreshes derived tables when checkpoints have moved, while the process owns the projection's first partition. */
export class DerivedKeeper {
  readonly #options: KeeperOptions;
  readonly #tables: DerivedTables;
  #stopped = false;
  #wake: (() => void) | undefined;
  #running: Promise<void> | undefined;

  constructor(options: KeeperOptions) {
    this.#options = options;
    this.#tables = new DerivedTables(options.pool, options.build, options.layout, options.owner);
  }

  start(): void {
    this.#stopped = false;
    this.#running = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#wake?.();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { pool, build, logger, interval = 300 } = this.#options;
    let taken = false;
    let reflected = "";
    let told = "";
    let still = interval;
    while (!this.#stopped) {
      still = Math.min(2 * still, stillness * interval);
      let rest = still;
      try {
        if (!taken) await this.#tables.takeOver();
        taken = true;
        if (JSON.stringify(await vectorOf(pool, build)) !== reflected) {
          const startedAt = performance.now();
          const { vector, leftOut } = await this.#tables.refresh();
          reflected = JSON.stringify(vector);
          told = this.#tell(told, leftOut);
          still = interval;
          rest = Math.min(longestRest, Math.max(interval, restPerWork * (performance.now() - startedAt)));
        }
      } catch (error) {
        // Another keeper goes on, or Postgres is away, or the derivation is wrong: the keyed tables flow in any case.
        const { code } = failureOf(error);
        if (code === "TRIB_PROJECT_FENCE_LOST" || (await this.#isDropped())) return;
        logger.error(
          { err: error, projection: build.projection, build: build.build },
          "derived tables were not refreshed",
        );
        rest = 10 * interval;
      }
      await this.#rest(rest);
    }
  }

  /** Whatever fails then is no fault: its lanes end by themselves, and so does this. */
  async #isDropped(): Promise<boolean> {
    const { pool, build } = this.#options;
    try {
      const { rows } = await pool.query(
        "SELECT FROM engine.builds WHERE projection = $1 AND build = $2 AND feed <> 'nobody'",
        [build.projection, build.build],
      );
      return rows.length === 0;
    } catch {
      // What failed first is told.
      return false;
    }
  }

  /** Says what derived tables leave out, when that is not what was said last. */
  #tell(told: string, leftOut: Refreshed["leftOut"]): string {
    const { build, logger } = this.#options;
    const now = JSON.stringify(leftOut);
    if (leftOut.length > 0 && now !== told) {
      logger.warn({ projection: build.projection, build: build.build, leftOut }, "derived tables leave rows out");
    }
    return now;
  }

  #rest(milliseconds: number): Promise<void> {
    if (this.#stopped) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}
