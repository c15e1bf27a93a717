import { setTimeout as pause } from "node:timers/promises";
import type { Admin, Consumer, EachBatchPayload, Kafka } from "kafkajs";
import type { Logger } from "pino";
import { TributaryError } from "../service/errors.js";
import { kafkaErrorType, logError } from "./connection.js";
import { dismissDeadMembers } from "./dead-members.js";
import { holdsRecords } from "./gap.js";
import { stretchesOf } from "./incoming.js";
import type { Cluster } from "./kafkajs-internals.js";
import { Lane } from "./lane.js";
import type { Subscription, SubscriptionOptions } from "./log.js";
import { assertReadable, partitionCount, topicWatermarks } from "./watermarks.js";

const sessionMilliseconds = 12_000;
const heartbeatMilliseconds = 3_000;
const rebalanceMilliseconds = 30_000;
/**
 * Longest wait of an empty fetch; also how long a lane that was just opened may wait for its first one. Records that come
 * end it at once. The library walks over all partitions at its end, which is most of what an idle consumer costs.
 */
const fetchWaitMilliseconds = 600;
/** How often the topics are looked at from outside: a topic that is gone or was made anew gives no records to notice by. */
const watchMilliseconds = 15_000;
const lookMilliseconds = 5_000;

export interface SubscriptionParts {
  readonly kafka: Kafka;
  readonly admin: Admin;
  /** Connections apart from the consumer's, whose fetches wait on theirs; made when first asked for. */
  readonly cluster: () => Promise<Cluster>;
  readonly prefix: string;
  readonly logger: Logger;
  readonly watchMilliseconds?: number;
}

/**
 * Records decoded and handled at a time: what is made of them is garbage before the next stretch, and never gets old
 * enough to be moved about by the collector.
 */
const stretchRecords = 1_000;
/** Longest time without looking at sockets and timers: answers of Postgres, heartbeats. */
const breathMilliseconds = 10;
let breathed = 0;

/** Lets the rest of the process live when it has waited long enough, whichever lane asks. */
async function breath(): Promise<void> {
  if (performance.now() - breathed < breathMilliseconds) return;
  await new Promise((resolve) => setImmediate(resolve));
  breathed = performance.now();
}

const laneKey = (topic: string, partition: number): string => `${partition} ${topic}`;

/** Joins a group and runs a lane for every partition assigned. The group's committed offsets are never used. */
export async function subscribe(options: SubscriptionOptions, parts: SubscriptionParts): Promise<Subscription> {
  const running = new RunningSubscription(options, parts);
  await running.start();
  return running;
}

class RunningSubscription implements Subscription {
  readonly #options: SubscriptionOptions;
  readonly #parts: SubscriptionParts;
  readonly #consumer: Consumer;
  /** Partitions of each topic, with prefix, as they were at the start. */
  readonly #counts = new Map<string, number>();
  #lanes = new Map<string, Lane>();
  readonly #closing = new Map<string, Promise<void>>();
  /** The batch of each partition that is handled now, or was last; never rejects. */
  readonly #inHand = new Map<string, Promise<void>>();
  #ended: Promise<void> | undefined;
  #lastFetch = Date.now();
  #watch: NodeJS.Timeout | undefined;

