import { afterAll, beforeAll, expect, it } from "vitest";
import type { AuditMeta } from "../../schemas/audit/audit.generated.js";
import { type Codec, schemaIdOf } from "../log/codec.js";
import type { LogProducer } from "../log/log.js";
import { type OwnTopics, ownTopics } from "../log/own-topics.js";
import { formatPosition, positionHeader } from "../log/position.js";
import { connectCodec, registerSchemas } from "../log/registry.js";
import { auditTopic } from "../log/schemas.js";
import { applyTopics } from "../log/topics.js";
import { openPool, type Pool } from "../store/pool.js";
import { recordChaos } from "../testing/chaos.js";
import { type FreshDatabase, freshDatabase } from "../testing/database.js";
import { mended, poisoned, poisonKey, poisonTopic, type Saying } from "../testing/poison.js";
import { auditDecisions } from "./audit-decisions.js";
import { currentBuild } from "./build.js";
import { Decisions } from "./decisions.js";
import { listParked } from "./parked.js";
import { requestDecisions, requestOutcomes } from "./requests.js";
import { prepareConsumer, type RunningConsumer, runConsumer } from "./runner.js";
import { verifyProjection } from "./verify.js";

let database: FreshDatabase;
let topics: OwnTopics;
let codec: Codec;
let producer: LogProducer;
/** As the consumer's own role. */
let pool: Pool;
let running: RunningConsumer | undefined;
const failures: Error[] = [];
let appended = 0;
const opener = { open: async () => [] };
const decoder = () => ({
  decodeEvent: (value: Buffer) => codec.decodeEvent(value),
  learn: (value: Buffer) => codec.learn(schemaIdOf(value)),
});

beforeAll(async () => {
  database = await freshDatabase();
  topics = await ownTopics();
  await registerSchemas(topics.settings);
  await topics.create(poisonTopic, 2, { "max.message.bytes": "60000000" });
  await applyTopics(topics.settings);
  codec = await connectCodec(topics.settings);
  producer = await topics.log.producer();
  await prepareConsumer(database.pool, { name: "sayings", project: [poisoned] }, { password: "secret" });
  pool = openPool(database.urlAs("tributary_sayings", "secret"), { applicationName: "spec", max: 4 });
});
afterAll(async () => {
  await running?.close();
  await producer?.close();
  await pool?.end();
  await topics?.dispose();
  await database?.drop();
  recordChaos({
    guarantee: "Poison parks its key only",
    spec: "engine/projector/parking-log.int.spec.ts",
    seeds: 0,
    kills: 0,
    faults: { "events parked": 2, "events of 50 MB": 1 },
    events: appended,
    violations: 0,
  });
});

const bytesOf = (key: number, said: Saying) => {
  const meta = { id: `event-${appended}`, source: "spec", time: 0, subject: poisonKey(key), connector: "spec" };
  return codec.encodeEvent("VisitUpdated", { meta, facility: JSON.stringify(said), authority: "A" });
};
async function append(key: number, said: Saying, mangle = (bytes: Buffer) => bytes) {
  const position = {
    journal: "j",
    partition: 0,
    offset: ++appended,
    index: 0,
    recordedAt: 1_700_000_000_000 + appended,
  };
  const headers = { [positionHeader]: formatPosition(position) };
  const value = mangle(bytesOf(key, said));
  const [place] = await producer.append([{ topic: poisonTopic, partition: 0, key: poisonKey(key), value, headers }]);
  return { topic: poisonTopic, partition: 0, offset: place?.offset ?? 0 };
}

async function start(definition = poisoned) {
  await running?.close();
  running = await runConsumer({
    definition: { name: "sayings", project: [definition] },
    log: topics.log,
    pool,
    decoder: decoder(),
    opener,
    logger: { info: () => {}, warn: () => {}, error: () => {} },
    decisionLog: auditDecisions(topics.log, codec),
    onFailure: (error) => void failures.push(error),
  });
}
const applied = () =>
  expect
    .poll(
      async () => {
        const { rows } = await database.pool.query("SELECT next_offset FROM engine.checkpoints WHERE partition = 0");
        return rows[0]?.next_offset;
      },
      { timeout: 60_000 },
    )
    .toBe(appended);
const answered = (ids: readonly string[]) =>
  expect
    .poll(async () => (await requestOutcomes(database.pool, ids)).map(({ state }) => state), { timeout: 30_000 })
    .toEqual(ids.map(() => "done"));

it("over Kafka: an event of 50 MB, poison, a retry and a skip of a running consumer, and the audit that a rebuild reads", async () => {
  await append(1, { act: "set", value: "first" });
  await append(2, { act: "set", value: "x".repeat(50_000_000) });
  const bad = await append(1, { act: "throw", value: "thrown" });
  await append(1, { act: "line", value: "after" });
  const broken = await append(3, { act: "set", value: "broken" }, (bytes) => bytes.subarray(0, 9));
  await append(3, { act: "line", value: "waits" });
  await append(2, { act: "line", value: "flows" });
  await start();
  await applied();
  expect((await listParked(database.pool)).map(({ offset }) => offset)).toEqual([bad.offset, broken.offset]);

  // Carried out while it runs: nobody has to start it anew.
  const skip = { projection: "sayings", action: "skip" as const, places: [broken], reason: "cut off", by: "operator" };
  await answered(await requestDecisions(database.pool, skip));
  await start(mended);
  await answered(
    await requestDecisions(database.pool, { projection: "sayings", action: "retry", places: [bad], by: "operator" }),
  );
  expect(await listParked(database.pool)).toEqual([]);
  await append(1, { act: "line", value: "last" });
  await append(3, { act: "line", value: "last" });
  await applied();

  const decisions = new Decisions(auditDecisions(topics.log, codec), "sayings");
  await decisions.load();
  expect(decisions.decisionAt(poisonTopic, 0, broken.offset)).toBe("skip");
  const build = await currentBuild(database.pool, "sayings");
  const verify = {
    projection: mended,
    build: build as NonNullable<typeof build>,
    log: topics.log,
    pool: database.pool,
  };
  expect(await verifyProjection({ ...verify, decoder: decoder(), opener, decisions })).toMatchObject({
    events: appended,
    differing: 0,
  });
  // Without the decision the key would be held back from the broken event on.
  expect((await verifyProjection({ ...verify, decoder: decoder(), opener })).differing).toBeGreaterThan(0);

  const recorded: unknown[] = [];
  for (const { partition, high } of await topics.log.watermarks(auditTopic)) {
    for await (const records of topics.log.read(auditTopic, partition, 0, high)) {
      for (const { key, value } of records) {
        const { record, value: decision } = codec.decode(value as Buffer);
        recorded.push({ key, record, ...(decision as { meta: AuditMeta }) });
      }
    }
  }
  expect(recorded).toMatchObject([
    {
      key: "sayings",
      record: "health.audit.EventSkipped",
      meta: { actor: "operator" },
      reason: "cut off",
      event: { projection: "sayings", ...broken, key: poisonKey(3), eventId: null },
    },
    {
      key: "sayings",
      record: "health.audit.ParkRetried",
      reason: null,
      event: { projection: "sayings", ...bad, key: poisonKey(1), eventType: "VisitUpdated" },
    },
  ]);
  expect(failures).toEqual([]);
}, 180_000);
