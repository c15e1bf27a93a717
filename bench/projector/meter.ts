import type { Place } from "./place.js";
import { busySeconds, cpuSeconds, peakBytes, treeSeconds } from "./proc.js";

/** What something cost. CPU in seconds; undefined where this machine can't tell. */
export interface Spent {
  readonly seconds: number;
  /** CPU of the processes measured. */
  readonly own: number | undefined;
  readonly postgres: number | undefined;
  readonly kafka: number | undefined;
  /** CPU of all else on the machine. */
  readonly others: number | undefined;
  /** Most memory of the processes measured together, bytes. */
  readonly peak: number | undefined;
  readonly walBytes: number;
}

const total = (values: readonly (number | undefined)[]): number | undefined =>
  values.reduce<number | undefined>(
    (sum, value) => (sum === undefined || value === undefined ? undefined : sum + value),
    0,
  );
const less = (now: number | undefined, before: number | undefined) =>
  now === undefined || before === undefined ? undefined : now - before;

interface Reading {
  readonly at: number;
  readonly own: number | undefined;
  readonly postgres: number | undefined;
  readonly kafka: number | undefined;
  readonly busy: number | undefined;
  readonly self: number;
  readonly wal: number;
}

/** Measures processes, the servers and the machine from `start` to `stop`. */
export class Meter {
  readonly #place: Place;
  readonly #pids: () => readonly number[];
  #before: Reading | undefined;
  #peak: number | undefined = 0;
  readonly #last = new Map<number, number | undefined>();

  /** @param pids of the processes measured, as they are at the time. */
  constructor(place: Place, pids: () => readonly number[]) {
    this.#place = place;
    this.#pids = pids;
  }

  async start(): Promise<void> {
    this.#before = await this.#read();
  }

  /** To be called now and then: what a process that was killed had spent is known from the last time. */
  look(): void {
    for (const pid of this.#pids()) {
      const spent = cpuSeconds(pid);
      if (spent !== undefined || !this.#last.has(pid)) this.#last.set(pid, spent);
    }
    const peak = total(this.#pids().map(peakBytes));
    if (peak !== undefined && this.#peak !== undefined) this.#peak = Math.max(this.#peak, peak);
  }

  async stop(): Promise<Spent> {
    const before = this.#before as Reading;
    const now = await this.#read();
    const own = less(now.own, before.own);
    const postgres = less(now.postgres, before.postgres);
    const kafka = less(now.kafka, before.kafka);
    const known = total([own, postgres, kafka, now.self - before.self]);
    return {
      seconds: (now.at - before.at) / 1000,
      own,
      postgres,
      kafka,
      others: less(less(now.busy, before.busy), known),
      peak: this.#peak || undefined,
      walBytes: now.wal - before.wal,
    };
  }

  async #read(): Promise<Reading> {
    const at = performance.now();
    this.look();
    const { postgres, kafka } = this.#place.servers;
    const { user, system } = process.cpuUsage();
    const reading = {
      own: total([...this.#last.values()]),
      postgres: postgres === undefined ? undefined : treeSeconds(postgres),
      kafka: kafka === undefined ? undefined : cpuSeconds(kafka),
      busy: busySeconds(),
      self: (user + system) / 1e6,
    };
    const { rows } = await this.#place.pool.query<{ wal: string }>(
      "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0') AS wal",
    );
    return { at, ...reading, wal: Number(rows[0]?.wal) };
  }
}
