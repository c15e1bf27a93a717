import { TributaryError } from "../../service/errors.js";
import type { Pool } from "../../store/pool.js";
import type { Step } from "./schedule.js";
import type { Hits, Weather } from "./weather.js";

/** Who sends statements. */
export interface Sender {
  readonly name: string;
  readonly alive: boolean;
  readonly frozen: boolean;
}

/** A connection to a real server. */
export interface Connection {
  query(...parameters: unknown[]): Promise<{ readonly rows: readonly unknown[] }>;
}

/** Looks on at the server: called when a statement was carried out, and nobody knows yet. */
export interface Witness {
  claimed(sender: Sender, values: readonly unknown[]): void;
  wrote(sender: Sender): Promise<void>;
}

/** write: rows behind the fence. read: rows. claim: the checkpoint itself. look: anything else, as at a start. */
type Kind = "write" | "read" | "claim" | "look";

interface Statement {
  readonly sender: Sender;
  readonly kind: Kind;
  readonly parameters: readonly unknown[];
  readonly settle: { resolve(result: unknown): void; reject(error: unknown): void };
  state: "on the way" | "answered" | "late";
  /** The same was carried out before. */
  readonly again?: boolean;
  reply?: { readonly result?: unknown; readonly error?: unknown };
}

function kindOf([first]: readonly unknown[]): Kind {
  const { name = "", text } = typeof first === "string" ? { text: first } : (first as { name?: string; text: string });
  if (name.startsWith("load_")) return "read";
  if (name.startsWith("write_") || text.includes("fence AS (")) return "write";
  return /(INSERT INTO|UPDATE) engine\.checkpoints/.test(text) ? "claim" : "look";
}

/** A query is a text and its values, or an object with both. */
const valuesOf = ([first, second]: readonly unknown[]): readonly unknown[] =>
  ((typeof first === "string" ? second : (first as { values?: unknown }).values) ?? []) as readonly unknown[];

const lostError = () => new TributaryError("TRIB_STORE_UNAVAILABLE");
const againErrors = { "a serialization failure": "40001", "a deadlock": "40P01" } as const;

/**
 * A real Postgres behind a network whose every delay and loss is a step. One statement runs at a time, so that none waits
 * for another's lock: a statement that is late has not begun at the server when others overtake it.
 */
export class SimulatedServer {
  readonly #connection: Connection;
  readonly #weather: Weather;
  readonly #hits: Hits;
  readonly #witness: Witness;
  #statements: Statement[] = [];

  constructor(connection: Connection, weather: Weather, hits: Hits, witness: Witness) {
    this.#connection = connection;
    this.#weather = weather;
    this.#hits = hits;
    this.#witness = witness;
  }

  /** What a process has as its pool. */
  poolOf(sender: Sender): Pool {
    const query = (...parameters: unknown[]) =>
      new Promise((resolve, reject) => {
        // What a dead process still computes here reaches nobody.
        if (!sender.alive) return;
        const settle = { resolve, reject };
        this.#statements.push({ sender, kind: kindOf(parameters), parameters, settle, state: "on the way" });
      });
    const connect = () => Promise.reject(new Error("the simulated server has no transactions of several statements"));
    return { query, connect } as unknown as Pool;
  }

  /** Statements of which nobody knows the end yet. */
  get waiting(): number {
    return this.#statements.length;
  }

  isBusyFor(sender: Sender): boolean {
    return this.#statements.some((statement) => statement.sender === sender);
  }

  /** A process is gone. What it had sent may still arrive. */
  abandon(sender: Sender, arrives: () => boolean): void {
    this.#statements = this.#statements.filter((statement) => {
      if (statement.sender !== sender || statement.state === "late") return true;
      if (statement.state === "answered" || !arrives()) return false;
      statement.state = "late";
      return true;
    });
  }

  *steps(): Iterable<Step> {
    for (const statement of this.#statements) {
      const what = `${statement.kind} of ${statement.sender.name}`;
      // A process that can't start is dull: most faults are for those at work.
      const part = statement.kind === "look" ? 0.2 : 1;
      const weight = (fault: "lostBefore" | "lostAfter" | "late" | "twice" | "refusedForNow") =>
        part * this.#weather.weight(fault);
      if (statement.state === "late") {
        yield { name: `late ${what} runs`, weight: 2, take: () => this.#runLate(statement) };
      } else if (statement.state === "on the way") {
        yield { name: `${what} runs`, weight: 8, take: () => this.#run(statement) };
        if (statement.sender.frozen) continue;
        yield {
          name: `${what} is lost`,
          weight: weight("lostBefore"),
          take: () => this.#fail(statement, "lost before it ran", lostError()),
        };
        yield {
          name: `${what} runs and will again`,
          weight: statement.kind === "write" ? weight("twice") : 0,
          take: () => this.#runTwice(statement),
        };
        yield { name: `${what} is late`, weight: weight("late"), take: () => this.#delay(statement) };
        for (const [name, code] of Object.entries(againErrors)) {
          yield {
            name: `${what} meets ${name}`,
            weight: statement.kind === "look" ? 0 : weight("refusedForNow") / 2,
            take: () => this.#fail(statement, name.slice(2), Object.assign(new Error(name), { code })),
          };
        }
      } else if (!statement.sender.frozen) {
        yield { name: `${what} is answered`, weight: 8, take: () => this.#answer(statement) };
        yield {
          name: `the answer to ${what} is lost`,
          weight: weight("lostAfter"),
          take: () => this.#fail(statement, "reply lost", lostError()),
        };
      }
    }
  }

  async #run(statement: Statement): Promise<void> {
    try {
      statement.reply = { result: await this.#connection.query(...statement.parameters) };
    } catch (error) {
      statement.reply = { error };
    }
    statement.state = "answered";
    if (statement.kind === "write" && statement.reply.result) {
      const { rows } = statement.reply.result as { rows: unknown[] };
      if (rows.length === 0) this.#hits.count("write stopped by the fence");
    }
    if (statement.kind === "claim") this.#witness.claimed(statement.sender, valuesOf(statement.parameters));
    if (statement.kind === "write") await this.#witness.wrote(statement.sender);
  }

  async #runLate(statement: Statement): Promise<void> {
    this.#remove(statement);
    await this.#run(statement);
    this.#hits.count(`${statement.kind} run ${statement.again ? "twice" : "late"}`);
  }

  /** Whatever stands between delivers it a second time, whenever. */
  async #runTwice(statement: Statement): Promise<void> {
    const settle = { resolve: () => {}, reject: () => {} };
    this.#statements.push({ ...statement, settle, state: "late", again: true });
    await this.#run(statement);
  }

  #delay(statement: Statement): void {
    statement.state = "late";
    statement.settle.reject(lostError());
  }

  #answer(statement: Statement): void {
    this.#remove(statement);
    const { result, error } = statement.reply ?? {};
    if (error) statement.settle.reject(error);
    else statement.settle.resolve(result);
  }

  #fail(statement: Statement, how: string, error: unknown): void {
    this.#remove(statement);
    this.#hits.count(`${statement.kind} ${how}`);
    statement.settle.reject(error);
  }

  #remove(statement: Statement): void {
    this.#statements = this.#statements.filter((other) => other !== statement);
  }
}
