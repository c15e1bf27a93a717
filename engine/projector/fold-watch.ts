import { Worker } from "node:worker_threads";

/** Which lane's fold is at work; told once a lane, looked up only when a fold is too slow. */
export interface WatchedLane {
  readonly projection: string;
  readonly topic: string;
  readonly partition: number;
}

/** One lane's part of the watch. Calls cost a few nanoseconds: they are made for every event. */
export interface FoldWatch {
  /** A fold of the event at this offset begins. Replaces the event before: `end` is needed once, after the last. */
  begin(offset: number): void;
  /** No fold is at work. */
  end(): void;
}

/**
 * Looks at the folds from outside: a fold is plain code, and while it runs its thread can't look at a clock. An event
 * that takes longer than the budget ends the process, loudly, and parks nothing: the next process stops at it again,
 * until the fold is mended or an operator decides that the event parks its key.
 */
export class FoldWatchdog {
  readonly #worker: Worker;
  readonly #number = new Int32Array(new SharedArrayBuffer(4));
  readonly #at = new Float64Array(new SharedArrayBuffer(16));
  #lanes = 0;
  #events = 0;

  /**
   * @param seconds the budget of one event.
   * @param process name of this process, on the line that is logged.
   */
  constructor(seconds: number, process: string) {
    this.#worker = new Worker(watching, {
      eval: true,
      // Flags of the process may say that code is a module.
      execArgv: [],
      name: "fold-watch",
      workerData: { number: this.#number, at: this.#at, budget: seconds * 1000, process },
    });
    // A process that has nothing else to do is not kept alive by being watched.
    this.#worker.unref();
  }

  lane(lane: WatchedLane): FoldWatch {
    const index = this.#lanes++;
    this.#worker.postMessage({ index, lane });
    const number = this.#number;
    const at = this.#at;
    return {
      begin: (offset) => {
        at[0] = index;
        at[1] = offset;
        // Never 0, which says that no fold is at work.
        this.#events = (this.#events + 1) & 0x7fffffff || 1;
        Atomics.store(number, 0, this.#events);
      },
      end: () => {
        Atomics.store(number, 0, 0);
      },
    };
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }
}

/**
 * The watching thread, plain JavaScript: it must run as it stands, from sources and from built files. Time counts by its
 * own ticks, so that a process that was stopped or a machine that slept is not taken for a slow fold.
 */
const watching = `
const { parentPort, workerData } = require("node:worker_threads");
const { writeSync } = require("node:fs");
const { number, at, budget, process: name } = workerData;
const lanes = new Map();
parentPort.on("message", ({ index, lane }) => lanes.set(index, lane));
const tick = Math.max(5, Math.min(1000, budget / 10));
let seen = 0;
let spent = 0;
let last = performance.now();
setInterval(() => {
  const now = performance.now();
  const passed = Math.min(now - last, 2 * tick);
  last = now;
  const current = Atomics.load(number, 0);
  spent = current !== 0 && current === seen ? spent + passed : 0;
  seen = current;
  if (spent < budget) return;
  const [index, offset] = at;
  const { projection, topic, partition } = lanes.get(index) ?? {};
  if (Atomics.load(number, 0) !== current) return;
  const line = { level: "fatal", time: new Date().toISOString(), name, pid: process.pid, projection, topic, partition, offset,
    milliseconds: Math.round(spent), code: "TRIB_PROJECT_FOLD_TOO_SLOW",
    msg: "a fold takes longer than its budget (FOLD_SECONDS); the process ends, nothing was parked" };
  writeSync(2, JSON.stringify(line) + "\\n");
  process.kill(process.pid, "SIGKILL");
}, tick);
`;
