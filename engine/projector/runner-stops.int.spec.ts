import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Codec, createCodec, schemaIdOf, standaloneCodec } from "../log/codec.js";
import { kafkaClient } from "../log/connection.js";
import type { Log } from "../log/log.js";
import { type OwnTopics, ownTopics } from "../log/own-topics.js";
import { formatPosition, positionHeader } from "../log/position.js";
import { rootRecords } from "../log/schemas.js";
import { subscribe } from "../log/subscription.js";
import { TributaryError } from "../service/errors.js";
import { createLogger } from "../service/logger.js";
import { closedOpener } from "../service/sealed-opener.js";
import { recordChaos } from "../testing/chaos.js";
import { type FreshDatabase, freshDatabase } from "../testing/database.js";
import { recorded } from "../testing/events.js";
import { keyOf, notes, topic } from "../testing/notes.js";
import { type Build, ensureBuild } from "./build.js";
import { BuildWriter } from "./build-writer.js";
import { ConsumerLane } from "./consumer-lane.js";
import { ProjectionLane } from "./lane.js";
import { layOut } from "./layout.js";
import { Loader } from "./load.js";
import { Patience } from "./patience.js";
import type { Decoder } from "./ports.js";
import { type RunningConsumer, runConsumer } from "./runner.js";
import { verifyProjection } from "./verify.js";

const logger = createLogger("spec", "silent");
const plain = standaloneCodec();
const decoderOf = (codec: Codec): Decoder => ({
  decodeEvent: (value) => codec.decodeEvent(value),
  learn: (value) => codec.learn(schemaIdOf(value)),
});

/** No gap comes up here that would have to be looked into. */
const cluster = () => Promise.reject(new Error("not asked for"));
let own: OwnTopics;
let database: FreshDatabase;
let build: Build;
let log: Pick<Log, "subscribe" | "read" | "watermarks">;
let written: number;
let closing: (() => Promise<unknown>)[];

beforeEach(async () => {
  [own, database] = await Promise.all([ownTopics(), freshDatabase()]);
  await own.create(topic, 1);
  build = await ensureBuild(database.pool, notes, "notes");
  const kafka = kafkaClient(own.settings, "spec", logger);
  const admin = kafka.admin();
  await admin.connect();
  // Topics are looked at more often than in service, else the same.
  const parts = { kafka, admin, cluster, prefix: own.settings.TOPIC_PREFIX, logger, watchMilliseconds: 200 };
  const { read, watermarks } = own.log;
  log = { read, watermarks, subscribe: (options) => subscribe(options, parts) };
  written = 0;
  closing = [() => admin.disconnect()];
});
afterEach(async () => {
  for (const close of closing.reverse()) await close();
  await own.dispose();
  await database.drop();
});

const fullTopic = () => `${own.settings.TOPIC_PREFIX}${topic}`;

/** Appends events that each add a line, the next of their journal partition. @param schemaId stands in their bytes. */
async function append(count: number, schemaId?: number): Promise<void> {
  const inputs = recorded(
    Array.from({ length: count }, (_, index) => ({
      type: "VisitUpdated" as const,
      key: keyOf((written + index) % 5),
      fields: { facility: JSON.stringify({ act: "set", value: String(written + index) }), authority: "spec" },
    })),
    written + 1,
  );
  written += count;
  const producer = await own.log.producer();
  await producer.append(
    inputs.map(({ key, event, position }) => {
      const value = plain.encodeEvent("VisitUpdated", event as never);
      if (schemaId !== undefined) value.writeUInt32BE(schemaId, 1);
      return { topic, partition: 0, key, value, headers: { [positionHeader]: formatPosition(position) } };
    }),
  );
  await producer.close();
}

interface Watched {
  readonly running: RunningConsumer;
  /** What it stopped with. */
  readonly failure: Promise<TributaryError>;
  close(): Promise<void>;
}

async function start(decoder: Decoder = decoderOf(plain)): Promise<Watched> {
  let failed: (error: Error) => void = () => {};
  const failure = new Promise<Error>((resolve) => {
    failed = resolve;
  });
  const running = await runConsumer({
    definition: { name: "notes", project: [notes] },
    log,
    pool: database.pool,
    decoder,
    opener: closedOpener,
    logger,
    onFailure: failed,
  });
  let closed: Promise<void> | undefined;
  const close = () => {
    closed ??= running.close();
    return closed;
  };
  closing.push(close);
  return { running, failure: failure as Promise<TributaryError>, close };
}

