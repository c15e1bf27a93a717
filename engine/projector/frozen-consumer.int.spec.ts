import { afterAll, beforeAll, expect, it } from "vitest";
import { type OwnTopics, ownTopics } from "../log/own-topics.js";
import { recordChaos } from "../testing/chaos.js";
import { type Child, startChild } from "../testing/child.js";
import { type FreshDatabase, freshDatabase } from "../testing/database.js";
import { expectPure, mixed, note, notes, published, topic } from "../testing/notes.js";
import type { NotesTask } from "../testing/notes-process.js";
import { startPostgresProxy } from "../testing/postgres-proxy.js";
import { ProjectionBench } from "../testing/projection-bench.js";
import { passed, type Treatment } from "../testing/tcp-proxy.js";

let database: FreshDatabase;
let kafka: OwnTopics;
const children: Child<never>[] = [];
beforeAll(async () => {
  [database, kafka] = await Promise.all([freshDatabase(), ownTopics()]);
  await kafka.create(topic, 2);
});
afterAll(async () => {
  for (const child of children) child.signal("SIGKILL");
  await Promise.all(children.map(({ ended }) => ended));
  await kafka?.dispose();
  await database?.drop();
});

/** Both partitions' keys, and one that is parked. */
const events = (count: number) => [...mixed(count), note(11, "park", "", 1)];

/** Appends events to the bench's log, and to Kafka the same at the same offsets. */
async function append(bench: ProjectionBench, count: number): Promise<void> {
  const before = bench.inputs.length;
  bench.append(published(events(count)));
  const producer = await kafka.log.producer();
  const added = bench.inputs.slice(before);
  const appended = await producer.append(
    added.map((input) => {
      const { partition, offset } = input.source;
      const headers = bench.recordsOf(topic, partition)[offset]?.headers ?? {};
      return { topic, partition, key: input.key, value: Buffer.from(JSON.stringify(input)), headers };
    }),
  );
  expect(appended.map(({ offset }) => offset)).toEqual(added.map(({ source }) => source.offset));
  await producer.close();
}

async function until(what: string, seconds: number, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + seconds * 1000;
  while (!(await holds())) {
    const told = children.map(({ errors }) => errors().slice(-2_000)).join("\n---\n");
    if (Date.now() > deadline) throw new Error(`waited in vain until ${what}: ${told}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const applied = (bench: ProjectionBench) => async () => {
  const { rows } = await database.pool.query<{ partition: number; next_offset: number }>(
    "SELECT partition, next_offset FROM engine.checkpoints",
  );
  return rows.length === 2 && rows.every((row) => row.next_offset === bench.recordsOf(topic, row.partition).length);
};

/** All rows, parked keys and offsets, each with the transaction that wrote it; of the checkpoints, what a take-over leaves. */
async function dump(bench: ProjectionBench): Promise<string[]> {
  const sources = [
    ...bench.layout.tables.map(
      ({ name }) => `SELECT '${name}', xmin::text, to_jsonb(t) FROM ${bench.build.schema}.${name} t`,
    ),
    "SELECT 'parked', xmin::text, to_jsonb(t) FROM engine.parked_keys t",
    "SELECT 'checkpoint', '', to_jsonb(t) - 'epoch' - 'owner' - 'updated_at' FROM engine.checkpoints t",
  ];
  const { rows } = await database.pool.query<{ line: string }>(
    `SELECT s::text AS line FROM (${sources.join(" UNION ALL ")}) AS s ORDER BY 1`,
  );
  return rows.map(({ line }) => line);
}

it("a consumer frozen for longer than its session writes nothing afterwards, and comes back in order", async () => {
  const bench = await ProjectionBench.create(notes, database.pool);
  await append(bench, 200);
  let writes = 0;
  let hold: () => void = () => {};
  let release: (treatment: Treatment) => void = () => {};
  const holding = new Promise<void>((resolve) => {
    hold = resolve;
  });
  const proxy = await startPostgresProxy({
    databaseUrl: database.url,
    statement({ name }) {
      if (!name.startsWith("write_") || ++writes !== 1) return passed;
      hold();
      return new Promise<Treatment>((resolve) => {
        release = resolve;
      });
    },
  });
  const start = (databaseUrl: string): Child<never> => {
    const child = startChild<NotesTask, never>("notes-process", {
      kind: "consumer",
      databaseUrl,
      topicPrefix: kafka.settings.TOPIC_PREFIX,
    });
    children.push(child);
    return child;
  };
  try {
    const frozen = start(proxy.url);
    await Promise.race([holding, frozen.ended.then(() => Promise.reject(new Error(frozen.errors())))]);
    await frozen.freeze();
    const other = start(database.url);
    // The coordinator gives the partitions to the other once the session of the frozen one is over.
    await until("another process has applied all", 60, applied(bench));
    await expectPure(bench, bench.inputs);
    const before = await dump(bench);
    frozen.thaw();
    release(passed);
    await until("it tells that it lost the lane", 30, () =>
      frozen.errors().includes('"code":"TRIB_PROJECT_FENCE_LOST"'),
    );
    expect(await dump(bench)).toEqual(before);
    await append(bench, 60);
    await until("both have applied all", 60, applied(bench));
    await expectPure(bench, bench.inputs);
    for (const child of [frozen, other]) child.signal("SIGTERM");
    expect([await frozen.ended, await other.ended]).toEqual([0, 0]);
    recordChaos({
      guarantee: "A zombie writes nothing",
      spec: "engine/projector/frozen-consumer.int.spec.ts",
      seeds: 1,
      kills: 0,
      faults: { "consumer frozen for longer than its session": 1 },
      events: bench.inputs.length,
      violations: 0,
    });
  } finally {
    await proxy.close();
  }
}, 400_000);
