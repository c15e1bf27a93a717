import { createHash, createHmac } from "node:crypto";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { deliveriesOf } from "../audit/deliveries.js";
import { deliveryDisclosures } from "../audit/delivery-disclosures.js";
import { filesOfPeriod } from "../audit/package-files.js";
import { type PlacedRecord, placeName, readPlaces } from "../audit/read-places.js";
import type { Codec } from "../log/codec.js";
import type { LogProducer } from "../log/log.js";
import { formatPosition, positionHeader } from "../log/position.js";
import { auditDecisions } from "../projector/audit-decisions.js";
import { Decisions } from "../projector/decisions.js";
import { listParked, showParked } from "../projector/parked.js";
import { requestDecisions, requestOutcomes } from "../projector/requests.js";
import type { RunningConsumer } from "../projector/runner.js";
import { decoderOf } from "../service/decoder.js";
import { closedOpener } from "../service/sealed-opener.js";
import { openPool, type Pool } from "../store/pool.js";
import { startChild } from "../testing/child.js";
import { type FreshDatabase, freshDatabase } from "../testing/database.js";
import { acme, specCredentials, specSecret, type Told } from "../testing/delivery-bench.js";
import type { DeliveryTask } from "../testing/delivery-process.js";
import { type FreshLog, freshLog } from "../testing/log.js";
import { type PartnerEndpoint, partnerEndpoint, type Received } from "../testing/partner-endpoint.js";
import { deliveryIdOf } from "./cloud-event.js";
import { auditDeliveries } from "./delivery-log.js";
import { prepareDelivery } from "./registration.js";
import { type DeliverySurroundings, runDelivery } from "./runner.js";

const topic = "health.visit.events";
const keyOf = (number: number) => `00000000-0000-4000-8000-${String(number).padStart(12, "0")}`;

let database: FreshDatabase;
let fresh: FreshLog;
let codec: Codec;
let producer: LogProducer;
/** As the consumer's own role. */
let pool: Pool;
let partner: PartnerEndpoint;
let running: RunningConsumer[] = [];
const failures: Error[] = [];
const messages: object[] = [];
let appended = 0;

beforeAll(async () => {
  [database, fresh] = await Promise.all([freshDatabase(), freshLog()]);
  codec = fresh.codec;
  producer = await fresh.log.producer();
  await prepareDelivery(database.pool, acme("http://127.0.0.1:1/"), { password: "secret" });
  pool = openPool(database.urlAs("tributary_acme_health_plan", "secret"), { applicationName: "spec", max: 6 });
});
afterAll(async () => {
  await producer?.close();
  await pool?.end();
  await fresh?.drop();
  await database?.drop();
});
beforeEach(async () => {
  partner = await partnerEndpoint();
});
afterEach(async () => {
  await Promise.all(running.map((each) => each.close()));
  running = [];
  await partner.close();
  expect(failures.splice(0)).toEqual([]);
});

/** Appends events of some keys to partition 0, each with a place of its own in the journal. */
async function append(...told: readonly (readonly [key: number, told: Told])[]) {
  const records = told.map(([key, said]) => recordOf(key, said, ++appended));
  const places = await producer.append(records);
  return places.map(({ offset }) => ({ topic, partition: 0, offset }));
}

function recordOf(key: number, said: Told, unit: number) {
  const position = { journal: fresh.journal, partition: 0, offset: unit, index: 0, recordedAt: Date.now() };
  const meta = { id: `event-${unit}`, source: "north", time: 0, subject: keyOf(key), connector: "spec" };
  const value = codec.encodeEvent("VisitUpdated", { meta, facility: JSON.stringify(said), authority: "A" });
  return { topic, partition: 0, key: keyOf(key), value, headers: { [positionHeader]: formatPosition(position) } };
}

async function start(options: Partial<DeliverySurroundings> = {}) {
  const definition = acme(partner.url);
  const one = await runDelivery({
    definition,
    log: fresh.log,
    pool,
    decoder: decoderOf(codec),
    opener: closedOpener,
    sender: definition.deliver.to.open(specCredentials),
    logger: {
      info: () => {},
      warn: (fields) => void messages.push(fields),
      error: (fields) => void messages.push(fields),
    },
    decisionLog: auditDecisions(fresh.log, codec),
    deliveryLog: auditDeliveries(fresh.log, codec),
    backoff: { shortest: 50, longest: 200 },
    lookMilliseconds: 200,
    onFailure: (error) => void failures.push(error),
    ...options,
  });
  running.push(one);
  return one;
}

