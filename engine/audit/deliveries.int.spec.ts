import { afterAll, beforeAll, expect, it } from "vitest";
import { prepareDelivery } from "../delivery/registration.js";
import { type FreshDatabase, freshDatabase } from "../testing/database.js";
import { acme, DeliveryBench } from "../testing/delivery-bench.js";
import { type PartnerEndpoint, partnerEndpoint } from "../testing/partner-endpoint.js";
import { deliveriesWithin } from "./deliveries.js";
import { deliveryDisclosures } from "./delivery-disclosures.js";
import { verifyDeliveries } from "./verify-deliveries.js";

let database: FreshDatabase;
let partner: PartnerEndpoint;
beforeAll(async () => {
  [database, partner] = await Promise.all([freshDatabase(), partnerEndpoint()]);
  await prepareDelivery(database.pool, acme("http://127.0.0.1:1/"));
});
afterAll(async () => {
  await partner?.close();
  await database?.drop();
});

it("what was delivered is told by the log where the database has no row of it any more, or one that says otherwise", async () => {
  const bench = new DeliveryBench(database.pool, () => partner.url);
  partner.answer = ({ event }) => (event.subject === "D" ? 422 : 204);
  const keys = ["A", "B", "C", "D"];
  await bench.append(...keys.map((key) => [key, { number: 1 }] as const));
  const lane = bench.lane();
  await bench.feed(lane);
  await expect.poll(() => bench.checkpoint(), { timeout: 10_000, interval: 5 }).toBe(4);
  await lane.close();
  const evidence = async () =>
    new Map((await bench.known(4)).map((one) => [Number(one.place.slice(-1)), one.evidence] as const));
  expect(await evidence()).toEqual(new Map([0, 1, 2, 3].map((offset) => [offset, "both"])));
  expect(await verifyDeliveries(bench.source)).toMatchObject({ ok: true, told: 4, removed: 0, changed: 0 });

  // The owner of the database takes two out of the account, one that holds its key back among them, and changes one.
  await database.pool.query("DELETE FROM engine.deliveries WHERE log_offset IN (0, 3)");
  await database.pool.query("UPDATE engine.deliveries SET sent = false WHERE log_offset = 1");
  expect(await evidence()).toEqual(
    new Map([
      [0, "removed"],
      [1, "changed"],
      [2, "both"],
      [3, "removed"],
    ]),
  );
  const records = [0, 1, 2, 3].map((offset) => ({ topic: bench.place.topic, partition: 0, offset }));
  const account = await deliveryDisclosures(bench.source, { patients: new Set(), records: records as never }, 0);
  expect(account.map(({ value }) => /: (.*)$/.exec(value.command)?.[1]).sort()).toEqual([
    "delivered, answered 204",
    "delivered, answered 204, CHANGED in the database",
    "delivered, answered 204, REMOVED from the database",
    "refused, answered 422, REMOVED from the database",
  ]);
  const report = await verifyDeliveries(bench.source);
  expect(report).toMatchObject({ ok: false, removed: 2, changed: 1, awaited: 0 });
  expect(report.findings.map(({ place, evidence: found }) => `${place} ${found}`).sort()).toEqual([
    "health.visit.events/0/0 removed",
    "health.visit.events/0/1 changed",
    "health.visit.events/0/3 removed",
  ]);
  // A database that was lost takes none of it along: that of a period has them all, and of another none.
  await database.pool.query(
    "DELETE FROM engine.deliveries; DELETE FROM engine.checkpoints; DELETE FROM engine.parked_keys",
  );
  expect((await evidence()).size).toBe(4);
  expect(new Set((await evidence()).values())).toEqual(new Set(["removed"]));
  expect(await deliveriesWithin(bench.source, 0, Date.now())).toHaveLength(4);
  expect(await deliveriesWithin(bench.source, 0, 1)).toEqual([]);
});
