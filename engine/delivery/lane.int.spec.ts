import { setTimeout as pause } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { listParked } from "../projector/parked.js";
import { requestDecisions, requestOutcomes } from "../projector/requests.js";
import type { Pool } from "../store/pool.js";
import { chaosSize, recordChaos } from "../testing/chaos.js";
import { type FreshDatabase, freshDatabase } from "../testing/database.js";
import { acme, DeliveryBench } from "../testing/delivery-bench.js";
import { type PartnerEndpoint, partnerEndpoint } from "../testing/partner-endpoint.js";
import { shakyPool } from "../testing/shaky.js";
import type { DeliveryLog } from "./delivery-log.js";
import type { Sender } from "./destination.js";
import { prepareDelivery } from "./registration.js";

let database: FreshDatabase;
let partner: PartnerEndpoint;

beforeAll(async () => {
  database = await freshDatabase();
  await prepareDelivery(database.pool, acme("http://127.0.0.1:1/"));
});
/** Of this file: faults that struck work in progress, and events whose deliveries were checked. */
const faults: Record<string, number> = {};
let checked = 0;
afterAll(async () => {
  await database?.drop();
  recordChaos({
    guarantee: "A delivery is lost and overtaken by nobody's death",
    spec: "engine/delivery/lane.int.spec.ts",
    seeds: 0,
    kills: 0,
    faults,
    events: checked,
    violations: 0,
  });
});
beforeEach(async () => {
  partner = await partnerEndpoint();
});
afterEach(() => partner.close());

/** A log of its own, nothing delivered of it. */
async function freshBench(): Promise<DeliveryBench> {
  await database.pool.query(
    "DELETE FROM engine.checkpoints; DELETE FROM engine.parked_keys; DELETE FROM engine.lane_requests; DELETE FROM engine.deliveries",
  );
  partner.received.splice(0);
  return new DeliveryBench(database.pool, () => partner.url);
}

const numbers = (key: string) =>
  partner.received.filter(({ event }) => event.subject === key).map(({ event }) => event.data.number);
const firsts = (key: string) => [...new Set(numbers(key))];
const passed = (bench: DeliveryBench) =>
  expect.poll(() => bench.checkpoint(), { timeout: 10_000, interval: 5 }).toBe(bench.end);

/** A process that dies at a call, before or after it is done: no call of it is ever answered from then on. */
function mortal(dieAt: number, isAfter: boolean) {
  let calls = 0;
  let tell = () => {};
  const dead = new Promise<void>((resolve) => {
    tell = resolve;
  });
  const call = async <Result>(work: () => Promise<Result>): Promise<Result> => {
    const number = calls++;
    if (number === dieAt) tell();
    if (number > dieAt || (number === dieAt && !isAfter)) return new Promise(() => {});
    const result = await work();
    // Others of its calls may have been made before it died, and not been answered.
    return calls > dieAt ? new Promise(() => {}) : result;
  };
  const query = (...parameters: unknown[]) =>
    call(() => (database.pool.query as (...all: unknown[]) => Promise<unknown>)(...parameters));
  const logged = (log: DeliveryLog): DeliveryLog => ({ ...log, append: (batch) => call(() => log.append(batch)) });
  const through = (sender: Sender): Sender => ({ ...sender, send: (...given) => call(() => sender.send(...given)) });
  return { pool: { query } as unknown as Pool, through, logged, dead };
}

/** Whether the owner died before the work that it began came to its end. */
async function diesBefore({ dead }: ReturnType<typeof mortal>, begun: Promise<void>, isDone: () => Promise<boolean>) {
  let isDead = false;
  void dead.then(() => {
    isDead = true;
  });
  await Promise.race([dead, begun]);
  while (!isDead && !(await isDone())) await pause(5);
  return isDead;
}

/** Every point at which an owner can die while it does some work; the sample has some of them. */
async function atEveryCall(work: (dying: ReturnType<typeof mortal>) => Promise<boolean>): Promise<number> {
  let died = 0;
  for (const isAfter of [false, true]) {
    for (let dieAt = isAfter ? 1 : 0; ; dieAt += chaosSize(3, 1)) {
      if (!(await work(mortal(dieAt, isAfter)))) break;
      died++;
    }
  }
  return died;
}

