import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { setTimeout as pause } from "node:timers/promises";
import type { LaneContext, Log } from "../log/log.js";
import type { Build } from "../projector/build.js";
import { ConsumerLane } from "../projector/consumer-lane.js";
import type { AnyProjection } from "../projector/definition.js";
import { FedBuild, type FeedParts } from "../projector/fed-build.js";
import { Patience } from "../projector/patience.js";
import type { Unfilled } from "./fill.js";
import { Pace } from "./pace.js";

export interface FollowOptions extends Omit<FeedParts, "log" | "owner" | "patience" | "onFailure"> {
  readonly projection: AnyProjection;
  readonly build: Build;
  readonly log: Pick<Log, "read" | "watermarks">;
  /** Partitions that were begun, with the keys met. */
  readonly unfilled?: readonly Unfilled[];
  /** Most events a second; default as fast as it goes. */
  readonly rate?: number;
  readonly signal?: AbortSignal;
  /** Milliseconds between looks at where the log ends; default 100. */
  readonly interval?: number;
  /** Told now and then: events handled, of so many that are there. */
  readonly progress?: (events: number, total: number) => void;
}

/** A build that is fed by lanes outside of any group. */
export interface Following {
  /** Events that the lanes are behind the end of the log; what they have read may not be written yet. */
  behind(): number;
  /** Whether all that is in the log is written, and the checkpoints stand at its end. */
  isWritten(): boolean;
  /** Rejects with what a lane stopped for; resolves after `stop`. */
  readonly ended: Promise<void>;
  /** Lets the lanes go when their statements under way have ended: what is not written is left to who comes next. */
  stop(): Promise<void>;
}

/** Where the partitions of a topic end, looked at by all lanes together. */
class Ends {
  readonly #log: Pick<Log, "watermarks">;
  readonly #interval: number;
  readonly #looks = new Map<string, { readonly at: number; readonly high: Promise<ReadonlyMap<number, number>> }>();

  constructor(log: Pick<Log, "watermarks">, interval: number) {
    this.#log = log;
    this.#interval = interval;
  }

  async of(topic: string, partition: number): Promise<number> {
    let look = this.#looks.get(topic);
    if (!look || performance.now() - look.at >= this.#interval) {
      const high = this.#log
        .watermarks(topic)
        .then((marks) => new Map(marks.map((mark) => [mark.partition, mark.high] as const)));
      look = { at: performance.now(), high };
      this.#looks.set(topic, look);
    }
    return (await look.high).get(partition) ?? 0;
  }
}

/**
 * Feeds a build with the ordinary lanes, reading every partition by itself, until it is stopped: what a rebuild could not
 * fold in memory, and what came meanwhile.
 */
export async function follow(options: FollowOptions): Promise<Following> {
  const { projection, build, log, logger, interval = 100, unfilled = [] } = options;
  const stopping = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, stopping.signal]) : stopping.signal;
  const owner = `${hostname()}:${process.pid}:${randomUUID().slice(0, 8)}/rebuild`;
  const patience = new Patience({ logger });
  let failed: (error: unknown) => void = () => {};
  const failure = new Promise<never>((_, reject) => {
    failed = reject;
  });
  const fed = new FedBuild(projection, build, { ...options, owner, patience, onFailure: failed });
  const ends = new Ends(log, interval);
  const pace = new Pace(options.rate);
  const standing = new Map<string, { next: number; end: number; written: number }>();

  const feed = async (topic: string, partition: number): Promise<void> => {
    const met = unfilled.find((one) => one.topic === topic && one.partition === partition)?.met;
    const lane = new ConsumerLane({ ...fed.reading(topic, partition), lanes: [fed.lane(topic, partition, met)] });
    const stand = { next: 0, end: Number.POSITIVE_INFINITY, written: -1 };
    const context = (): LaneContext => ({
      highWatermark: stand.end,
      isOwned: () => !signal.aborted,
      heartbeat: async () => {},
      seek: () => {},
    });
    standing.set(`${topic}/${partition}`, stand);
    stand.next = await lane.open();
    fed.opened(partition);
    try {
      await lane.attend();
      while (!signal.aborted) {
        stand.end = await patience.until("look where the log ends", () => ends.of(topic, partition));
        if (stand.next >= stand.end) {
          if (stand.written < stand.end) {
            await lane.rest(context(), options.selection && stand.end);
            stand.written = stand.end;
          }
          await pause(interval, undefined, { signal }).catch(() => {});
          if (!signal.aborted) await lane.attend();
          continue;
        }
        for await (const records of log.read(topic, partition, stand.next, stand.end)) {
          if (signal.aborted) break;
          await lane.batch(records, context());
          stand.next = (records.at(-1)?.offset ?? stand.next - 1) + 1;
          const all = [...standing.values()];
          options.progress?.(
            all.reduce((sum, { next }) => sum + next, 0),
            all.reduce((sum, { end }) => sum + (Number.isFinite(end) ? end : 0), 0),
          );
          await pace.did(records.length, signal).catch(() => {});
          // Others' records and statements have their turn.
          await new Promise((resolve) => setImmediate(resolve));
        }
        // Beyond the last record where the broker's own records follow it.
        if (!signal.aborted) stand.next = Math.max(stand.next, stand.end);
      }
    } finally {
      await fed.closed(partition);
      await lane.close();
    }
  };

  const places: { readonly topic: string; readonly partition: number }[] = [];
  for (const topic of fed.topics) {
    for (const { partition } of await log.watermarks(topic)) places.push({ topic, partition });
  }
  const feeding = Promise.all(
    places.map(({ topic, partition }) =>
      feed(topic, partition).catch((error: unknown) => {
        stopping.abort();
        throw error;
      }),
    ),
  );
  const ended = Promise.race([feeding, failure]).then(() => {});
  ended.catch(() => {});
  return {
    behind: () => {
      if (standing.size < places.length) return Number.POSITIVE_INFINITY;
      return [...standing.values()].reduce((sum, { next, end }) => sum + Math.max(0, end - next), 0);
    },
    isWritten: () =>
      standing.size === places.length && [...standing.values()].every(({ written, end }) => written >= end),
    ended,
    async stop() {
      stopping.abort();
      await feeding.catch(() => {});
    },
  };
}