async function reached(): Promise<number> {
  const { rows } = await database.pool.query<{ next: number }>(
    "SELECT coalesce(sum(next_offset), 0)::int AS next FROM engine.checkpoints WHERE projection = 'notes'",
  );
  return Number(rows[0]?.next);
}
const reaches = (offset: number) => expect.poll(reached, { timeout: 20_000, interval: 20 }).toBe(offset);

/** Rows and checkpoint as they are, to be compared later. */
async function state(): Promise<unknown> {
  const { rows } = await database.pool.query(
    `SELECT (SELECT jsonb_agg(n ORDER BY visit_id) FROM "${build.schema}".notes AS n) AS notes,
      (SELECT jsonb_agg(jsonb_build_array(topic, partition, next_offset) ORDER BY 1) FROM engine.checkpoints) AS checkpoints`,
  );
  return rows[0];
}

const truncate = (before: number) =>
  own.admin.deleteTopicRecords({ topic: fullTopic(), partitions: [{ partition: 0, offset: String(before) }] });

let stops = 0;
async function stopsWith(code: string, consumer: Watched, unmoved: unknown): Promise<void> {
  const error = await consumer.failure;
  expect(error).toMatchObject({ code });
  await consumer.close();
  expect(await state()).toEqual(unmoved);
  stops++;
}

describe("a projecting consumer stops loudly and moves nothing", () => {
  it("when the log was truncated above its checkpoint while it was away", async () => {
    await append(10);
    const before = await start();
    await reaches(10);
    await before.close();
    const unmoved = await state();
    await append(10);
    await truncate(15);
    await stopsWith("TRIB_LOG_TRUNCATED", await start(), unmoved);
  });

  it("but reads on where the log was truncated up to its checkpoint", async () => {
    await append(10);
    const before = await start();
    await reaches(10);
    await before.close();
    await append(5);
    await truncate(10);
    const after = await start();
    await reaches(15);
    await after.close();
  });

  it("when the log is truncated under it", async () => {
    let reach: () => void = () => {};
    let open: () => void = () => {};
    const held = new Promise<void>((resolve) => {
      reach = resolve;
    });
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    let learned = false;
    const decoder: Decoder = {
      decodeEvent(value) {
        if (!learned) throw new TributaryError("TRIB_LOG_UNKNOWN_SCHEMA", undefined, { schemaId: 1 });
        return plain.decodeEvent(value);
      },
      // The first batch is held here, and meanwhile what follows it is deleted.
      async learn() {
        reach();
        await gate;
        learned = true;
      },
    };
    await append(5);
    const consumer = await start(decoder);
    await held;
    // One more batch may be fetched while the first is held, the third is not.
    await append(5);
    await append(5);
    await truncate(13);
    open();
    const failure = await consumer.failure;
    expect(failure).toMatchObject({ code: "TRIB_LOG_TRUNCATED", facts: { low: 13 } });
    await consumer.close();
    expect([5, 10]).toContain(failure.facts.offset);
    // Whoever looks from outside may notice before or after what is in hand is written; nothing went over the hole.
    expect([0, 5, 10]).toContain(await reached());
    stops++;
  });

  it("when its topic vanishes, and is not there at its start", async () => {
    await append(3);
    const consumer = await start();
    await reaches(3);
    const unmoved = await state();
    await own.remove(topic);
    await stopsWith("TRIB_LOG_TOPIC_MISSING", consumer, unmoved);
    await expect(start()).rejects.toMatchObject({ code: "TRIB_LOG_TOPIC_MISSING" });
  });

  it("when partitions are added", async () => {
    await append(3);
    const consumer = await start();
    await reaches(3);
    const unmoved = await state();
    await own.admin.createPartitions({ topicPartitions: [{ topic: fullTopic(), count: 2 }] });
    await stopsWith("TRIB_LOG_PARTITIONS_CHANGED", consumer, unmoved);
  });

  it("when partitions were added while it was down", async () => {
    await append(3);
    const before = await start();
    await reaches(3);
    await before.close();
    const unmoved = await state();
    await own.admin.createPartitions({ topicPartitions: [{ topic: fullTopic(), count: 2 }] });
    await stopsWith("TRIB_LOG_PARTITIONS_CHANGED", await start(), unmoved);
  });

  it.each([
    ["shorter than what it has read", 4, "TRIB_LOG_TRUNCATED"],
    ["longer than what it has read", 15, "TRIB_LOG_REPLACED"],
  ] as const)("when its topic was made anew and is %s", async (_, length, code) => {
    await append(10);
    const before = await start();
    await reaches(10);
    await before.close();
    const unmoved = await state();
    await own.remove(topic);
    await own.create(topic, 1);
    await append(length);
    await stopsWith(code, await start(), unmoved);
  });

  const given = recorded(
    [1, 2, 3].map(() => ({
      type: "VisitUpdated" as const,
      key: keyOf(1),
      fields: { facility: '{"act":"set","value":"x"}', authority: "spec" },
    })),
    2,
  );
  it.each([
    ["of another journal", "TRIB_PROJECT_JOURNAL_UNKNOWN", { journal: "another" }],
    // The last that was appended, with another id.
    ["at the position of another event", "TRIB_PROJECT_POSITION_CONFLICT", {}],
    ["without a position", "TRIB_PROJECT_POSITION_MISSING", undefined],
  ] as const)("when an event %s is in the topic", async (_, code, change) => {
    await append(3);
    const consumer = await start();
    await reaches(3);
    const unmoved = await state();
    const producer = await own.log.producer();
    const { event, position } = given.at(-2)!;
    const { meta, ...fields } = event as { readonly meta: object };
    const value = plain.encodeEvent("VisitUpdated", { meta: { ...meta, id: "another" }, ...fields } as never);
    const headers = change && { [positionHeader]: formatPosition({ ...position, ...change }) };
    await producer.append([{ topic, partition: 0, key: keyOf(1), value, ...(headers ? { headers } : {}) }]);
    await producer.close();
    await stopsWith(code, consumer, unmoved);
  });
});