const known = () => ({ log: fresh.log, codec, pool: database.pool });
const checkpoint = async () => {
  const { rows } = await database.pool.query<{ next_offset: number }>(
    "SELECT next_offset FROM engine.checkpoints WHERE projection = 'acme-health-plan' AND partition = 0 AND topic = $1",
    [topic],
  );
  return rows[0]?.next_offset ?? 0;
};
const end = async () => (await fresh.log.watermarks(topic)).find(({ partition }) => partition === 0)?.high ?? 0;
const passed = (offset?: number) => expect.poll(checkpoint, { timeout: 30_000, interval: 25 }).toBe(offset);
const allPassed = async () => passed(await end());
const numbers = (key: number, from: readonly Received[] = partner.received) =>
  from.filter(({ event }) => event.subject === keyOf(key)).map(({ event }) => event.data.number);
/** Numbers of a key in the order in which each came first. */
const firsts = (key: number, from: readonly Received[] = partner.received) => [...new Set(numbers(key, from))];
const answered = (ids: readonly string[]) =>
  expect
    .poll(async () => (await requestOutcomes(database.pool, ids)).map(({ state }) => state), { timeout: 30_000 })
    .toEqual(ids.map(() => "done"));
const ask = (
  action: "retry" | "skip" | "park",
  places: readonly { topic: string; partition: number; offset: number }[],
) =>
  requestDecisions(database.pool, { projection: "acme-health-plan", action, places, reason: "spec", by: "operator" });

