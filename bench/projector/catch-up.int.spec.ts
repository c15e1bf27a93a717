import { expect, it } from "vitest";
import { readSettings } from "../../engine/service/settings.js";
import { catchUp, schemaOf } from "./catch-up.js";
import { benchStart } from "./child.js";
import { benchConsumers } from "./definitions.js";
import { inPlace } from "./place.js";
import { visitTopic } from "./visit-event.js";
import { interleaved, VisitLog } from "./workload.js";

const events = 2_000;

it("measures a real process, and counts no figure of a table in which one value is wrong", async () => {
  const environment = Object.fromEntries(Object.entries(process.env).map(([name, value]) => [name, value ?? ""]));
  await inPlace({ settings: readSettings(), environment }, async (place) => {
    const log = new VisitLog(place);
    await log.append(interleaved(events));
    const start = await benchStart(place, benchConsumers.bench);
    const run = await catchUp(place, start, { projections: ["visits"], topics: [visitTopic] });
    expect(run.events).toBe(events);
    expect(run.rateFromStart).toBeGreaterThan(0);
    // Where there is a /proc, what the process used is known: no Node starts with less.
    if (process.platform === "linux") {
      expect(run.own).toBeGreaterThan(0.1);
      expect(run.peak).toBeGreaterThan(40 * 2 ** 20);
    }
    const schema = await schemaOf(place, "visits");
    await log.assertRight(place.pool, schema);
    await place.pool.query(
      `UPDATE ${schema}.visits SET charge_cents = charge_cents + 1 WHERE visit_id = (SELECT min(visit_id) FROM ${schema}.visits)`,
    );
    await expect(log.assertRight(place.pool, schema)).rejects.toThrow("The table is wrong");
  });
});
