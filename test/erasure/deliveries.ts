import { expect, it } from "vitest";
import { deliveriesOf } from "../../engine/audit/deliveries.js";
import { trailOf } from "../../engine/audit/trail.js";
import { auditDeliveries } from "../../engine/delivery/delivery-log.js";
import { type DeliveringConsumer, prepareDelivery } from "../../engine/delivery/registration.js";
import { runDelivery } from "../../engine/delivery/runner.js";
import { webhook } from "../../engine/delivery/webhook.js";
import type { ReceivedUnit } from "../../engine/intake/connector.js";
import { consumer } from "../../engine/service/consumer.js";
import { decoderOf } from "../../engine/service/decoder.js";
import { createLogger } from "../../engine/service/logger.js";
import { sealedOpener } from "../../engine/service/sealed-opener.js";
import { openPool } from "../../engine/store/pool.js";
import { partnerEndpoint } from "../../engine/testing/partner-endpoint.js";
import { projections, type Region } from "../region.js";

interface Parts {
  readonly region: Region;
  readonly told: (name: string, time: number) => readonly ReceivedUnit[];
  readonly patientOf: (name: string) => string;
  readonly erase: (name: string) => Promise<unknown>;
}

const secret = `whsec_${Buffer.alloc(32, "s").toString("base64")}`;

const named = (url: string) =>
  consumer({
    name: "named-plan",
    start: "earliest",
    deliver: {
      events: ["PatientRegistered", "PatientErased"],
      opens: ["PatientRegistered"],
      to: webhook({ url, secrets: ["named.whsec"] }),
      map: (one) => (one.type === "PatientErased" ? { erased: true } : { name: one.sealed?.familyName ?? null }),
    },
  }) as DeliveringConsumer;

/** Deliveries of what identifies a patient, in a region that is there once a test runs. */
export function deliveriesOfErased(parts: () => Parts): void {
  it("stops what identifies a patient on its way to a partner, also where it was sent before and is sent again", async () => {
    const { region, told, patientOf, erase } = parts();
    const { database, kafka, kek } = region;
    const partner = await partnerEndpoint();
    const definition = named(partner.url);
    await prepareDelivery(database.pool, definition, { password: "secret" });
    const pool = openPool(database.urlAs("tributary_named_plan", "secret"), { applicationName: "spec", max: 4 });
    const opener = sealedOpener(pool, kek, kafka.codec, { interval: region.forgottenAfter / 2 });
    const gus = patientOf("Gus");
    const source = { log: kafka.log, codec: kafka.codec, pool: database.pool };
    const said = () => partner.received.filter(({ event }) => event.subject === gus).map(({ event }) => event.data);
    let away = true;
    partner.answer = ({ event }) => (away && event.subject === gus ? 503 : 204);
    const running = await runDelivery({
      definition,
      log: kafka.log,
      pool,
      decoder: decoderOf(kafka.codec),
      opener,
      sender: definition.deliver.to.open(() => secret),
      logger: createLogger("spec", "silent"),
      deliveryLog: auditDeliveries(kafka.log, kafka.codec),
      backoff: { shortest: 20, longest: 50 },
      onFailure: (error) => {
        throw error;
      },
    });
    try {
      await region.intake.submit(told("Gus", 7_000));
      await expect.poll(() => said().length, { timeout: 30_000 }).toBeGreaterThan(1);
      expect(new Set(said().map(({ name }) => name))).toEqual(new Set(["Gus"]));
      await erase("Gus");
      const erased = said().length;
      // An attempt may be under way as the erasure ends.
      await expect.poll(() => said().length, { timeout: 30_000 }).toBeGreaterThan(erased + 2);
      expect(
        new Set(
          said()
            .slice(erased + 1)
            .map(({ name }) => name),
        ),
      ).toEqual(new Set([null]));
      away = false;
      await expect.poll(() => said().at(-1), { timeout: 30_000 }).toEqual({ erased: true });

      const first = partner.received.find(({ event }) => event.subject === gus);
      const { rows } = await database.pool.query<{ topic: string; partition: number; offset: number }>(
        `SELECT topic, partition, log_offset AS "offset" FROM engine.deliveries WHERE event_id = $1`,
        [first?.event.id],
      );
      // The last attempt held no name any more; what was disclosed before was.
      expect(await deliveriesOf(source, rows)).toMatchObject([{ status: "delivered", opened: true }]);
      const { trail } = await trailOf({ ...source, projections }, "patient", gus);
      const shown = trail.deliveries.map(({ eventType, status, evidence }) => [eventType, status, evidence]);
      expect(shown.sort()).toEqual(["PatientErased", "PatientRegistered"].map((type) => [type, "delivered", "both"]));
      expect(trail.deliveriesBy).toBe("log and database");
      const few = await trailOf({ ...source, projections, deliveryRecords: 0 }, "patient", gus);
      expect(few.trail.deliveriesBy).toBe("database");
      expect(few.trail.deliveries.map(({ evidence }) => evidence)).toEqual(["database", "database"]);
      const visits = pool.query("SELECT FROM engine.vault_open('VisitStarted', '{}', '{}')");
      await expect(visits).rejects.toThrow("may not open sealed content of this event type");
    } finally {
      await running.close();
      opener.close();
      await pool.end();
      await partner.close();
    }
  });
}