describe("a delivering consumer", () => {
  it("sends each event once, in the order of its key, signed; nothing of what map leaves out; and keeps what it sent", async () => {
    const places = await append(
      [1, { number: 1 }],
      [2, { number: 1 }],
      [1, { number: 2, act: "silent" }],
      [1, { number: 3 }],
      [2, { number: 2 }],
    );
    // The publisher was in doubt, and sent the last two again.
    await producer.append([recordOf(1, { number: 3 }, appended - 1), recordOf(2, { number: 2 }, appended)]);
    await start();
    await allPassed();
    expect(partner.received).toHaveLength(4);
    expect([numbers(1), numbers(2)]).toEqual([
      [1, 3],
      [1, 2],
    ]);
    for (const { headers, body, id, event } of partner.received) {
      const signed = createHmac("sha256", specSecret).update(`${id}.${headers["webhook-timestamp"]}.${body}`);
      expect(headers["webhook-signature"]).toBe(`v1,${signed.digest("base64")}`);
      expect(id).toBe(deliveryIdOf("acme-health-plan", event.id));
    }
    for (const beyond of ["SELECT FROM engine.vault_keys", "DELETE FROM engine.deliveries"])
      await expect(pool.query(beyond)).rejects.toThrow("permission denied");
    const made = await deliveriesOf(known(), places);
    expect(made.map(({ eventId }) => eventId).sort()).toEqual(["event-1", "event-2", "event-4", "event-5"]);
    const last = partner.received.find(({ event }) => event.id === "event-4");
    expect(made.find(({ eventId }) => eventId === "event-4")).toMatchObject({
      place: `${topic}/0/${places[3]?.offset}`,
      consumer: "acme-health-plan",
      destination: `webhook ${new URL(partner.url).origin}`,
      deliveryId: last?.id,
      status: "delivered",
      attempts: 1,
      opened: false,
      responseCode: 204,
      bodySha256: createHash("sha256")
        .update(last?.body ?? "")
        .digest("hex"),
    });
  });

  it("tries again what is transient, its key's later events waiting, others flowing", async () => {
    let failing = true;
    partner.answer = ({ event }) => {
      if (event.subject !== keyOf(11) || !failing) return 204;
      return [503, 429, "cut" as const][partner.received.length % 3] as 503;
    };
    const [first] = await append([11, { number: 1 }], [12, { number: 1 }], [11, { number: 2 }], [12, { number: 2 }]);
    await start();
    await expect.poll(() => numbers(12), { timeout: 30_000 }).toEqual([1, 2]);
    await expect.poll(() => numbers(11).length, { timeout: 10_000 }).toBeGreaterThan(3);
    expect(firsts(11)).toEqual([1]);
    // Ahead of what waits, nothing is passed; what others were sent is recorded all the same.
    expect(await checkpoint()).toBe(first?.offset);
    expect(messages).toContainEqual(expect.objectContaining({ attempt: 1, consumer: "acme-health-plan" }));
    expect(await deliveriesOf(known(), [first!])).toMatchObject([{ status: "waiting" }]);
    // Whoever shares the partitions from now on, and has them all then, sends to no other key again.
    const before = numbers(12).length;
    const other = await start();
    await expect.poll(() => other.ready(), { timeout: 30_000 }).toBe(true);
    await running.shift()?.close();
    failing = false;
    await allPassed();
    const [told] = await deliveriesOf(known(), [first!]);
    expect(told?.status).toBe("delivered");
    // No attempt counts twice; the last ones of an owner that ends may not count.
    const made = numbers(11).length - 1;
    expect(told?.attempts).toBeLessThanOrEqual(made);
    expect(told?.attempts).toBeGreaterThan(1);
    expect([firsts(11), numbers(12).length]).toEqual([[1, 2], before]);
    expect(
      new Set(
        partner.received
          .filter(({ event }) => event.data.number === 1 && event.subject === keyOf(11))
          .map(({ id }) => id),
      ).size,
    ).toBe(1);
  });

  it("tells what never had a connection from what the partner may have: only that is a disclosure", async () => {
    await partner.close();
    const places = await append([15, { number: 1 }]);
    const told = async () => {
      const [row] = await deliveriesOf(known(), places);
      const disclosed = { patients: new Set<string>(), records: places as unknown as PlacedRecord[] };
      return [row?.sent, row?.attempts, (await deliveryDisclosures(known(), disclosed, 0)).length];
    };
    await start();
    await expect.poll(told, { timeout: 30_000 }).toEqual([false, 2, 0]);
    await running.pop()?.close();
    partner = await partnerEndpoint();
    partner.answer = () => "cut";
    await start();
    await expect.poll(told, { timeout: 30_000 }).toEqual([true, expect.any(Number), 1]);
    partner.answer = () => 204;
    await allPassed();
    expect(await told()).toEqual([true, expect.any(Number), 1]);
  });

  it("is in the package of the period in which it was tried, and in that of nothing else", async () => {
    const from = Date.now();
    const records = await readPlaces(fresh.log, await append([16, { number: 1 }]));
    await start();
    await allPassed();
    const source = { log: fresh.log, codec, pool: database.pool, projections: [], journal: fresh.journal };
    const packed = async (began: number, until: number) => {
      const files = await filesOfPeriod(source, "a period", { from: began, until }, records);
      const lines = (name: string) =>
        Buffer.from(files.get(name) ?? [])
          .toString()
          .trim()
          .split("\n")
          .filter(Boolean);
      return { made: lines("deliveries.jsonl").map((line) => JSON.parse(line)), access: lines("access.jsonl") };
    };
    const now = Date.now();
    const { made, access } = await packed(from, now);
    const sent = { consumer: "acme-health-plan", status: "delivered", sent: true, place: placeName(records[0]!) };
    expect(made).toMatchObject([{ ...sent, lastAttemptAt: expect.stringMatching(/^\d{4}-.*Z$/) }]);
    expect(access.join()).toMatch(/"recipient","valueString":"acme-health-plan"/);
    expect((await packed(now + 1_000, now + 2_000)).made).toEqual([]);
    expect((await packed(0, from - 1)).made).not.toContainEqual(expect.objectContaining(sent));
  });

  it("parks the key of what is refused, and delivers it in order once that is mended", async () => {
    let mended = false;
    partner.answer = ({ event }) => (!mended && event.subject === keyOf(21) && event.data.number === 2 ? 422 : 204);
    const places = await append(
      [21, { number: 1 }],
      [21, { number: 2 }],
      [22, { number: 1 }],
      [21, { number: 3 }],
      [23, { number: 1, act: "broken" }],
      [23, { number: 2 }],
    );
    const [, refused, , , broken] = places as [never, (typeof places)[0], never, never, (typeof places)[0]];
    await start();
    await allPassed();
    expect([numbers(21), numbers(22), numbers(23)]).toEqual([[1, 2], [1], []]);
    const parked = [...(await listParked(database.pool))].sort((left, right) => left.offset - right.offset);
    expect(parked).toMatchObject([
      { projection: "acme-health-plan", offset: refused.offset, key: keyOf(21), code: "TRIB_DELIVERY_REFUSED" },
      {
        offset: broken.offset,
        key: keyOf(23),
        code: "TRIB_DELIVERY_MAP_FAILED",
        reason: expect.stringMatching(/^map threw Error at engine\/testing\/delivery-bench\.ts:\d+/),
      },
    ]);
    // Still refused: parked again, and nothing overtakes.
    const early = await ask("retry", [refused]);
    await answered(early);
    expect((await requestOutcomes(database.pool, early))[0]?.outcome).toContain("parked again");
    await append([21, { number: 4 }]);
    await allPassed();
    expect(firsts(21)).toEqual([1, 2]);

    mended = true;
    await answered(await ask("retry", [refused]));
    await append([21, { number: 5 }]);
    await allPassed();
    expect(firsts(21)).toEqual([1, 2, 3, 4, 5]);
    expect(numbers(21).slice(-4)).toEqual([2, 3, 4, 5]);
    const kept = await deliveriesOf(known(), [refused]);
    expect(kept).toMatchObject([{ status: "delivered", attempts: 3, responseCode: 204 }]);

    // What map can't tell is skipped, with a reason, and that is kept.
    await answered(await ask("skip", [broken]));
    await expect.poll(() => numbers(23)).toEqual([2]);
    expect(await listParked(database.pool)).toEqual([]);
    const place = { projection: "acme-health-plan", topic, partition: 0, offset: broken.offset };
    expect(await showParked(database.pool, place)).toMatchObject({ state: "done" });
    const decisions = new Decisions(auditDecisions(fresh.log, codec), "acme-health-plan");
    await decisions.load();
    expect(decisions.decisionAt(topic, 0, broken.offset)).toBe("skip");
  });

  it("parks what the partner does not take in the time set, and lets an operator park what waits", async () => {
    let away = true;
    partner.answer = () => (away ? 503 : 204);
    const [late] = await append([31, { number: 1 }], [31, { number: 2 }]);
    await start({ longestSeconds: 0.4 });
    await expect
      .poll(async () => (await listParked(database.pool)).map(({ code }) => code), { timeout: 30_000 })
      .toEqual(["TRIB_DELIVERY_UNANSWERED"]);
    await allPassed();
    expect(await deliveriesOf(known(), [late!])).toMatchObject([{ status: "unanswered", responseCode: 503 }]);
    await running.pop()?.close();

    // The window is full: the lane takes nothing in, and does what operators ask for all the same.
    await start({ window: 1 });
    const [stuck] = await append([32, { number: 1 }], [33, { number: 1 }]);
    await expect.poll(() => numbers(32).length, { timeout: 30_000 }).toBeGreaterThan(0);
    await answered(await ask("park", [stuck!]));
    await expect
      .poll(async () => (await listParked(database.pool)).map(({ code }) => code), { timeout: 30_000 })
      .toContain("TRIB_PROJECT_PARKED_BY_OPERATOR");
    away = false;
    await allPassed();
    expect(numbers(33).length).toBeGreaterThan(0);
    await answered(await ask("retry", [late!, stuck!]));
    expect([firsts(31), firsts(32), await listParked(database.pool)]).toEqual([[1, 2], [1], []]);
  });

  it("killed at any moment it loses nothing, keeps the order of keys, and sends again under the same id", async () => {
    const told = Array.from(
      { length: 40 },
      (_, index) => [41 + (index % 4), { number: 1 + Math.floor(index / 4) }] as const,
    );
    await append(...told);
    const task: DeliveryTask = {
      url: partner.url,
      databaseUrl: database.urlAs("tributary_acme_health_plan", "secret"),
      topicPrefix: fresh.settings.TOPIC_PREFIX,
    };
    let child = startChild<DeliveryTask, never>("delivery-process", task);
    let kills = 0;
    partner.answer = () => {
      const { length } = partner.received;
      // Before it hears the answer, and just after.
      if (length === 5 || length === 22) {
        kills++;
        child.signal("SIGKILL");
      }
      if (length === 13)
        setImmediate(() => {
          kills++;
          child.signal("SIGKILL");
        });
      return 204;
    };
    for (let at = 1; at <= 3; at++) {
      expect(await child.ended).toBe(null);
      child = startChild("delivery-process", task);
    }
    await allPassed();
    child.signal("SIGKILL");
    await child.ended;
    expect(kills).toBe(3);
    const wanted = Array.from({ length: 10 }, (_, index) => index + 1);
    for (const key of [41, 42, 43, 44]) expect(firsts(key), `key ${key}`).toEqual(wanted);
    expect(partner.received.length).toBeGreaterThan(40);
    expect(new Set(partner.received.map(({ id }) => id)).size).toBe(40);
    for (const { id, event } of partner.received) expect(id).toBe(deliveryIdOf("acme-health-plan", event.id));
  });
});