it("an owner that dies at any call loses nothing, and whoever comes next keeps the order of every key", async () => {
  partner.answer = ({ event }) => (event.subject === "C" && event.data.number === 2 ? 422 : 204);
  const died = await atEveryCall(async (dying) => {
    const bench = await freshBench();
    await bench.append(["A", { number: 1 }], ["B", { number: 1 }], ["A", { number: 2 }], ["C", { number: 1 }]);
    await bench.append(
      ["A", { number: 3, act: "silent" }],
      ["C", { number: 2 }],
      ["C", { number: 3 }],
      ["A", { number: 4 }],
    );
    const isDead = await diesBefore(
      dying,
      bench.feed(bench.lane(dying)),
      async () => (await bench.checkpoint()) === bench.end,
    );
    // Nothing is in the database that the log does not tell, nor taken for removed.
    for (const { evidence } of await bench.known(8)) expect(["both", "awaited"]).toContain(evidence);
    const next = bench.lane();
    await bench.feed(next);
    await passed(bench);
    await next.close();
    expect([firsts("A"), firsts("B"), firsts("C")]).toEqual([[1, 2, 4], [1], [1, 2]]);
    expect((await listParked(database.pool)).map(({ key, offset }) => [key, offset])).toEqual([["C", 5]]);
    // The log tells of every delivery, and the database of nothing else, wherever the one before died.
    expect(
      (await bench.known(8)).map(({ eventId, status, evidence }) => `${eventId} ${status} ${evidence}`).sort(),
    ).toEqual(
      [1, 2, 3, 4, 8]
        .map((number) => `event-${number} delivered both`)
        .concat("event-6 refused both")
        .sort(),
    );
    expect(new Set(partner.received.map(({ id }) => id)).size).toBe(6);
    return isDead;
  });
  expect(died).toBeGreaterThan(chaosSize(10, 30));
  faults["owner died at a statement or request"] = died;
  checked += died * 8;
}, 120_000);

it.each(["retry", "skip"] as const)(
  "a %s ends the same at whatever call its owner dies",
  async (action) => {
    const died = await atEveryCall(async (dying) => {
      let mended = false;
      partner.answer = ({ event }) => (!mended && event.data.number === 1 ? 422 : 204);
      const bench = await freshBench();
      await bench.append(["A", { number: 1 }], ["A", { number: 2 }], ["B", { number: 2 }], ["A", { number: 3 }]);
      const first = bench.lane();
      await bench.feed(first);
      await passed(bench);
      await first.close();
      mended = true;
      const places = [{ ...bench.place, offset: 0 }];
      const ids = await requestDecisions(database.pool, {
        projection: "acme-health-plan",
        action,
        places,
        reason: "told so",
        by: "operator",
      });
      const answered = async () => (await requestOutcomes(database.pool, ids))[0]?.state === "done";
      const isDead = await diesBefore(dying, bench.feed(bench.lane(dying)), answered);
      await bench.append(["A", { number: 4 }]);
      const next = bench.lane();
      await bench.feed(next);
      await expect.poll(answered, { timeout: 10_000, interval: 5 }).toBe(true);
      await passed(bench);
      await next.close();
      const later = numbers("A").slice(1);
      expect([...new Set(later)]).toEqual(action === "retry" ? [1, 2, 3, 4] : [2, 3, 4]);
      expect(numbers("B")).toEqual([2]);
      expect(await listParked(database.pool)).toEqual([]);
      return isDead;
    });
    expect(died).toBeGreaterThan(chaosSize(6, 20));
    faults[`owner died at a call of a ${action}`] = died;
    checked += died * 5;
  },
  120_000,
);

it("a connection to Postgres that is lost before or after a statement does no harm", async () => {
  const bench = await freshBench();
  const keys = ["A", "B", "C"];
  for (let number = 1; number <= 20; number++) await bench.append(...keys.map((key) => [key, { number }] as const));
  let [seed, lost] = [7, 0];
  const roll = () => {
    seed = (seed * 48_271) % 2_147_483_647;
    const fate = seed % 8;
    if (fate < 2) lost++;
    return fate;
  };
  const lane = bench.lane({ pool: shakyPool(database.pool, roll) });
  await bench.feed(lane);
  await passed(bench);
  await lane.close();
  const wanted = Array.from({ length: 20 }, (_, index) => index + 1);
  // One owner: nothing is sent twice.
  for (const key of keys) expect(numbers(key)).toEqual(wanted);
  expect(lost).toBeGreaterThan(5);
  faults["connection to Postgres lost"] = lost;
  checked += keys.length * wanted.length;
}, 60_000);

it("a lane that was taken over moves no checkpoint, parks nothing, and sends nothing after what it had in hand", async () => {
  const bench = await freshBench();
  await bench.append(["A", { number: 1 }], ["A", { number: 2 }], ["B", { number: 1 }]);
  let go: () => void = () => {};
  const held = new Promise<void>((resolve) => {
    go = resolve;
  });
  partner.answer = async ({ event }) => {
    if (partner.received.length > 2) return 204;
    await held;
    return event.subject === "B" ? 422 : 204;
  };
  const [old, next] = [bench.lane(), bench.lane()];
  await bench.feed(old);
  await expect.poll(() => partner.received.length).toBe(2);
  expect(await next.open()).toBe(0);
  go();
  // The one that was taken over hears that one was taken and the other refused. It must neither write it nor go on.
  await expect.poll(() => old.isWaiting).toBe(false);
  expect(await bench.checkpoint()).toBe(0);
  expect(numbers("A")).toEqual([1]);
  await next.batch(bench.log.records(bench.place.topic, 0), bench.context());
  await passed(bench);
  expect([numbers("A"), numbers("B")]).toEqual([
    [1, 1, 2],
    [1, 1],
  ]);
  expect(await listParked(database.pool)).toEqual([]);
  await Promise.all([old.close(), next.close()]);
  expect(bench.failures).toEqual([]);
});

