import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { askOf, differencesOf, heldIn, stateOf } from "../testing/bench-checks.js";
import { stateOfBuild } from "../testing/build-state.js";
import { type FreshDatabase, freshDatabase } from "../testing/database.js";
import { type Note, note, notes, topic } from "../testing/notes.js";
import { ProjectionBench } from "../testing/projection-bench.js";
import { type Dice, diceOf, isAgain, retoldHistory, type Unit, unitPlace } from "../testing/retold-history.js";
import { type KeyedRows, park } from "./definition.js";
import type { FoldInput } from "./fold.js";
import { PureFold } from "./pure.js";
import { dropBuild } from "./swap.js";
import { verifyProjection } from "./verify.js";

let database: FreshDatabase;
beforeAll(async () => {
  database = await freshDatabase();
});
afterAll(() => database?.drop());

const seeds = 4;

const unitOf = ({ event, position }: FoldInput) => {
  const { origin } = (event as { meta: { origin?: { partition: number; offset: number } } }).meta;
  return origin ?? position;
};

/** The rule in its own words: each key's last translations, in an order that keeps every journal partition's. */
function plainOrder(log: readonly FoldInput[], units: readonly Unit[]): FoldInput[] {
  const stands = new Set(units.flatMap(({ standing }) => standing));
  const left = log.filter((event) => stands.has(event));
  // Of one feed only, the order of units is all there is.
  return left.sort((one, other) => {
    const [a, b] = [unitOf(one), unitOf(other)];
    return a.offset - b.offset || one.position.index - other.position.index;
  });
}

const contents = async (bench: ProjectionBench, name: string) =>
  (await bench.rows(name)).map(({ row }) => JSON.stringify(row)).sort();

/** Of one key: what a unit says, of its own or in the place of another. */
function told(act: Note["act"], value: string, at: number, of?: number, generation = 1): FoldInput {
  const event = note(1, act, value, 1);
  const origin = of === undefined ? {} : { generation, origin: { journal: "j", partition: 0, offset: of } };
  const meta = { ...(event.event as { meta: object }).meta, ...origin };
  return { ...event, event: { ...event.event, meta }, position: unitPlace(0, at) };
}

