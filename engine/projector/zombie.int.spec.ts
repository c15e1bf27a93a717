import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { chaosSize, firstSeed, recordChaos } from "../testing/chaos.js";
import { type Child, startChild } from "../testing/child.js";
import { type FreshDatabase, freshDatabase } from "../testing/database.js";
import { expectPure, mixed, note, notes, published, topic } from "../testing/notes.js";
import type { NotesReport, NotesTask } from "../testing/notes-process.js";
import type { Statement } from "../testing/postgres-framing.js";
import { type PostgresProxy, startPostgresProxy } from "../testing/postgres-proxy.js";
import { ProjectionBench } from "../testing/projection-bench.js";
import { dice } from "../testing/store-chaos.js";
import { passed, type Treatment } from "../testing/tcp-proxy.js";

let database: FreshDatabase;
beforeAll(async () => {
  database = await freshDatabase();
});
afterAll(() => database?.drop());

/** Everything that a lane may write, with the transaction that wrote each row. */
async function dump(bench: ProjectionBench, withFence: boolean): Promise<string[]> {
  const { schema, build } = bench.build;
  const ofBuild = `t WHERE projection = 'notes' AND build = ${build}`;
  const fence = withFence ? "t.xmin::text, to_jsonb(t)" : "'', to_jsonb(t) - 'epoch' - 'owner' - 'updated_at'";
  const sources = [
    ...bench.layout.tables.map(({ name }) => `SELECT '${name}', t.xmin::text, to_jsonb(t) FROM ${schema}.${name} t`),
    `SELECT 'parked', t.xmin::text, to_jsonb(t) FROM engine.parked_keys ${ofBuild}`,
    `SELECT 'checkpoint', ${fence} FROM engine.checkpoints ${ofBuild}`,
  ];
  const { rows } = await database.pool.query<{ line: string }>(
    `SELECT s::text AS line FROM (${sources.join(" UNION ALL ")}) AS s ORDER BY 1`,
  );
  return rows.map(({ line }) => line);
}

const ended = async (child: Child<NotesReport>, seconds: number): Promise<number | null> => {
  const overdue = setTimeout(() => child.signal("SIGKILL"), seconds * 1000);
  return child.ended.finally(() => clearTimeout(overdue));
};

const isClaim = ({ text }: Statement) => text.startsWith("UPDATE engine.checkpoints SET epoch");

interface Scenario {
  readonly statements: number;
  readonly writes: number;
  /** The statement before which the child was frozen; undefined when it came to its end before. */
  readonly held: Statement | undefined;
}

/**
 * A child's lane is frozen just before the statement that `at` names (by its number, and by that among the writes)
 * reaches the server, another owner goes to the end of the log, then the child goes on, and the statement arrives.
 */
async function freezeBefore(
  at: (count: number, write: number | undefined, statement: Statement) => boolean,
  successor: "finishes" | "has only come" = "finishes",
): Promise<Scenario> {
  const bench = await ProjectionBench.create(notes, database.pool, { beside: true });
  const events = [...mixed(14, 3), note(8, "park"), ...mixed(14, 3), note(9, "throw"), note(8, "set")];
  bench.append(published(events.map((event) => ({ ...event, source: { topic, partition: 0, offset: 0 } }))));
  let statements = 0;
  let writes = 0;
  let claims = 0;
  let held: Statement | undefined;
  /** It was frozen before it had the lane: whoever comes meanwhile, it takes the lane over after that. */
  let isOpening = false;
  let hold: () => void = () => {};
  let release: (treatment: Treatment) => void = () => {};
  const holding = new Promise<void>((resolve) => {
    hold = resolve;
  });
  const proxy: PostgresProxy = await startPostgresProxy({
    databaseUrl: database.url,
    statement(statement) {
      statements += 1;
      const isWrite = statement.name.startsWith("write_");
      if (isWrite) writes += 1;
      if (isClaim(statement)) claims += 1;
      if (!held && at(statements, isWrite ? writes : undefined, statement)) {
        held = statement;
        isOpening = claims === 0 || (claims === 1 && isClaim(statement));
        hold();
        return new Promise<Treatment>((resolve) => {
          release = resolve;
        });
      }
      // So that the statements of an owner in doubt are among those before which it is frozen.
      if (isWrite && writes % 4 === 2) return { kind: "lose reply" };
      return passed;
    },
  });
  const task = {
    kind: "lane",
    directUrl: database.url,
    databaseUrl: proxy.url,
    inputs: bench.inputs,
    batch: 4,
  } as const;
  const child = startChild<NotesTask, NotesReport>("notes-process", task);
  try {
    const first = await Promise.race([holding, child.ended]);
    if (first !== undefined) {
      expect(first, child.errors()).toBe(0);
      return { statements, writes, held: undefined };
    }
    await child.freeze();
    const mine = held as unknown as Statement;
    const finishes = successor === "finishes" || isOpening;
    if (finishes) await bench.run({ batch: 50 });
    else await bench.lane(topic, 0).open();
    if (finishes) await expectPure(bench, bench.inputs);
    const before = await dump(bench, !isOpening);
    child.thaw();
    release(passed);
    const code = await ended(child, 20);
    // What opens takes the lane over when it goes on: it has the lane then, at the end of the log, and writes nothing.
    const expected = isOpening ? { code: 0, told: false } : { code: 75, told: true };
    const told = child.reports.some(({ messages }) =>
      messages.includes("another process has taken over this partition; nothing of the batch was written"),
    );
    expect({ code, told }, `${mine.name || mine.text} ${child.errors()}`).toEqual(expected);
    expect(await dump(bench, !isOpening), mine.name || mine.text).toEqual(before);
    if (!finishes) await bench.run({ batch: 50 });
    await expectPure(bench, bench.inputs);
    return { statements, writes, held: mine };
  } finally {
    child.signal("SIGKILL");
    await proxy.close();
  }
}

describe("a zombie", () => {
  it("writes nothing, before whichever of its statements it was frozen", async () => {
    const { statements, writes } = await freezeBefore(() => false);
    const roll = dice(firstSeed());
    const nth = (wanted: number) => (count: number) => count === wanted;
    const nthWrite = (wanted: number) => (_: number, write: number | undefined) => write === wanted;
    const every = Array.from({ length: 2 * statements }, (_, index) => nth(1 + Math.floor(index / 2)));
    // Of an owner in doubt: it may not take the lane from whoever came meanwhile.
    let claims = 0;
    const inDoubt = (_: number, __: number | undefined, statement: Statement) => isClaim(statement) && ++claims === 2;
    const sample = [
      nth(1),
      inDoubt,
      nthWrite(1 + roll(writes)),
      nthWrite(1 + roll(writes)),
      nth(2 + roll(statements - 1)),
    ];
    const faults = { "frozen before a write": 0, "frozen before another statement": 0 };
    let [events, turn] = [0, 0];
    for (const at of chaosSize(0, 1) === 1 ? every : sample) {
      turn += 1;
      const { held } = await freezeBefore(at, turn % 2 ? "finishes" : "has only come");
      if (!held) continue;
      faults[held.name.startsWith("write_") ? "frozen before a write" : "frozen before another statement"] += 1;
      events += 31;
    }
    recordChaos({
      guarantee: "A zombie writes nothing",
      spec: "engine/projector/zombie.int.spec.ts",
      seeds: chaosSize(1, 0),
      kills: 0,
      faults,
      events,
      violations: 0,
    });
  }, 600_000);
});
