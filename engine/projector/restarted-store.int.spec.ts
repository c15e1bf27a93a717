import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openPool, type Pool } from "../store/pool.js";
import { chaosSize, recordChaos } from "../testing/chaos.js";
import { expectPure, mixed, notes, published } from "../testing/notes.js";
import { type OwnPostgres, ownPostgres } from "../testing/own-postgres.js";
import { ProjectionBench } from "../testing/projection-bench.js";

let server: OwnPostgres;
let pool: Pool;
beforeAll(async () => {
  server = await ownPostgres();
  pool = openPool(server.url, { applicationName: "tributary spec" });
});
afterAll(async () => {
  await pool?.end();
  await server?.remove();
});

describe("a lane whose server is restarted", () => {
  it("leaves the rows of the pure fold, whichever write the server was at work on", async () => {
    // Twice as many writes as restarts, at least.
    const events = 60;
    const restarts = chaosSize(2, 10);
    for (let nth = 1; nth <= restarts; nth++) {
      const bench = await ProjectionBench.create(notes, pool, { beside: true });
      const { schema } = bench.build;
      // The nth write is at work, with the checkpoint's row changed, when the server dies.
      await pool.query(`
        CREATE TABLE ${schema}.slow AS SELECT;
        CREATE SEQUENCE ${schema}.nth;
        CREATE FUNCTION ${schema}.strike() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          IF nextval('${schema}.nth') = ${nth} AND EXISTS (SELECT FROM ${schema}.slow) THEN PERFORM pg_sleep(60); END IF;
          RETURN NULL;
        END $$;
        CREATE TRIGGER strike BEFORE INSERT ON ${schema}.history FOR EACH STATEMENT EXECUTE FUNCTION ${schema}.strike()`);
      bench.append(published(mixed(events)));
      let ended = false;
      const run = bench.run({ batch: 2 }).finally(() => {
        ended = true;
      });
      const sleeping = "SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
      while ((await pool.query(sleeping)).rowCount === 0) {
        if (ended) throw new Error(`the run ended before its write ${nth}`);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      // The sequence may be back at its old place after the restart.
      await pool.query(`DELETE FROM ${schema}.slow`);
      await server.stopAtOnce();
      await server.start();
      await run;
      await expectPure(bench, bench.inputs);
      expect(bench.messages.some((message) => message.startsWith("waiting"))).toBe(true);
    }
    recordChaos({
      guarantee: "A failing store does no harm",
      spec: "engine/projector/restarted-store.int.spec.ts",
      seeds: 0,
      kills: 0,
      faults: { "restarted server": restarts },
      events: restarts * events,
      violations: 0,
    });
  }, 300_000);
});