describe("a read model after units were translated again", () => {
  it("is what verify computes, and what a lane makes of the log at once, in batches of any size", async () => {
    let retold = 0;
    for (let seed = 1; seed <= seeds; seed++) {
      const random = diceOf(seed);
      const bench = await ProjectionBench.create(notes, database.pool, { beside: true });
      const { log } = retoldHistory(random, 30);
      retold += log.filter(({ event }) => (event as { meta: { origin?: object } }).meta.origin).length;
      for (let at = 0; at < log.length; ) {
        const size = 1 + random.below(8);
        bench.append(log.slice(at, at + size), { numberOfTimes: random.below(4) === 0 ? 2 : 1 });
        at += size;
        await bench.run({ batch: 1 + random.below(5), cacheRows: 2 });
      }
      const verified = await verifyProjection({
        projection: notes,
        build: bench.build,
        log: bench,
        pool: database.pool,
        decoder: bench,
        opener: bench,
      });
      expect({ seed, differences: verified.differences }).toEqual({ seed, differences: [] });
      const beside = await bench.with(notes, { beside: true });
      await beside.run({ batch: 1_000 });
      expect(await stateOfBuild(database.pool, beside.build), `seed ${seed}`).toEqual(
        await stateOfBuild(database.pool, bench.build),
      );
      for (const { build } of [bench.build, beside.build]) await dropBuild(database.pool, "notes", build);
    }
    expect(retold).toBeGreaterThan(20);
  });

  it("is the same when keys were held meanwhile, and are retried with a definition that was mended", async () => {
    const { VisitUpdated } = notes.fold;
    const mended: typeof notes = {
      ...notes,
      fold: {
        VisitUpdated: (context) => {
          VisitUpdated?.(context);
          return undefined;
        },
      },
    };
    let retried = 0;
    for (let seed = 201; seed <= 200 + seeds; seed++) {
      const bench = await ProjectionBench.create(notes, database.pool, { beside: true });
      const { log } = retoldHistory(diceOf(seed), 30);
      bench.append(log);
      await bench.run({ batch: 7, cacheRows: 2 });
      const parked = await heldIn(bench);
      retried += parked.length;
      await askOf(bench, "retry", parked);
      const again = await bench.with(mended);
      await again.run();
      const beside = await again.with(mended, { beside: true });
      await beside.run({ batch: 1_000 });
      const stateAfter = async (of: ProjectionBench) => {
        const { acts: sums = [], ...state } = await stateOfBuild(database.pool, of.build);
        // Sums that came to nothing say nothing: one may be left of what was told and taken back.
        const acts = sums.filter((row) => !row.includes('"events": 0,'));
        // A key that was parked and set free before the definition was mended has its rows since then.
        const plain = (rows: readonly string[] = []) =>
          rows.map((row) => row.replace(/"recorded_at": "[^"]+", "source_offset": \d+/, ""));
        const retriedKeys = new Set(parked.map(({ key }) => key));
        const versions = Object.entries(state)
          .filter(([name]) => name.endsWith("_history"))
          .map(([name, rows]) => [name, rows.filter((row) => retriedKeys.has(JSON.parse(row).visit_id))]);
        return {
          ...state,
          ...Object.fromEntries(versions),
          notes: plain(state.notes),
          note_lines: plain(state.note_lines),
          acts,
        };
      };
      expect(await stateAfter(again), `seed ${seed}`).toEqual(await stateAfter(beside));
      for (const { build } of [again.build, beside.build]) await dropBuild(database.pool, "notes", build);
    }
    expect(retried).toBeGreaterThan(1);
  });

  it("is the same when keys were held meanwhile, and what they are held at is skipped", async () => {
    let skipped = 0;
    let again = 0;
    for (let seed = 301; seed <= 300 + 2 * seeds; seed++) {
      const bench = await ProjectionBench.create(notes, database.pool, { beside: true });
      const { log } = retoldHistory(diceOf(seed), 30);
      bench.append(log);
      await bench.run({ batch: 7, cacheRows: 2 });
      // Until nothing is held any more: a key may be held again at what follows.
      for (let held = 1, round = 0; held > 0; round++) {
        const parked = await heldIn(bench);
        held = parked.length;
        skipped += held;
        again += parked.filter(({ partition, offset }) => {
          const input = bench.inputs.find(({ source }) => source.partition === partition && source.offset === offset);
          return input && isAgain(input);
        }).length;
        // That a key be held where it is held is a decision too: it is about the event and not about what a fold says.
        await askOf(bench, round === 0 && seed % 2 === 0 ? "park" : "skip", parked);
        await bench.run();
        const beside = await bench.with(notes, { beside: true });
        await beside.run({ batch: 1_000 });
        expect(await stateOf(bench), `seed ${seed}`).toEqual(await stateOf(beside));
        expect({ seed, differences: await differencesOf(bench) }).toEqual({ seed, differences: [] });
        await dropBuild(database.pool, "notes", beside.build.build);
      }
      await dropBuild(database.pool, "notes", bench.build.build);
    }
    expect(skipped).toBeGreaterThan(5);
    expect(again).toBeGreaterThan(0);
  });

  it.each([
    { what: "what is told in its place", act: "set", of: 2, generation: 2, held: [] },
    { what: "what is told of another unit", act: "line", of: 1, generation: 1, held: [2] },
  ] as const)(
    "is the same where Postgres refuses what is told again, and $what comes",
    async ({ act, held, ...again }) => {
      for (const batch of [1, 100]) {
        const bench = await ProjectionBench.create(notes, database.pool, { beside: true });
        const { schema } = bench.build;
        await database.pool.query(`ALTER TABLE ${schema}.notes ADD CONSTRAINT no CHECK (note <> 'refused')`);
        bench.append([told("set", "a", 1), told("set", "b", 2), told("set", "refused", 3, 2)]);
        await bench.run({ batch });
        expect(await heldIn(bench)).toMatchObject([{ offset: 2 }]);
        bench.append([told(act, "c", 4, again.of, again.generation), told("line", "d", 5)]);
        await bench.run({ batch });
        expect((await heldIn(bench)).map(({ offset }) => offset)).toEqual(held);
        expect(await differencesOf(bench)).toEqual([]);
        await database.pool.query(`ALTER TABLE ${schema}.notes DROP CONSTRAINT no`);
        await askOf(bench, "retry", await heldIn(bench));
        await bench.run();
        expect(await heldIn(bench)).toEqual([]);
        expect(await differencesOf(bench)).toEqual([]);
        const beside = await bench.with(notes, { beside: true });
        await beside.run({ batch: 1_000 });
        const { history, acts } = await stateOf(beside);
        expect(await stateOf(bench)).toMatchObject({ history, acts });
        for (const { build } of [bench.build, beside.build]) await dropBuild(database.pool, "notes", build);
      }
    },
  );

  it.each(["skip", "park", "retry"] as const)(
    "is the same where the owner that recorded a %s lost Postgres before it carried it out",
    async (action) => {
      const bench = await ProjectionBench.create(notes, database.pool, { beside: true });
      bench.append([told("set", "a", 1), told("set", "b", 2), told("line", "c", 3), told("park", "d", 4, 2)]);
      await bench.run();
      const held = await heldIn(bench);
      expect(held).toMatchObject([{ offset: 3 }]);
      const [id] = await askOf(bench, action, held);
      await database.pool.query("UPDATE engine.lane_requests SET state = 'decided' WHERE decision = $1", [id]);
      const [{ key, ...place } = { key: "", topic, partition: 1, offset: 0 }] = held;
      const known = { projection: "notes", actor: "operator", time: 0, reason: "seen", key };
      const event = { position: null, eventId: null, eventType: null };
      await bench.decisions.record([{ id: id as string, action, ...known, ...event, ...place }]);
      bench.append([told("line", "e", 5, 3), told("set", "f", 6)]);
      const lane = bench.lane(topic, 1);
      await lane.batch(bench.recordsOf(topic, 1).slice(await lane.open()), bench.context(6));
      await lane.attend();
      await lane.close();
      const beside = await bench.with(notes, { beside: true });
      await beside.run({ batch: 1_000 });
      expect(await stateOf(bench)).toEqual(await stateOf(beside));
      expect(await differencesOf(bench)).toEqual([]);
      for (const { build } of [bench.build, beside.build]) await dropBuild(database.pool, "notes", build);
    },
  );

  it("has no key held that was held elsewhere, there again and no more, within one batch", async () => {
    const bench = await ProjectionBench.create(notes, database.pool, { beside: true });
    bench.append([told("set", "a", 1), told("park", "b", 2)]);
    await bench.run();
    expect(await heldIn(bench)).toMatchObject([{ offset: 1 }]);
    bench.append([told("park", "c", 3, 1), told("set", "d", 4, 1, 2), told("set", "e", 5, 2)]);
    await bench.run({ batch: 100 });
    expect(await heldIn(bench)).toEqual([]);
    expect(await differencesOf(bench)).toEqual([]);
    await dropBuild(database.pool, "notes", bench.build.build);
  });

  it("has its key released by a retry, where events after the one that parks now had been applied before", async () => {
    const { VisitUpdated } = notes.fold;
    const strict: typeof notes = {
      ...notes,
      fold: {
        VisitUpdated: (context) => {
          const { event, tables } = context;
          if (
            (tables.notes as KeyedRows | undefined)?.get()?.note === "odd" &&
            JSON.parse(event.facility).act === "line"
          )
            return park("odd");
          return VisitUpdated?.(context);
        },
      },
    };
    const bench = await ProjectionBench.create(strict, database.pool, { beside: true });
    const origin = { journal: "j", partition: 0, offset: 2 };
    const events = [note(1, "set", "a"), note(1, "set", "b"), note(1, "line", "x"), note(1, "line", "y")];
    const again = note(1, "set", "odd");
    const meta = { ...(again.event as { meta: object }).meta, generation: 1, origin };
    bench.append(
      [...events, { ...again, event: { ...again.event, meta } }].map((event, at) => ({
        ...event,
        position: unitPlace(0, at + 1),
      })),
    );
    await bench.run({ batch: 2 });
    const parked = async () =>
      (
        await database.pool.query<{ offset: number }>(
          "SELECT log_offset AS offset FROM engine.parked_keys WHERE build = $1 AND state <> 'done'",
          [bench.build.build],
        )
      ).rows.map(({ offset }) => Number(offset));
    expect(await parked()).toEqual([2]);
    const places = [{ topic, partition: 0, offset: 2 }];
    await askOf(bench, "retry", places);
    const mended = await bench.with(notes);
    await mended.run();
    expect(await parked()).toEqual([]);
    const beside = await mended.with(notes, { beside: true });
    await beside.run({ batch: 1_000 });
    expect(await stateOfBuild(database.pool, mended.build)).toEqual(await stateOfBuild(database.pool, beside.build));
    for (const { build } of [bench.build, beside.build]) await dropBuild(database.pool, "notes", build);
  });

  it("is the plain fold of what stands, in the order of the units", async () => {
    for (let seed = 101; seed <= 100 + seeds; seed++) {
      const random = diceOf(seed);
      const bench = await ProjectionBench.create(notes, database.pool, { beside: true });
      const { log, units } = retoldHistory({ below: (n: number) => (n === 2 ? 0 : random.below(n)) } as Dice, 25);
      bench.append(log);
      await bench.run({ batch: 1 + random.below(7), cacheRows: 2 });
      const offsets = new Map(bench.inputs.map((input) => [(input.event as { meta: { id: string } }).meta.id, input]));
      const pure = new PureFold(notes);
      for (const event of plainOrder(log, units)) {
        const placed = offsets.get((event.event as { meta: { id: string } }).meta.id) as FoldInput;
        if (placed.type !== "FactWithdrawn") pure.apply(placed);
      }
      for (const name of ["notes", "note_lines", "history"]) {
        const columns = Object.keys(notes.tables[name]?.columns ?? {});
        const wanted = pure
          .rows(name)
          .map(({ row }) => JSON.stringify(Object.fromEntries(columns.map((column) => [column, row[column]]))))
          .sort();
        expect({ seed, rows: await contents(bench, name) }).toEqual({ seed, rows: wanted });
      }
      const sums = (rows: readonly { row: object }[]) =>
        Object.fromEntries(
          rows
            .map(({ row }) => [(row as { act: string }).act, (row as { events: number }).events])
            .filter(([, events]) => events !== 0),
        );
      expect({ seed, sums: sums(await bench.rows("acts")) }).toEqual({ seed, sums: sums(pure.rows("acts")) });
      const { rows: parked } = await database.pool.query<{ key: string; offset: number }>(
        "SELECT key, log_offset AS offset FROM engine.parked_keys WHERE build = $1 AND state <> 'done' ORDER BY 1",
        [bench.build.build],
      );
      expect({ seed, parked }).toEqual({
        seed,
        parked: pure.parked.map(({ key, offset }) => ({ key, offset })).sort((a, b) => (a.key < b.key ? -1 : 1)),
      });
      await dropBuild(database.pool, "notes", bench.build.build);
    }
  });
});
