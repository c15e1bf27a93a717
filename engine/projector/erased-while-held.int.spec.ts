import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { stateOfBuild } from "../testing/build-state.js";
import { type FreshDatabase, freshDatabase } from "../testing/database.js";
import { keyOf, published, topic } from "../testing/notes.js";
import { ProjectionBench } from "../testing/projection-bench.js";
import { Chance } from "../testing/simulation/random.js";
import type { AnyProjection, EventType, FoldResult } from "./definition.js";
import { integer, park, projection, restricted, table, text, uuid } from "./definition.js";
import type { FoldInput } from "./fold.js";
import { requestDecisions } from "./requests.js";
import { dropBuild } from "./swap.js";
import { verifyProjection } from "./verify.js";

let database: FreshDatabase;
beforeAll(async () => {
  database = await freshDatabase();
});
afterAll(() => database?.drop());

interface Fact {
  readonly act: "call" | "park" | "throw";
  readonly name: string;
}
const factOf = (event: unknown) => JSON.parse((event as { facility: string }).facility) as Fact;

/** Names that only the restricted views have; `isMended`, no event is held for its fold. */
const names = (isMended: boolean) => {
  const verdict = ({ act }: Fact): FoldResult => {
    if (isMended || act === "call") return undefined;
    if (act === "throw") throw new Error("told to");
    return park("told to");
  };
  return projection({
    name: "names",
    version: 1,
    tables: {
      names: table({
        comment: "Last name.",
        key: ["visit_id"],
        history: true,
        columns: {
          visit_id: uuid("Visit."),
          calls: integer("How often named."),
          erasures: integer("How often erased."),
          name: restricted(text("Name.")),
        },
      }),
      aliases: table({
        comment: "All names.",
        key: ["visit_id", "alias"],
        restricted: true,
        columns: { visit_id: uuid("Visit."), alias: text("Name.") },
      }),
    },
    fold: {
      VisitUpdated: ({ event, sealed, tables }) => {
        const fact = factOf(event);
        const row = tables.names.get();
        const { name = null } = (sealed ?? {}) as unknown as { name?: string };
        tables.names.put({ calls: Number(row?.calls ?? 0) + 1, erasures: row?.erasures ?? 0, name });
        if (name !== null) tables.aliases.put({ alias: name });
        return verdict(fact);
      },
      SubjectErased: ({ event, tables }) => {
        const row = tables.names.get();
        if (row) tables.names.put({ ...row, erasures: Number(row.erasures ?? 0) + 1 });
        return verdict(factOf(event));
      },
    },
  }) as AnyProjection;
};

let number = 0;
function fact(type: EventType, key: number, act: Fact["act"], name = "Ann"): FoldInput {
  const { key: id, partition } = { key: keyOf(key), partition: key % 2 };
  return {
    type,
    key: id,
    event: { meta: { id: `fact-${number++}` }, facility: JSON.stringify({ act, name }) },
    sealed: type === "VisitUpdated" ? { name } : null,
    position: { journal: "j", partition: 0, offset: 0, index: 0, recordedAt: 0 },
    source: { topic, partition, offset: 0 },
  };
}
const named = (key: number, act: Fact["act"], name?: string) => fact("VisitUpdated", key, act, name);
const erased = (key: number, act: Fact["act"] = "call") => fact("SubjectErased", key, act);

async function begin(): Promise<ProjectionBench> {
  return ProjectionBench.create(names(false), database.pool, { beside: true });
}

const rowsOf = async (bench: ProjectionBench, name: string) =>
  (await bench.rows(name))
    .map(({ row }) => row)
    .sort((one, other) => ((one.visit_id as string) < (other.visit_id as string) ? -1 : 1));
const heldIn = async ({ build }: ProjectionBench) => {
  const { rows } = await database.pool.query<{ partition: number; offset: number }>(
    "SELECT partition, log_offset AS offset FROM engine.parked_keys WHERE build = $1 AND state <> 'done' ORDER BY 1, 2",
    [build.build],
  );
  return rows.map(({ partition, offset }) => ({ topic, partition, offset: Number(offset) }));
};

