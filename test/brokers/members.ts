import { setTimeout as pause } from "node:timers/promises";
import { connectLog } from "../../engine/log/kafka.js";
import { type RunningConsumer, runConsumer } from "../../engine/projector/runner.js";
import { decoderOf } from "../../engine/service/decoder.js";
import { createLogger } from "../../engine/service/logger.js";
import { closedOpener } from "../../engine/service/sealed-opener.js";
import { openPool, type Pool } from "../../engine/store/pool.js";
import { notes } from "../../engine/testing/notes.js";
import type { SpreadTopics } from "./installation.js";

export const groupName = "storm";

interface Member {
  readonly running: RunningConsumer;
  leave(): Promise<void>;
}

/** Members of one consumer's group, each with connections of its own, as processes would have them. */
export class Members {
  /** Joins and leaves of members that come and go. */
  changes = 0;
  /** Codes of failures after which a member was started anew. */
  readonly failures: string[] = [];
  readonly #topics: SpreadTopics;
  readonly #databaseUrl: string;
  readonly #loops: Promise<void>[] = [];
  #over = new AbortController();
  #calm = new AbortController();

  constructor(topics: SpreadTopics, databaseUrl: string) {
    this.#topics = topics;
    this.#databaseUrl = databaseUrl;
  }

  /** A member that stays; when it fails its supervisor starts it again. */
  stay(): void {
    this.#loops.push(
      (async () => {
        while (!this.#over.signal.aborted) {
          const ended = new AbortController();
          const member = await this.#join(() => ended.abort());
          await Promise.race([aborted(ended.signal), aborted(this.#over.signal)]);
          await member?.leave();
        }
      })(),
    );
  }

  /** A member that joins and leaves, again and again, until it is calm. */
  comeAndGo(milliseconds: number): void {
    this.#loops.push(
      (async () => {
        while (!this.#calm.signal.aborted) {
          const member = await this.#join(() => {});
          this.changes++;
          await pause(milliseconds, undefined, { signal: this.#calm.signal }).catch(() => {});
          await member?.leave();
          this.changes++;
          await pause(milliseconds, undefined, { signal: this.#calm.signal }).catch(() => {});
        }
      })(),
    );
  }

  /** Those that come and go leave for good. */
  calm(): void {
    this.#calm.abort();
  }

  async end(): Promise<void> {
    this.#calm.abort();
    this.#over.abort();
    await Promise.all(this.#loops);
  }

  async #join(ended: () => void): Promise<Member | undefined> {
    const { settings, codec } = this.#topics;
    const logger = createLogger("spec", "silent");
    const log = connectLog(settings, { clientId: "spec-member", logger });
    const pool: Pool = openPool(this.#databaseUrl, { applicationName: "tributary spec member", max: 4 });
    const close = async () => {
      await log.close();
      await pool.end();
    };
    const failed = (error: unknown) => {
      this.failures.push((error as { code?: string }).code ?? String(error));
      ended();
    };
    try {
      const running = await runConsumer({
        definition: { name: groupName, project: [notes] },
        log,
        pool,
        decoder: decoderOf(codec),
        opener: closedOpener,
        logger,
        onFailure: failed,
      });
      return {
        running,
        async leave() {
          await running.close();
          await close();
        },
      };
    } catch (error) {
      failed(error);
      await close();
      await pause(100);
      return undefined;
    }
  }
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