  constructor(options: SubscriptionOptions, parts: SubscriptionParts) {
    this.#options = options;
    this.#parts = parts;
    this.#consumer = parts.kafka.consumer({
      groupId: `${parts.prefix}${options.group}`,
      sessionTimeout: sessionMilliseconds,
      heartbeatInterval: heartbeatMilliseconds,
      rebalanceTimeout: rebalanceMilliseconds,
      maxWaitTimeInMs: fetchWaitMilliseconds,
      maxBytesPerPartition: options.maxBytesPerPartition ?? 1024 * 1024,
      allowAutoTopicCreation: false,
      // What dies is started again by its supervisor, with a fresh state.
      retry: { restartOnFailure: async () => false },
    });
  }

  async start(): Promise<void> {
    const topics = this.#options.topics.map((topic) => `${this.#parts.prefix}${topic}`);
    for (const topic of topics) this.#counts.set(topic, await partitionCount(this.#parts.admin, topic));
    const { GROUP_JOIN, FETCH, CRASH } = this.#consumer.events;
    this.#consumer.on(GROUP_JOIN, ({ payload }) => this.#assigned(payload.memberAssignment));
    this.#consumer.on(FETCH, () => {
      this.#lastFetch = Date.now();
    });
    this.#consumer.on(CRASH, ({ payload }) => this.#crashed(payload.error));
    try {
      await dismissDeadMembers(`${this.#parts.prefix}${this.#options.group}`, this.#parts);
      await this.#consumer.connect();
      await this.#consumer.subscribe({ topics, fromBeginning: true });
      await this.#consumer.run({
        autoCommit: false,
        // What an earlier lane was given must not move the reading of the one after it.
        eachBatchAutoResolve: false,
        partitionsConsumedConcurrently: this.#options.concurrency ?? 4,
        eachBatch: (payload) => this.#batch(payload),
      });
    } catch (error) {
      await this.#consumer.disconnect().catch(() => undefined);
      throw logError(error, "subscribe to the log");
    }
    this.#watch = setInterval(() => void this.#look(), this.#parts.watchMilliseconds ?? watchMilliseconds);
    this.#watch.unref();
  }

  assignment(): readonly { topic: string; partition: number }[] {
    return [...this.#lanes.values()].map(({ topic, partition }) => ({ topic, partition }));
  }

  idleMilliseconds(): number {
    const busy = [...this.#lanes.values()].map((lane) => lane.busyMilliseconds()).filter((each) => each !== undefined);
    return busy.length > 0 ? Math.max(...busy) : Date.now() - this.#lastFetch;
  }

  close(): Promise<void> {
    this.#ended ??= this.#end();
    return this.#ended;
  }

  /** Leaves the group after the batches in hand, then closes the lanes. */
  async #end(): Promise<void> {
    clearInterval(this.#watch);
    await this.#consumer.stop().catch(() => undefined);
    this.#loseAll();
    await Promise.allSettled([...this.#closing.values(), ...this.#inHand.values()]);
    await this.#consumer.disconnect().catch(() => undefined);
  }

  /** Ends by itself: nothing is handled any more, and the process is told once. */
  #fail(error: TributaryError): void {
    if (this.#ended) return;
    this.#loseAll();
    this.#ended = this.#end();
    this.#options.onFailure(error);
  }

  /**
   * Called by the library at every join, before it fetches. It forgets where it was at every join, even in partitions
   * that it keeps, and can't tell whether another member had them in between: so every lane is closed and opened anew.
   */
  #assigned(assignment: Readonly<Record<string, readonly number[]>>): void {
    if (this.#ended) return;
    this.#loseAll();
    try {
      for (const [topic, partitions] of Object.entries(assignment)) {
        // A pause survives reassignment, so each lane sets its own, and lifts it when it is open.
        this.#consumer.pause([{ topic, partitions: [...partitions] }]);
        for (const partition of partitions) this.#openLane(topic, partition);
      }
    } catch (error) {
      this.#fail(this.#coded(error));
    }
  }

  #openLane(fullTopic: string, partition: number): void {
    const topic = fullTopic.slice(this.#parts.prefix.length);
    const key = laneKey(topic, partition);
    const place = { topic, partition, partitions: this.#counts.get(fullTopic) };
    const lane = new Lane(place, this.#options.lane(topic, partition), {
      seek: (offset) => this.#consumer.seek({ topic: fullTopic, partition, offset: String(offset) }),
      resume: () => this.#consumer.resume([{ topic: fullTopic, partitions: [partition] }]),
      assertReadable: async (offset) => {
        const marks = await topicWatermarks(this.#parts.admin, fullTopic);
        this.#assertCount(fullTopic, marks.length);
        assertReadable(topic, partition, offset, marks);
      },
      holdsRecords: (from, to) => holdsRecords(fullTopic, partition, from, to, this.#parts),
    });
    this.#lanes.set(key, lane);
    lane.open(this.#closing.get(key) ?? Promise.resolve()).catch((error: unknown) => this.#fail(this.#coded(error)));
  }

  #loseAll(): void {
    for (const [key, lane] of this.#lanes) {
      const closed = lane.lose().catch((error: unknown) => {
        this.#parts.logger.warn({ err: error, topic: lane.topic, partition: lane.partition }, "a lane closed badly");
      });
      this.#closing.set(key, closed);
    }
    this.#lanes = new Map();
  }

  /**
   * Takes a batch when the one before it in its partition is handled, and returns: the library fetches the next one while
   * this one is handled. So at most two batches of a partition are in memory.
   *
   * With several brokers the library joins anew in the fetch of one of them while batches of others wait here: these belong
   * to the lane that was there when they came, and nothing is fetched for a lane before it is open.
   */
  async #batch(payload: EachBatchPayload): Promise<void> {
    const { topic, partition } = payload.batch;
    const key = laneKey(topic.slice(this.#parts.prefix.length), partition);
    const lane = this.#lanes.get(key);
    if (lane?.expected === undefined) return;
    await this.#inHand.get(key);
    if (this.#lanes.get(key) !== lane) return;
    if (payload.batch.messages.length > 0) this.#inHand.set(key, this.#handle(lane, payload));
    payload.resolveOffset(payload.batch.lastOffset());
  }

  async #handle(lane: Lane, { batch, heartbeat, isStale }: EachBatchPayload): Promise<void> {
    // A failing heartbeat means a rebalance or a lost connection. The library notices itself when the batch is done.
    const quietHeartbeat = (): Promise<void> => heartbeat().catch(() => undefined);
    const beating = setInterval(() => void quietHeartbeat(), heartbeatMilliseconds);
    // Beyond the last record where the broker's own records follow it.
    const end = Number(batch.lastOffset());
    let left = batch.messages.length;
    let fetchedFrom = Number((batch as unknown as { readonly fetchedOffset: string }).fetchedOffset);
    try {
      for (const records of stretchesOf(batch.messages, stretchRecords)) {
        // Stale: a seek waits to be applied. What was fetched before it is of no use.
        if (this.#ended || isStale()) return;
        left -= records.length;
        const lastOffset = left > 0 ? (records.at(-1)?.offset ?? fetchedFrom - 1) : end;
        const highWatermark = Number(batch.highWatermark);
        await lane.batch({ fetchedFrom, lastOffset, highWatermark, records, heartbeat: quietHeartbeat });
        fetchedFrom = lastOffset + 1;
        this.#lastFetch = Date.now();
        await breath();
      }
    } catch (error) {
      // Thrown on, it would make the library leave the group and join again for ever.
      this.#fail(this.#coded(error));
    } finally {
      clearInterval(beating);
    }
  }

  #coded(error: unknown): TributaryError {
    if (error instanceof TributaryError) return error;
    return new TributaryError(
      "TRIB_LOG_SUBSCRIPTION_FAILED",
      "A lane of the subscription failed.",
      {},
      { cause: error },
    );
  }

  #crashed(error: Error): void {
    const type = kafkaErrorType(error);
    const { group } = this.#options;
    const detail = `The subscription of ${group} crashed (${type}).`;
    // The reason may be a topic that is gone, which says more; with no broker there the look doesn't end soon.
    void Promise.race([this.#look(), pause(lookMilliseconds)]).then(() => {
      this.#fail(new TributaryError("TRIB_LOG_SUBSCRIPTION_FAILED", detail, { group, reason: type }, { cause: error }));
    });
  }

  #assertCount(topic: string, count: number): void {
    const before = this.#counts.get(topic);
    if (before === undefined || before === count) return;
    throw new TributaryError("TRIB_LOG_PARTITIONS_CHANGED", `${topic} had ${before} partitions and now has ${count}.`, {
      topic,
      before,
      count,
    });
  }

  /** Compares the topics with what the lanes expect. An unreachable broker is no finding. */
  async #look(): Promise<void> {
    try {
      for (const topic of this.#counts.keys()) {
        const lanes = [...this.#lanes.values()].filter((lane) => `${this.#parts.prefix}${lane.topic}` === topic);
        const expected = lanes.map((lane) => ({ lane, offset: lane.expected }));
        const marks = await topicWatermarks(this.#parts.admin, topic);
        this.#assertCount(topic, marks.length);
        for (const { lane, offset } of expected) {
          if (offset !== undefined) assertReadable(lane.topic, lane.partition, offset, marks);
        }
      }
    } catch (error) {
      if (error instanceof TributaryError && !error.definition.retriable) this.#fail(error);
    }
  }
}