async function ask(bench: ProjectionBench, action: "retry" | "skip"): Promise<number> {
  const places = await heldIn(bench);
  const request = { projection: "names", action, places, reason: "told so", by: "operator" };
  if (places.length > 0) await requestDecisions(database.pool, request);
  return places.length;
}

/** Live, what verify computes of the log, and a build made of it at once are the same. */
async function expectOne(bench: ProjectionBench, definition: AnyProjection, seed?: number): Promise<void> {
  const verified = await verifyProjection({
    projection: definition,
    build: bench.build,
    log: bench,
    pool: database.pool,
    decoder: bench,
    opener: bench,
    decisions: bench.decisions,
  });
  expect({ seed, differences: verified.differences }).toEqual({ seed, differences: [] });
  const beside = await bench.with(definition, { beside: true });
  await beside.run({ batch: 1_000 });
  expect(await stateOfBuild(database.pool, beside.build), `seed ${seed}`).toEqual(
    await stateOfBuild(database.pool, bench.build),
  );
  await dropBuild(database.pool, "names", beside.build.build);
}

/** The event as one of a unit translated again. */
function again(event: FoldInput, { position, key, source }: FoldInput, generation: number): FoldInput {
  const { journal, partition, offset } = position;
  const meta = { ...(event.event as { meta: object }).meta, generation, origin: { journal, partition, offset } };
  return { ...event, key, source, event: { ...event.event, meta } };
}

