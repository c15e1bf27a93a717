import { afterAll, beforeAll, expect, it } from "vitest";
import { type FreshDatabase, freshDatabase } from "../testing/database.js";
import { note, published, topic } from "../testing/notes.js";
import type { StatementFault } from "../testing/postgres-proxy.js";
import { ProjectionBench } from "../testing/projection-bench.js";
import { proxiedPool } from "../testing/store-chaos.js";
import { passed } from "../testing/tcp-proxy.js";
import { projection, table, text, uuid } from "./definition.js";
import { InHand } from "./in-hand.js";

let database: FreshDatabase;
beforeAll(async () => {
  database = await freshDatabase();
});
afterAll(() => database?.drop());

const letterBytes = 40_000;
/** Rows much larger than the events they are made of. */
const letters = projection({
  name: "letters",
  version: 1,
  tables: {
    letters: table({ comment: "L.", key: ["visit_id"], columns: { visit_id: uuid("V."), text: text("T.") } }),
  },
  fold: {
    VisitUpdated: ({ source, tables }) => {
      // Not a rope, whose characters would be counted and not there.
      tables.letters.put({ text: Buffer.alloc(letterBytes, String(source.offset)).toString("latin1") });
      return undefined;
    },
  },
});

it("large rows in hand are bounded by what they take, over all lanes of the process", async () => {
  let release: (fault: StatementFault) => void = () => {};
  const held = new Promise<StatementFault>((resolve) => {
    release = resolve;
  });
  const proxied = await proxiedPool(database.url, {
    pool: {},
    statement: ({ name }) => (name.startsWith("write_") ? held : passed),
  });
  const { pool } = proxied;
  const large = await ProjectionBench.create(letters, database.pool, { beside: true });
  const [partitions, each, size] = [4, 250, 40];
  const events = Array.from({ length: partitions * each }, (_, key) => note(key, "set", "", key % partitions));
  large.append(published(events));
  const inHand = new InHand(20e6);
  const given = await Promise.all(
    Array.from({ length: partitions }, async (_, partition) => {
      const lane = large.lane(topic, partition, { pool, inHand });
      const records = large.recordsOf(topic, partition);
      const batches: Promise<void>[] = [];
      let taken = await lane.open();
      for (let waits = false; !waits && taken < each; taken += size) {
        const batch = lane.batch(records.slice(taken, taken + size), large.context(each * 2));
        batches.push(batch);
        waits = await Promise.race([
          batch.then(() => false),
          new Promise<true>((resolve) => setTimeout(resolve, 1_000, true)),
        ]);
      }
      return { lane, records, batches, taken };
    }),
  );
  // The last batch of each lane waits in it.
  const bytes = given.reduce((sum, { taken }) => sum + taken - size, 0) * letterBytes;
  expect(bytes).toBeLessThan(20e6 + partitions * size * letterBytes);
  release(passed);
  for (const { lane, records, batches, taken } of given) {
    await Promise.all(batches);
    await lane.batch(records.slice(taken), large.context(each));
    await lane.close();
  }
  expect(await large.rows("letters")).toHaveLength(events.length);
  await proxied.close();
});
