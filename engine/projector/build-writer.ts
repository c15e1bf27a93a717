import { TributaryError } from "../service/errors.js";
import type { Metrics } from "../service/metrics.js";
import type { Pool } from "../store/pool.js";
import type { Build } from "./build.js";
import { type Failure, failureOf } from "./failure.js";
import type { ProjectionLayout } from "./layout.js";
import type { Patience } from "./patience.js";
import { type EncodedWrite, type Write, WriteStatements } from "./statement.js";

/** What came of a write. `lost`: another owner has the lane; nothing was written. */
export type Outcome = "committed" | "lost" | Failure;

/** A lane with changes to be written. */
export interface WriteSource {
  /** Called when its turn has come: all that the lane has folded by then. It is encoded before anything else happens. */
  take(): Write;
}

export interface BuildWriterOptions {
  readonly pool: Pool;
  readonly layout: ProjectionLayout;
  readonly build: Build;
  readonly patience: Patience;
  readonly metrics?: Metrics;
  /** Statements under way at once; default 2. */
  readonly statements?: number;
  /** Rows after which a statement takes no further lane; default 20,000. */
  readonly statementRows?: number;
  /** Bytes after which it takes none; default 32 MB. */
  readonly statementBytes?: number;
}

const mostAttempts = 8;

interface Turn {
  readonly source: WriteSource;
  readonly settle: (outcome: Outcome) => void;
  readonly fail: (error: unknown) => void;
}

interface Encoded {
  readonly turn: Turn;
  readonly encoded: EncodedWrite;
}

/**
 * Writes a build for all lanes of a process. Lanes wait for their turn here, and what they fold meanwhile goes with it: so
 * under load statements grow and rows that change again and again are written once, and without load nothing waits.
 * Lanes whose turn comes together share one statement, each behind its own fence.
 */
export class BuildWriter {
  readonly #options: BuildWriterOptions;
  readonly #statements: WriteStatements;
  #waiting: Turn[] = [];
  #underWay = 0;
  #scheduled = false;

  constructor(options: BuildWriterOptions) {
    this.#options = options;
    this.#statements = new WriteStatements(options.layout, options.build);
  }

  /** Writes what the source has when its turn comes. @throws what is neither data nor weather. */
  write(source: WriteSource): Promise<Outcome> {
    return new Promise((settle, fail) => {
      this.#waiting.push({ source, settle, fail });
      this.#schedule();
    });
  }

  /** Lanes that got their events from one fetch ask in one turn of the event loop, and go together. */
  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      while (this.#waiting.length > 0 && this.#underWay < (this.#options.statements ?? 2)) void this.#begin();
    });
  }

  async #begin(): Promise<void> {
    const writes: Encoded[] = [];
    const { statementRows = 20_000, statementBytes = 32e6 } = this.#options;
    for (let rows = 0, bytes = 0; this.#waiting.length > 0 && rows < statementRows && bytes < statementBytes; ) {
      const turn = this.#waiting.shift() as Turn;
      try {
        const encoded = this.#statements.encode(turn.source.take());
        rows += encoded.rows;
        bytes += encoded.bytes;
        writes.push({ turn, encoded });
      } catch (error) {
        turn.fail(error);
      }
    }
    if (writes.length === 0) return;
    this.#underWay++;
    try {
      await this.#run(writes);
    } finally {
      this.#underWay--;
      if (this.#waiting.length > 0) this.#schedule();
    }
  }

  /** What Postgres refuses is looked for lane by lane: the others' rows are no worse for it. */
  async #run(writes: readonly Encoded[]): Promise<void> {
    try {
      const outcomes = await this.#send(writes.map(({ encoded }) => encoded));
      if (Array.isArray(outcomes)) {
        writes.forEach(({ turn }, index) => {
          turn.settle(outcomes[index] as Outcome);
        });
      } else if (outcomes.kind === "refused" && writes.length > 1) {
        for (const write of writes) await this.#run([write]);
      } else for (const { turn } of writes) turn.settle(outcomes);
    } catch (error) {
      for (const { turn } of writes) turn.fail(error);
    }
  }

  /**
   * One try of the fenced statement, repeated only when it was certainly not written. What keeps failing so is handed to
   * the lanes as in doubt: they know whether they still have their partitions.
   */
  async #send(writes: readonly EncodedWrite[]): Promise<Outcome[] | Failure> {
    const { pool, patience, metrics, layout, build } = this.#options;
    const statement = this.#statements.statement(writes);
    const startedAt = performance.now();
    for (let attempt = 0; ; attempt++) {
      try {
        const { rows } = await pool.query<{ lane: number }>({ ...statement, values: [...statement.values] });
        const seconds = (performance.now() - startedAt) / 1000;
        metrics?.observe("tributary_batch_seconds", { projection: layout.name }, seconds);
        const behindFence = new Set(rows.map(({ lane }) => lane));
        return writes.map((_, index) => (behindFence.has(index + 1) ? "committed" : "lost"));
      } catch (error) {
        const failure = failureOf(error);
        if (failure.kind === "wrong") {
          const facts = { projection: layout.name, build: build.build };
          throw new TributaryError("TRIB_PROJECT_WRITE_FAILED", undefined, facts, { cause: error });
        }
        if (failure.kind !== "again") return failure;
        if (attempt === mostAttempts) return { kind: "doubt", code: failure.code };
        await patience.wait("write a batch", error, attempt);
      }
    }
  }
}