describe("an erasure of a key that is held", () => {
  it("takes out what identifies a person, and leaves the rest to who sees to the key", async () => {
    const bench = await begin();
    bench.append(published([named(0, "call"), named(0, "throw", "Anna"), named(2, "call", "Bob")]));
    await bench.run();
    expect(await heldIn(bench)).toEqual([{ topic, partition: 0, offset: 1 }]);
    expect(await rowsOf(bench, "aliases")).toHaveLength(2);

    bench.append(published([erased(0)]));
    await bench.run();
    expect(await rowsOf(bench, "names")).toEqual([
      expect.objectContaining({ visit_id: keyOf(0), calls: 1, erasures: 0, name: null }),
      expect.objectContaining({ visit_id: keyOf(2), name: "Bob" }),
    ]);
    expect(await rowsOf(bench, "aliases")).toEqual([{ visit_id: keyOf(2), alias: "Bob" }]);
    expect(await heldIn(bench)).toEqual([{ topic, partition: 0, offset: 1 }]);
    await expectOne(bench, names(false));

    await ask(bench, "retry");
    const again = await bench.with(names(true));
    await again.run();
    expect(await heldIn(again)).toEqual([]);
    expect((await rowsOf(again, "names"))[0]).toMatchObject({ calls: 2, erasures: 1, name: null });
    await expectOne(again, names(true));
    await dropBuild(database.pool, "names", bench.build.build);
  });

  it("does so where the erasure itself parks its key, by its fold", async () => {
    const bench = await begin();
    bench.append(published([named(0, "call"), erased(0, "throw"), named(1, "call"), erased(1, "park")]));
    await bench.run();
    expect(await heldIn(bench)).toHaveLength(2);
    expect((await rowsOf(bench, "names")).map(({ name }) => name)).toEqual([null, null]);
    expect(await rowsOf(bench, "aliases")).toEqual([]);
    await expectOne(bench, names(false));

    // Nor can it be passed over.
    const places = await heldIn(bench);
    const request = { projection: "names", action: "skip", places, reason: "told so", by: "operator" } as const;
    await requestDecisions(database.pool, request);
    await bench.run();
    const { rows: answers } = await database.pool.query("SELECT state FROM engine.lane_requests WHERE build = $1", [
      bench.build.build,
    ]);
    expect(answers).toEqual([{ state: "refused" }, { state: "refused" }]);
    expect(await heldIn(bench)).toEqual(places);
    await expectOne(bench, names(false));
    await dropBuild(database.pool, "names", bench.build.build);
  });

  it("comes to the same live, rebuilt and verified, whatever is retried or skipped", async () => {
    let [held, erasures] = [0, 0];
    for (let seed = 1; seed <= 3; seed++) {
      const chance = new Chance(seed);
      const below = (end: number) => chance.between(0, end - 1);
      const bench = await begin();
      const acts: readonly Fact["act"][] = ["call", "call", "call", "park", "throw"];
      const one = () => {
        const act = acts[below(acts.length)] as Fact["act"];
        if (below(3) > 0) return named(below(4), act, ["Ann", "Bob", "Cid"][below(3)]);
        erasures++;
        return erased(below(4), act);
      };
      const more = async (count: number) => {
        const events = published(Array.from({ length: count }, one));
        for (let at = 0; at < count; ) {
          const size = 1 + below(6);
          bench.append(events.slice(at, at + size), { numberOfTimes: below(3) === 0 ? 2 : 1 });
          at += size;
          await bench.run({ batch: 1 + below(5), cacheRows: 2 });
        }
      };
      await more(24);
      await expectOne(bench, names(false), seed);
      for (const action of ["skip", "retry", "skip"] as const) {
        held += await ask(bench, action);
        await bench.run();
        await expectOne(bench, names(false), seed);
        await more(4);
        await expectOne(bench, names(false), seed);
      }
      await ask(bench, "retry");
      const again = await bench.with(names(true));
      await again.run();
      await expectOne(again, names(true), seed);
      await dropBuild(database.pool, "names", bench.build.build);
    }
    expect(Math.min(held, erasures)).toBeGreaterThan(15);
  });

  it("comes to the same when units are translated again meanwhile", async () => {
    let retold = 0;
    for (let seed = 1; seed <= 4; seed++) {
      const chance = new Chance(100 + seed);
      const below = (end: number) => chance.between(0, end - 1);
      const bench = await begin();
      const acts: readonly Fact["act"][] = ["call", "call", "park"];
      const log: FoldInput[] = [];
      const generations = new Map<FoldInput, number>();
      for (let index = 0; index < 30; index++) {
        const act = acts[below(acts.length)] as Fact["act"];
        const units = [...generations.keys()];
        const original = units.length > 0 && below(4) === 0 ? units[below(units.length)] : undefined;
        const key = below(3);
        const [event] = published([
          original ? named(0, act, "Dee") : below(4) === 0 ? erased(key, act) : named(key, act),
        ]) as [FoldInput];
        if (!original) {
          generations.set(event, 0);
          log.push(event);
          continue;
        }
        retold++;
        const generation = (generations.get(original) ?? 0) + 1;
        generations.set(original, generation);
        log.push(again(event, original, generation));
      }
      for (let at = 0; at < log.length; ) {
        const size = 1 + below(6);
        bench.append(log.slice(at, at + size));
        at += size;
        await bench.run({ batch: 1 + below(5), cacheRows: 2 });
      }
      await expectOne(bench, names(false), seed);
      // Told again only after the erasure, it still comes before it.
      const firsts = [0, 1, 2].flatMap((key) => log.find((event) => event.key === keyOf(key)) ?? []);
      bench.append(published(firsts.map((_, key) => erased(key))));
      await bench.run();
      bench.append(firsts.flatMap((first) => published([named(0, "call", "Eve")]).map((one) => again(one, first, 99))));
      await bench.run();
      expect((await rowsOf(bench, "names")).filter(({ name }) => name !== null)).toEqual([]);
      expect(await rowsOf(bench, "aliases")).toEqual([]);
      await expectOne(bench, names(false), seed);
      await dropBuild(database.pool, "names", bench.build.build);
    }
    expect(retold).toBeGreaterThan(15);
  });
});