describe("an event of a newer schema that nobody can learn", () => {
  const newer = 4_711;
  /** The registry as it is: it has the newer schema or it doesn't. */
  const codecWith = (known: boolean): Codec => {
    const roots = [...rootRecords().values()].sort((left, right) => (left.fullName < right.fullName ? -1 : 1));
    const schema = roots.find(({ fullName }) => fullName.endsWith(".VisitUpdated"))!.schema;
    return createCodec({
      current: new Map(roots.map((root, index) => [root.fullName, index + 1])),
      writers: roots.map((root, index) => ({ id: index + 1, schema: root.schema })),
      fetch: async (id) => {
        if (known && id === newer) return schema;
        throw new TributaryError("TRIB_LOG_UNKNOWN_SCHEMA", undefined, { schemaId: id });
      },
    });
  };

  it("is waited for loudly, then stops the consumer; with the schema there it goes on, nothing skipped", async () => {
    await append(6);
    const consumer = await start();
    await reaches(6);
    await consumer.close();
    const unmoved = await state();
    await append(1, newer);
    await append(3);
    const waits: string[] = [];
    const warn = (_: object, message: string) => void waits.push(message);
    const patience = new Patience({ logger: { info: () => {}, error: () => {}, warn }, shortest: 5 });
    let failed: (error: Error) => void = () => {};
    const failure = new Promise<Error>((resolve) => {
      failed = resolve;
    });
    const subscription = await log.subscribe({
      group: "tributary.notes",
      topics: [topic],
      onFailure: failed,
      lane: (_, partition) =>
        new ConsumerLane({
          topic,
          partition,
          decoder: decoderOf(codecWith(false)),
          published: true,
          patience,
          schemaAttempts: 4,
          lanes: [
            new ProjectionLane({
              layout: layOut(notes),
              build,
              topic,
              partition,
              pool: database.pool,
              opener: closedOpener,
              published: true,
              writer: new BuildWriter({ pool: database.pool, layout: layOut(notes), build, patience }),
              loader: new Loader(database.pool, layOut(notes), build),
              // Nothing fails that would make it read again.
              again: async function* () {},
              assertSameLog: async () => {},
              cacheRows: () => 100,
              owner: "spec",
              logger,
              patience,
            }),
          ],
        }),
    });
    expect(await failure).toMatchObject({ code: "TRIB_PROJECT_SCHEMA_UNKNOWN", facts: { topic, partition: 0 } });
    await subscription.close();
    expect(waits.filter((message) => message === "waiting to learn a schema")).toHaveLength(4);
    expect(await state()).toEqual(unmoved);
    stops++;

    const codec = codecWith(true);
    const after = await start(decoderOf(codec));
    await reaches(10);
    await after.close();
    const verified = await verifyProjection({
      projection: notes,
      build,
      log: own.log,
      pool: database.pool,
      decoder: decoderOf(codec),
      opener: closedOpener,
    });
    expect(verified).toMatchObject({ events: 10, differing: 0 });
    recordChaos({
      guarantee: "A log that isn't what it was stops the consumer",
      spec: "engine/projector/runner-stops.int.spec.ts",
      seeds: 0,
      kills: 0,
      faults: { "log truncated, gone, made anew, widened, or written with an unknown schema": stops },
      events: 10,
      violations: 0,
    });
  });
});