it("passes nothing whose end is not written with it, however long a statement takes to be made", async () => {
  const bench = await freshBench();
  partner.answer = async ({ event }) => {
    if (event.subject === "B") await pause(60);
    return 422;
  };
  await bench.append(["A", { number: 1 }], ["B", { number: 1 }]);
  let tell = () => {};
  const written = new Promise<void>((resolve) => {
    tell = resolve;
  });
  // The second key ends while room for the first is asked for; the owner dies when it has written the first.
  const query = async (text: string, values: unknown[]) => {
    if (text.includes("count(*)::integer AS held")) await pause(200);
    const result = await database.pool.query(text, values);
    if (!text.includes("fence AS") || !text.includes("INTO engine.parked_keys")) return result;
    tell();
    return new Promise(() => {});
  };
  await bench.feed(bench.lane({ pool: { query } as unknown as Pool }));
  await written;
  expect(numbers("B")).toEqual([1]);
  const next = bench.lane();
  await bench.feed(next);
  await passed(bench);
  await next.close();
  expect((await listParked(database.pool)).map(({ key }) => key).sort()).toEqual(["A", "B"]);
});

it("an owner that was taken over while its partner refused parks nothing", async () => {
  const bench = await freshBench();
  await bench.append(["B", { number: 1 }]);
  // Taken over when all is ready to be written.
  let next = bench.lane();
  let taken = false;
  const query = async (text: string, values: unknown[]) => {
    if (text.includes("fence AS") && text.includes("INTO engine.parked_keys") && !taken) {
      taken = true;
      next = bench.lane();
      await next.open();
    }
    return database.pool.query(text, values);
  };
  partner.answer = () => (partner.received.length > 1 ? 204 : 422);
  const old = bench.lane({ pool: { query } as unknown as Pool });
  await bench.feed(old);
  await expect.poll(() => taken && !old.isWaiting, { timeout: 10_000 }).toBe(true);
  await old.close();
  expect(await listParked(database.pool)).toEqual([]);
  await next.batch(bench.log.records(bench.place.topic, 0), bench.context());
  await passed(bench);
  await next.close();
  expect(numbers("B")).toEqual([1, 1]);
});

it("stops at one key more than may be parked, having recorded what was delivered", async () => {
  const bench = await freshBench();
  const keys = Array.from({ length: 12 }, (_, index) => `K${index}`);
  partner.answer = ({ event }) => (event.subject === "K0" ? 204 : 422);
  await bench.append(...keys.map((key) => [key, { number: 1 }] as const));
  const lane = bench.lane();
  await bench.feed(lane);
  await expect
    .poll(() => bench.failures.map((error) => (error as { code?: string }).code), { timeout: 10_000 })
    .toEqual(["TRIB_PROJECT_TOO_MANY_PARKED"]);
  await lane.close();
  expect((await listParked(database.pool)).length).toBeLessThanOrEqual(10);
  expect(await bench.checkpoint()).toBeLessThan(bench.end);
  const [first] = await bench.known(1);
  expect(first?.status).toBe("delivered");
});

it("sends nothing of a topic that was made anew, however long it is", async () => {
  const bench = await freshBench();
  await bench.append(["A", { number: 1 }], ["B", { number: 1 }]);
  const lane = bench.lane();
  await bench.feed(lane);
  await passed(bench);
  await lane.close();
  const anew = new DeliveryBench(database.pool, () => partner.url);
  await anew.append(["A", { number: 7 }], ["B", { number: 8 }], ["A", { number: 9 }]);
  await expect(anew.lane().open()).rejects.toMatchObject({ code: "TRIB_LOG_REPLACED", facts: { offset: 1 } });
  expect([numbers("A"), numbers("B")]).toEqual([[1], [1]]);
});

it("begins at the log's end where it is told to, and once: afterwards its checkpoint decides", async () => {
  const bench = await freshBench();
  await bench.append(["A", { number: 1 }], ["B", { number: 1 }]);
  const lane = bench.lane({ start: "latest" });
  expect(await lane.open()).toBe(2);
  await lane.close();
  await bench.append(["A", { number: 2 }]);
  const next = bench.lane({ start: "latest" });
  await bench.feed(next);
  await passed(bench);
  await next.close();
  expect([numbers("A"), numbers("B")]).toEqual([[2], []]);
});
