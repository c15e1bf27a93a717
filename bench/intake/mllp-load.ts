import { connect, type Socket } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { frame, frameReader } from "../../demo/mllp.js";

/** Answers of a run, by message in the order given to its connection. */
export interface LoadResult {
  readonly seconds: number;
  /** Milliseconds of each message until its answer. */
  readonly latencies: Float64Array;
  /** Answers that were not AA. */
  readonly refused: number;
}

const ACCEPTED = Buffer.from("MSA|AA");

/** One connection that sends its messages in order. */
class Lane {
  readonly #frames: readonly Buffer[];
  readonly #window: number;
  readonly #socket: Socket;
  readonly #answered: (lane: number, index: number, accepted: boolean) => void;
  readonly #lane: number;
  #sent = 0;
  #received = 0;
  readonly done: Promise<void>;
  #finish: () => void = () => {};

  private constructor(
    socket: Socket,
    lane: number,
    messages: readonly Buffer[],
    window: number,
    answered: (lane: number, index: number, accepted: boolean) => void,
  ) {
    this.#socket = socket;
    this.#lane = lane;
    this.#frames = messages.map(frame);
    this.#window = window;
    this.#answered = answered;
    this.done = new Promise((resolve, reject) => {
      this.#finish = resolve;
      socket.once("close", () => reject(new Error("the connector closed a connection of the bench")));
    });
    this.done.catch(() => {});
    socket.on(
      "data",
      frameReader((answer) => this.#take(answer)),
    );
  }

  static open(
    url: string,
    lane: number,
    messages: readonly Buffer[],
    window: number,
    answered: (lane: number, index: number, accepted: boolean) => void,
  ): Promise<Lane> {
    const { hostname, port } = new URL(url);
    return new Promise((resolve, reject) => {
      const socket = connect({ host: hostname, port: Number(port), noDelay: true });
      socket.once("error", reject);
      socket.once("connect", () => resolve(new Lane(socket, lane, messages, window, answered)));
    });
  }

  /** Sends as far as the window allows. */
  fill(onSent: (index: number) => void): void {
    this.#socket.cork();
    while (this.#sent < this.#frames.length && this.#sent - this.#received < this.#window) {
      onSent(this.#sent);
      this.#socket.write(this.#frames[this.#sent++] as Buffer);
    }
    this.#socket.uncork();
    if (this.#frames.length === 0) this.#finish();
  }

  /** Sends the next one, however many wait. */
  next(): void {
    this.#socket.write(this.#frames[this.#sent++] as Buffer);
  }

  #take(answer: Buffer): void {
    this.#answered(this.#lane, this.#received++, answer.includes(ACCEPTED));
    if (this.#received === this.#frames.length) this.#finish();
  }

  close(): void {
    this.#socket.destroy();
  }
}

/**
 * As fast as the answers come: each connection has up to `window` messages on the way.
 * @param lanes messages of each connection, in order.
 */
export async function loadAtFullSpeed(
  url: string,
  lanes: readonly (readonly Buffer[])[],
  window: number,
): Promise<LoadResult> {
  const sentAt = lanes.map((messages) => new Float64Array(messages.length));
  const latencies: number[] = [];
  let refused = 0;
  const open = await Promise.all(
    lanes.map((messages, at) =>
      Lane.open(url, at, messages, window, (lane, index, accepted) => {
        latencies.push(performance.now() - (sentAt[lane]?.[index] ?? 0));
        if (!accepted) refused++;
        open[lane]?.fill((sent) => {
          (sentAt[lane] as Float64Array)[sent] = performance.now();
        });
      }),
    ),
  );
  const began = performance.now();
  for (const [at, lane] of open.entries()) {
    lane.fill((sent) => {
      (sentAt[at] as Float64Array)[sent] = performance.now();
    });
  }
  try {
    await Promise.all(open.map(({ done }) => done));
  } finally {
    for (const lane of open) lane.close();
  }
  return { seconds: (performance.now() - began) / 1000, latencies: Float64Array.from(latencies), refused };
}

/**
 * At a steady rate, whatever the answers do: latency counts from the moment at which a message was due, so a pause of
 * the receiver is told by every message that it held up.
 * @param order which connection sends next.
 */
export async function loadAtRate(
  url: string,
  lanes: readonly (readonly Buffer[])[],
  order: readonly number[],
  rate: number,
): Promise<LoadResult> {
  const dueAt = lanes.map((messages) => new Float64Array(messages.length));
  const sent = lanes.map(() => 0);
  const latencies: number[] = [];
  let refused = 0;
  const open = await Promise.all(
    lanes.map((messages, at) =>
      Lane.open(url, at, messages, Number.POSITIVE_INFINITY, (lane, index, accepted) => {
        latencies.push(performance.now() - (dueAt[lane]?.[index] ?? 0));
        if (!accepted) refused++;
      }),
    ),
  );
  const began = performance.now();
  try {
    for (const [count, lane] of order.entries()) {
      const due = began + (count * 1000) / rate;
      while (due - performance.now() > 0.5) await pause(Math.max(0, due - performance.now() - 0.5));
      const index = sent[lane] as number;
      (dueAt[lane] as Float64Array)[index] = due;
      sent[lane] = index + 1;
      open[lane]?.next();
    }
    await Promise.all(open.filter((_, at) => (lanes[at]?.length ?? 0) > 0).map(({ done }) => done));
  } finally {
    for (const lane of open) lane.close();
  }
  return { seconds: (performance.now() - began) / 1000, latencies: Float64Array.from(latencies), refused };
}

/** The value below which a share of the numbers lies. @param share 0 to 1. */
export function percentile(numbers: Float64Array, share: number): number {
  const sorted = Float64Array.from(numbers).sort();
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)] ?? 0;
}
