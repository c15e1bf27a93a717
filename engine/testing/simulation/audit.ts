import type { Build } from "../../projector/build.js";
import type { AnyProjection } from "../../projector/definition.js";
import { layOut } from "../../projector/layout.js";
import { PureFold } from "../../projector/pure.js";
import { readTable } from "../../projector/read-table.js";
import { topic } from "../notes.js";
import { type History, placed } from "./history.js";
import { Violation } from "./schedule.js";
import type { Connection, Sender } from "./server.js";

export interface Audited {
  readonly projection: AnyProjection;
  readonly build: Build;
}

interface CheckpointRow {
  readonly projection: string;
  readonly partition: number;
  readonly next_offset: number;
  readonly epoch: number;
  readonly owner: string;
}

interface ParkedRow {
  readonly partition: number;
  readonly log_offset: number;
  readonly key: string;
  readonly code: string;
}

const refused = "TRIB_PROJECT_WRITE_REFUSED";
const sorted = (rows: readonly unknown[]) => rows.map((row) => JSON.stringify(row)).sort();

/** Compares what stands in Postgres with what the log says. No statement is under way at the server when it looks. */
export class Auditor {
  readonly #connection: Connection;
  readonly #all: readonly Audited[];
  readonly #history: History;
  #checkpoints: ReadonlyMap<string, CheckpointRow> = new Map();
  /** Who sent a claim with this text: one of them is the owner's name that the checkpoint then has. */
  readonly #claimers = new Map<unknown, Sender>();
  /** Events compared with rows so far. */
  events = 0;

  constructor(connection: Connection, all: readonly Audited[], history: History) {
    this.#connection = connection;
    this.#all = all;
    this.#history = history;
  }

  /** Every lane has reached the end of the log. */
  get isAtEnd(): boolean {
    return this.#all.every(({ projection }) =>
      this.#history.records.every((records, partition) => this.reached(projection.name, partition) === records.length),
    );
  }

  reached(projection: string, partition: number): number {
    return this.#checkpoints.get(`${projection}/${partition}`)?.next_offset ?? 0;
  }

  /** A process claimed a lane. @param values of its statement. */
  claimed(sender: Sender, values: readonly unknown[]): void {
    for (const value of values) this.#claimers.set(value, sender);
  }

  /**
   * Looks where the checkpoints are after a write.
   * @throws Violation when one went back, or was moved by another process than the one that claimed the lane last.
   */
  async follow(sender: Sender): Promise<void> {
    const { rows } = await this.#connection.query({
      name: "simulation_checkpoints",
      text: "SELECT projection, partition, next_offset, epoch, owner FROM engine.checkpoints",
    });
    const now = new Map((rows as CheckpointRow[]).map((row) => [`${row.projection}/${row.partition}`, row]));
    for (const lane of this.#checkpoints.keys()) if (!now.has(lane)) throw new Violation(`${lane} has no checkpoint`);
    for (const [lane, after] of now) {
      const before = this.#checkpoints.get(lane);
      const moved = after.next_offset - (before?.next_offset ?? 0);
      if (moved < 0) throw new Violation(`the checkpoint of ${lane} went back by ${-moved}`);
      if (before && after.epoch < before.epoch) throw new Violation(`the epoch of ${lane} went back`);
      const claimer = this.#claimers.get(after.owner);
      if (moved > 0 && claimer !== sender) {
        throw new Violation(`${sender.name} moved the checkpoint of ${lane}, which ${claimer?.name} had claimed since`);
      }
    }
    this.#checkpoints = now;
  }

  /** @throws Violation when a row or a parked key is not what the pure fold up to the checkpoints says. */
  async compare(): Promise<void> {
    for (const audited of this.#all) {
      const { projection, build } = audited;
      const parked = await this.#parked(audited);
      const pure = this.#fold(projection, parked);
      this.#same(
        `${projection.name}: parked keys`,
        parked.map((row) => [row.partition, Number(row.log_offset), row.key, row.code]),
        pure.parked.map(({ partition, offset, key, code }) => [partition, offset, key, code]),
      );
      for (const table of layOut(projection).tables) {
        const built = await readTable(this.#connection as never, build, table);
        const columns = table.columns.map(({ name }) => name);
        const plain = ({ row, source }: (typeof built)[number]) => [
          columns.map((column) => row[column] ?? null),
          source && [source.partition, source.offset, table.kind === "keyed" ? source.recordedAt : 0],
        ];
        this.#same(`${projection.name}.${table.name}`, built.map(plain), pure.rows(table.name).map(plain));
      }
    }
  }

  async #parked({ projection, build }: Audited): Promise<ParkedRow[]> {
    const { rows } = await this.#connection.query({
      name: "simulation_parked",
      text: "SELECT partition, log_offset, key, code FROM engine.parked_keys WHERE projection = $1 AND build = $2",
      values: [projection.name, build.build],
    });
    return rows as ParkedRow[];
  }

  #fold(projection: AnyProjection, parked: readonly ParkedRow[]): PureFold {
    // What Postgres refuses depends on what was written together; that it may refuse it at all, does not.
    const refusals = new Set(
      parked.filter(({ code }) => code === refused).map((row) => `${row.partition}/${row.log_offset}`),
    );
    const pure = new PureFold(projection);
    for (const partition of this.#history.records.keys()) {
      for (const { happening, offset } of this.#history.below(partition, this.reached(projection.name, partition))) {
        const isRefused = refusals.has(`${partition}/${offset}`);
        if (isRefused && !happening.refusable) throw new Violation(`${partition}/${offset} was parked without reason`);
        const code = isRefused ? refused : happening.garbage ? "TRIB_PROJECT_EVENT_UNDECODABLE" : undefined;
        const input = placed(happening, partition, offset);
        pure.apply(code ? { ...input, undecodable: { code, reason: "" } } : input);
        this.events++;
      }
    }
    return pure;
  }

  #same(what: string, built: readonly unknown[], wanted: readonly unknown[]): void {
    const [there, due] = [sorted(built), sorted(wanted)];
    if (JSON.stringify(there) === JSON.stringify(due)) return;
    const extra = there.filter((row) => !due.includes(row));
    const missing = due.filter((row) => !there.includes(row));
    throw new Violation(
      `${what} of ${topic} differs: ${there.length} rows instead of ${due.length}; there: ${extra.slice(0, 3).join(" ")}; due: ${missing.slice(0, 3).join(" ")}`,
    );
  }
}
