import { writeSync } from "node:fs";
import { setImmediate } from "node:timers/promises";
import type { Log, LogProducer, OutgoingRecord } from "../log/log.js";
import type { Decoder, Opener } from "../projector/ports.js";
import type { Pool } from "../store/pool.js";

/** When a process dies at a call: before it, with the call under way and unanswered, or with the answer not yet looked at. */
export type Moment = "before" | "halfway" | "after";

/** Where a process is to die: `call` counts from 1. */
export interface FailPoint {
  readonly call: number;
  readonly moment: Moment;
}

/** One input or output call that was made. */
export interface SeenCall {
  readonly kind: "statement" | "copy" | "send" | "hand-over of a batch" | "schema look-up" | "vault call";
  /** Whether it is something that can be under way: a process can die halfway. */
  readonly divisible: boolean;
}

/** `17:halfway`, as the setting that {@link CallSeam.ofEnvironment} reads. */
export const failPointText = ({ call, moment }: FailPoint): string => `${call}:${moment}`;

/** Setting in which a program is told where to die. */
export const failPointSetting = "TRIBUTARY_FAIL_POINT";

/** Every point at which a process that makes these calls can die. */
export const failPointsOf = (calls: readonly SeenCall[]): FailPoint[] =>
  calls.flatMap(({ divisible }, index) =>
    (divisible ? (["before", "halfway", "after"] as const) : (["before", "after"] as const)).map((moment) => ({
      call: index + 1,
      moment,
    })),
  );

/** Ends the process as a power cut would, having said at which call. */
function die(kind: SeenCall["kind"]): never {
  writeSync(1, `dies at ${kind}\n`);
  process.kill(process.pid, "SIGKILL");
  // Nothing of this process happens any more, also where the signal takes a moment.
  for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
}

/** Counts the input and output calls of a process and ends it at one of them. The ports wrapped below go through it. */
export class CallSeam {
  readonly calls: SeenCall[] = [];
  readonly #strike: FailPoint | undefined;

  constructor(strike?: FailPoint) {
    this.#strike = strike;
  }

  static ofEnvironment(): CallSeam {
    const [call, moment] = (process.env[failPointSetting] ?? "").split(":");
    return new CallSeam(call && moment ? { call: Number(call), moment: moment as Moment } : undefined);
  }

  /** A call that gives a stream at once. Halfway: some of what is written to it may have arrived; after: all of it has. */
  stream<Stream>(kind: SeenCall["kind"], call: () => Stream): Stream {
    const number = this.calls.push({ kind, divisible: true });
    const moment = this.#strike?.call === number ? this.#strike.moment : undefined;
    if (moment === "before") die(kind);
    const stream = call();
    if (moment === "after") (stream as NodeJS.EventEmitter).once("finish", () => die(kind));
    if (moment === "halfway") (stream as NodeJS.EventEmitter).once("pipe", () => setTimeout(() => die(kind), 1));
    return stream;
  }

  /** @param part what of the call is done when the process dies halfway; without it the call is not divisible. */
  async pass<Result>(
    kind: SeenCall["kind"],
    call: () => Promise<Result>,
    part?: () => Promise<unknown>,
  ): Promise<Result> {
    const number = this.calls.push({ kind, divisible: part !== undefined });
    const moment = this.#strike?.call === number ? this.#strike.moment : undefined;
    if (moment === "before") die(kind);
    if (moment === "halfway" && part) {
      await part();
      die(kind);
    }
    try {
      return await call();
    } finally {
      if (moment === "after") die(kind);
    }
  }
}

/** What streams into or out of a statement, which is no promise. */
const isStream = (given: unknown) => typeof (given as { submit?: unknown } | undefined)?.submit === "function";

type Query = (...parameters: unknown[]) => Promise<unknown>;

/** Statements of a pool, and of the connections taken from it. Halfway: handed to the network, the answer not awaited. */
export function countedPool(pool: Pool, seam: CallSeam): Pool {
  const counted =
    (query: Query): Query =>
    (...parameters) =>
      seam.pass(
        "statement",
        () => query(...parameters),
        async () => {
          query(...parameters).catch(() => {});
          // Two turns: the first hands the statement to a connection, which writes it at once.
          await setImmediate();
          await setImmediate();
        },
      );
  return {
    query: counted(pool.query.bind(pool) as Query),
    async connect() {
      const client = await pool.connect();
      const plain = client.query.bind(client) as Query;
      const statement = counted(plain);
      const query = (...parameters: unknown[]) =>
        isStream(parameters[0]) ? seam.stream("copy", () => plain(...parameters)) : statement(...parameters);
      return new Proxy(client, {
        get: (target, name) => {
          const value: unknown = name === "query" ? query : Reflect.get(target, name);
          return typeof value === "function" && name !== "query" ? value.bind(target) : value;
        },
      });
    },
    end: () => pool.end(),
  } as unknown as Pool;
}

/** @param partOf the records that the log has when its sender dies halfway: all of some partitions, none of the others. */
export function countedProducer(
  producer: LogProducer,
  seam: CallSeam,
  partOf: (records: readonly OutgoingRecord[]) => readonly OutgoingRecord[],
): LogProducer {
  return {
    append: (records) =>
      seam.pass(
        "send",
        () => producer.append(records),
        () => producer.append(partOf(records)),
      ),
    close: () => producer.close(),
  };
}

/** Batches handed over to the lanes of a log's subscriptions. */
export function countedLog<Some extends Pick<Log, "subscribe">>(log: Some, seam: CallSeam): Some {
  return {
    ...log,
    subscribe: (options) =>
      log.subscribe({
        ...options,
        lane(topic, partition) {
          const lane = options.lane(topic, partition);
          return {
            open: () => lane.open(),
            batch: (records, context) => seam.pass("hand-over of a batch", () => lane.batch(records, context)),
            close: () => lane.close(),
          };
        },
      }),
  };
}

export const countedDecoder = (decoder: Decoder, seam: CallSeam): Decoder => ({
  decodeEvent: (value) => decoder.decodeEvent(value),
  ...(decoder.eventReader ? { eventReader: decoder.eventReader } : {}),
  learn: (value) => seam.pass("schema look-up", () => decoder.learn(value)),
});

export const countedOpener = (opener: Opener, seam: CallSeam): Opener => ({
  open: (contents) => seam.pass("vault call", () => opener.open(contents)),
});
