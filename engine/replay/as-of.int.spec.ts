import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { differencesOf } from "../audit/as-of-diff.js";
import { signAsOf } from "../audit/as-of-manifest.js";
import { asOfRows } from "../audit/as-of-rows.js";
import { notaryKey } from "../audit/checkpoint.js";
import { type ExplainedDifference, explained } from "../audit/diff-events.js";
import { notAppliedIn } from "../audit/held-back.js";
import { checkFile } from "../audit/verifier/check.js";
import { standaloneCodec } from "../log/codec.js";
import type { Log } from "../log/log.js";
import { type OwnTopics, ownTopics } from "../log/own-topics.js";
import { journalTopic } from "../log/schemas.js";
import { createBuild, ensureBuild, listBuilds } from "../projector/build.js";
import { type Decision, Decisions } from "../projector/decisions.js";
import type { FoldInput } from "../projector/fold.js";
import { PureFold } from "../projector/pure.js";
import { requestDecisions } from "../projector/requests.js";
import { createLogger } from "../service/logger.js";
import { closedOpener, sealedOpener } from "../service/sealed-opener.js";
import { openPool, type Pool } from "../store/pool.js";
import { type FreshDatabase, freshDatabase } from "../testing/database.js";
import { derivedNotes, namedNotes, notes, topic } from "../testing/notes.js";
import { memoryDecisions } from "../testing/projection-bench.js";
import {
  backDated,
  type PlayedUnits,
  placeOfUnit,
  playUnits,
  timeOfUnit,
  units,
  unitsDecoder,
} from "../testing/units.js";
import { type AsOf, type AsOfOptions, buildAsOf, dropAsOf, listAsOfs, showAsOf } from "./as-of.js";

type Place = FoldInput["source"];
const codec = standaloneCodec();
const key = notaryKey("11".repeat(32));
const consumer = { name: "notes", project: [notes] };
let own: OwnTopics;
let database: FreshDatabase;
let other: FreshDatabase;
let inputs: PlayedUnits["inputs"];
let decided: readonly Decision[];

const published = (pool: Pool) =>
  pool.query(
    `INSERT INTO engine.publisher_checkpoints (journal, partition, next_offset, epoch, owner, last_recorded_at)
     SELECT $1, p, $2, 1, 'spec', 0 FROM generate_series(0, 1) p`,
    [inputs[0]?.position.journal, 1 + units / 2],
  );

beforeAll(async () => {
  [own, database, other] = await Promise.all([ownTopics(), freshDatabase(), freshDatabase()]);
  await own.create(journalTopic, 2, { "message.timestamp.type": "LogAppendTime" });
  await own.create(topic, 3);
  ({ inputs, decided } = await playUnits(own.log));
  for (const { pool } of [database, other]) {
    await ensureBuild(pool, derivedNotes, "notes");
    await published(pool);
  }
});

afterAll(async () => {
  await own?.dispose();
  await Promise.all([database?.drop(), other?.drop()]);
});

const recordedAtOf = (unit: number) =>
  inputs.find(
    ({ position }) =>
      position.offset === placeOfUnit(unit).offset && position.partition === placeOfUnit(unit).partition,
  )?.position.recordedAt as number;

async function made(at: number, options: Partial<AsOfOptions> & { readonly in?: FreshDatabase } = {}) {
  const { pool } = options.in ?? database;
  const asOf = await buildAsOf({
    consumer,
    projection: derivedNotes,
    log: own.log,
    pool,
    decoder: unitsDecoder,
    opener: closedOpener,
    logger: createLogger("spec", "silent"),
    decisionLog: memoryDecisions([...decided]),
    at,
    clockSkew: 0,
    ...options,
  });
  left.push({ pool, asOf });
  return { asOf, manifest: await signAsOf(pool, asOf, key, "1.0.0") };
}

const left: { readonly pool: Pool; readonly asOf: AsOf }[] = [];
afterEach(async () => {
  for (const { pool, asOf } of left.splice(0)) await dropAsOf(pool, asOf);
});

const isGarbage = (input: FoldInput) => (input as { readonly undecodable?: unknown }).undecodable === true;

/** What a plain fold of the events makes, in the log's order. */
function foldOf(taken: (input: FoldInput) => boolean): PureFold {
  const decisionAt = (_: string, partition: number, offset: number) =>
    decided.some((one) => one.partition === partition && one.offset === offset) ? ("skip" as const) : undefined;
  const pure = new PureFold(derivedNotes, { decisions: { decisionAt } });
  const why = { code: "TRIB_PROJECT_EVENT_UNDECODABLE" as const, reason: "" };
  for (const input of inputs) {
    if (!taken(input)) continue;
    const { undecodable: _, ...given } = input as FoldInput & { readonly undecodable?: unknown };
    pure.apply(isGarbage(input) ? { ...given, undecodable: why } : given);
  }
  return pure;
}

const rowsOf = async (pool: Pool, asOf: AsOf, view: string, columns: string) =>
  (
    await pool.query<{ row: string }>(`SELECT ROW(${columns})::text AS row FROM "${asOf.schema}".${view} ORDER BY 1`)
  ).rows
    .map(({ row }) => row)
    .sort();

async function expectFold(asOf: AsOf, pure: PureFold): Promise<void> {
  const notesRows = pure.rows("notes").map(({ row }) => `(${row.visit_id},"${row.note}",${row.times})`);
  expect(await rowsOf(database.pool, asOf, "notes", "visit_id, note, times")).toEqual(notesRows.sort());
  const history = pure.rows("history").map(({ row }) => `(${row.visit_id},${row.act})`);
  expect(await rowsOf(database.pool, asOf, "history", "visit_id, act")).toEqual(history.sort());
  const acts = pure.rows("acts").map(({ row }) => `(${row.act},${row.events})`);
  expect(await rowsOf(database.pool, asOf, "acts", "act, events")).toEqual(acts.sort());
  expect(asOf.parkedKeys).toBe(pure.parked.length);
}

/** The log, read a few records at a time. */
const inStretches = (records: number): Log => ({
  ...own.log,
  async *read(name, partition, from, to) {
    for await (const batch of own.log.read(name, partition, from, to)) {
      for (let index = 0; index < batch.length; index += records) yield batch.slice(index, index + records);
    }
  },
});

describe("an as-of on Kafka and Postgres", () => {
  it("holds exactly the units recorded up to its moment, each whole, with the keys parked by then", async () => {
    for (const unit of [19, 37]) {
      const at = recordedAtOf(unit);
      const { asOf } = await made(at);
      const pure = foldOf(({ position }) => position.recordedAt <= at);
      await expectFold(asOf, pure);
      expect(await rowsOf(database.pool, asOf, "noted", "visits")).toEqual([`(${pure.rows("notes").length})`]);
      const known = new Set(
        inputs.filter(({ position }) => position.recordedAt <= at).map(({ position }) => position.partition),
      );
      for (const partition of known) {
        const last = inputs.filter(({ position }) => position.partition === partition && position.recordedAt <= at);
        expect(asOf.vector.offsets.get(partition)).toBe(1 + Math.max(...last.map(({ position }) => position.offset)));
      }
      // One millisecond earlier the unit is not known at all.
      const before = await made(at - 1);
      await expectFold(
        before.asOf,
        foldOf(({ position }) => position.recordedAt < at),
      );
    }
  });

  it("gives the same hashes again, in another database, with partitions in another order, and without memory", async () => {
    const at = recordedAtOf(45);
    const parked = foldOf(({ position }) => position.recordedAt <= at).parked.map(({ key }) => key);
    const isParked = (name: string) => parked.includes(name);
    const { manifest } = await made(at);
    expect(manifest.parkedKeys).toBeGreaterThan(1);
    const reversed: Log = {
      ...own.log,
      watermarks: async (name) => [...(await own.log.watermarks(name))].reverse(),
    };
    const others = [
      await made(at),
      await made(at, { in: other }),
      await made(at, { log: reversed, connections: 1 }),
      await made(at, { memoryBytes: 1 }),
    ];
    // What an operator asks for meanwhile is not decided yet.
    const asked = inputs.findLast(({ position, key }) => position.recordedAt <= at && !isParked(key))?.source as Place;
    await requestDecisions(database.pool, {
      projection: "notes",
      action: "skip",
      places: [asked],
      reason: "r",
      by: "spec",
    });
    others.push(
      // Most of what counts is left to the lanes then, whose log ends in events that don't.
      await made(at, { memoryBytes: 1, log: inStretches(7) }),
    );
    const { rows: requests } = await database.pool.query("SELECT build, state FROM engine.lane_requests");
    expect(requests).toEqual([{ build: 1, state: "requested" }]);
    for (const { manifest: again } of others) {
      expect(again.tables).toEqual(manifest.tables);
      expect([again.offsets, again.parkedKeys, again.schemaIds]).toEqual([
        manifest.offsets,
        manifest.parkedKeys,
        manifest.schemaIds,
      ]);
    }
    expect(Object.keys(manifest.tables).sort()).toEqual([
      "acts",
      "history",
      "note_lines",
      "note_lines_history",
      "noted",
      "notes",
      "notes_history",
    ]);
    expect((await made(recordedAtOf(59))).manifest.tables).not.toEqual(manifest.tables);
  });

  it("leaves out what had not happened by the effective moment, and finds what was told of it later", async () => {
    const at = recordedAtOf(59);
    const effectiveAt = timeOfUnit(10);
    const { asOf } = await made(at, { effectiveAt });
    // When an event happened that nobody can read is not known: it counts.
    const happened = (input: FoldInput) =>
      isGarbage(input) || (input.event as { meta: { time: number } }).meta.time <= effectiveAt;
    await expectFold(asOf, foldOf(happened));
    const told = async (one: AsOf) =>
      (await rowsOf(database.pool, one, "notes", "note")).filter((note) => note.includes(`unit ${backDated}`)).length;
    expect(await told(asOf)).toBeGreaterThan(0);
    // Known before the correction came, it is not there, though it had happened.
    const earlier = await made(recordedAtOf(31), { effectiveAt });
    expect(await told(earlier.asOf)).toBe(0);
  });

  it("differs from another in rows that are told with the events that changed them", async () => {
    const [from, to] = [recordedAtOf(25), recordedAtOf(48)];
    const [before, after] = [(await made(from)).asOf, (await made(to)).asOf];
    const decisions = new Decisions(memoryDecisions([...decided]), "notes");
    await decisions.load();
    const found = await differencesOf(database.pool, derivedNotes, before, after, 100);
    const vectors = { from: before.vector, to: after.vector };
    const parts = { log: own.log, decoder: unitsDecoder, opener: closedOpener, decisions, opens: false };
    const known = await notAppliedIn(database.pool, after);
    const told = await explained({ projection: derivedNotes, ...parts, ...vectors, ...known }, found);

    const rowsAt = (at: number) =>
      new Map(
        foldOf(({ position }) => position.recordedAt <= at)
          .rows("notes")
          .map(({ row, source }) => [String(row.visit_id), { row, source }]),
      );
    const [first, second] = [rowsAt(from), rowsAt(to)];
    const keys = [...new Set([...first.keys(), ...second.keys()])].filter(
      (visit) => JSON.stringify(first.get(visit)?.row) !== JSON.stringify(second.get(visit)?.row),
    );
    expect(told.notes?.rows.map((row) => row.key.visit_id)).toEqual(keys.sort());
    expect(new Set(told.notes?.rows.map(({ change }) => change)).size).toBeGreaterThan(1);
    let named = 0;
    for (const { key: row, change, columns, events } of told.notes?.rows ?? []) {
      const visit = String(row.visit_id);
      const notesOf = [first.get(visit)?.row.note ?? null, second.get(visit)?.row.note ?? null];
      expect(columns.note).toEqual(notesOf[0] === notesOf[1] ? undefined : notesOf);
      for (const { recordedAt } of events) {
        expect(recordedAt).toBeGreaterThan(from);
        expect(recordedAt).toBeLessThanOrEqual(to);
      }
      const last = second.get(visit)?.source;
      // What was known before may stand behind it in the log: another feed's, published later.
      if (change === "removed" || (last?.recordedAt ?? 0) <= from) continue;
      expect(events.at(-1)?.place).toBe(`${topic}/${last?.partition}/${last?.offset}`);
      named++;
    }
    expect(named).toBeGreaterThan(3);
    // A key of which an operator left out what nobody can decode is told of like the others.
    const early = (await made(recordedAtOf(30))).asOf;
    const rows = await differencesOf(database.pool, derivedNotes, before, early, 100);
    const later = { from: before.vector, to: early.vector, ...(await notAppliedIn(database.pool, early)) };
    const more = await explained({ projection: derivedNotes, ...parts, ...later }, rows);
    const [skipped] = decided as [Decision];
    const leftOut = inputs.find(
      ({ source }) => source.partition === skipped.partition && source.offset === skipped.offset,
    );
    const rowsTold: readonly ExplainedDifference[] = more.notes?.rows ?? [];
    const row = rowsTold.find(({ key: name }) => name.visit_id === leftOut?.key);
    expect(row?.events.map(({ recordedAt }) => recordedAt > from)).toEqual([true]);
  });

  it("tells the rows about one entity in UTC, whatever the server's zone", async () => {
    const { asOf } = await made(recordedAtOf(30), { in: other });
    await other.pool.query(`ALTER DATABASE "${new URL(other.url).pathname.slice(1)}" SET TimeZone = 'Asia/Tokyo'`);
    const pool = openPool(other.url, { applicationName: "spec", max: 1 });
    const { rows } = await pool.query<{ id: string }>(`SELECT visit_id AS id FROM "${asOf.schema}".notes LIMIT 1`);
    const told = await asOfRows(pool, asOf, "visit", rows[0]?.id ?? "", false);
    await pool.end();
    expect(told.notes?.[0]).toMatch(/"recorded_at":"[^"]+\+00:00"/);
  });

  it("signs what it is made of", async () => {
    const { asOf, manifest } = await made(recordedAtOf(10));
    const verdict = async (of: object, by = key) =>
      (await checkFile(Buffer.from(JSON.stringify(of)), by.publicKey.toString("hex"))).lines[0];
    expect(await verdict(manifest)).toMatch(/^YES: this state of a read model is as it was signed/);
    expect(await verdict({ schema: asOf.schema, manifest })).toMatch(/^YES/);
    expect(await verdict({ ...manifest, at: "2026-01-01T00:00:00.000Z" })).toMatch(/^NO: this state/);
    expect(await verdict(manifest, notaryKey("22".repeat(32)))).toMatch(/^NO: this state/);
  });

  it("claims an epoch, and hashes of what identifies a person, only where that was opened", async () => {
    const at = recordedAtOf(10);
    const { manifest: sealed } = await made(at, { projection: namedNotes, opener: closedOpener });
    const opener = sealedOpener(database.pool, "ab".repeat(32), codec);
    const { manifest: opened } = await made(at, { projection: namedNotes, opener }).finally(() => opener.close());
    const hash = expect.stringMatching(/^[0-9a-f]{64}$/);
    expect([sealed.vaultEpoch, sealed.tables.notes]).toEqual([
      null,
      { rows: expect.any(Number), sha256: hash, restrictedSha256: null },
    ]);
    expect([opened.vaultEpoch, opened.tables.notes]).toEqual([0, { ...sealed.tables.notes, restrictedSha256: hash }]);
  });

  it("is for its readers once it is shown, is no build of the projection, and can be dropped", async () => {
    const before = await listBuilds(database.pool);
    const { asOf, manifest } = await made(recordedAtOf(10));
    const client = await database.pool.connect();
    const asAuditor = async (columns = "*", { schema } = asOf) => {
      await client.query("BEGIN; SET LOCAL ROLE tributary_auditor");
      try {
        return (await client.query(`SELECT ${columns} FROM "${schema}".notes`)).rows.length;
      } finally {
        await client.query("ROLLBACK");
      }
    };
    try {
      await expect(asAuditor()).rejects.toThrow(/permission denied/);
      await showAsOf(database.pool, asOf, manifest, "spec");
      expect(await asAuditor()).toBeGreaterThan(0);
      // What identifies a person is for those who may read it in the live schema.
      const opener = sealedOpener(database.pool, "ab".repeat(32), codec);
      const opened = await made(recordedAtOf(10), { projection: namedNotes, opener }).finally(() => opener.close());
      await showAsOf(database.pool, opened.asOf, opened.manifest, "spec");
      expect(await asAuditor("note", opened.asOf)).toBeGreaterThan(0);
      await expect(asAuditor("name", opened.asOf)).rejects.toThrow(/permission denied/);
      await dropAsOf(database.pool, opened.asOf);
    } finally {
      client.release();
    }
    expect(await listBuilds(database.pool)).toEqual(before);
    expect((await listAsOfs(database.pool)).map(({ schema }) => schema)).toEqual([asOf.schema]);
    const comment = await database.pool.query("SELECT obj_description($1::regclass) AS text", [
      `"${asOf.schema}".notes`,
    ]);
    expect(comment.rows).toEqual([{ text: "The last note." }]);
    await dropAsOf(database.pool, asOf);
    expect(await listAsOfs(database.pool)).toEqual([]);
    const left = await database.pool.query("SELECT FROM pg_namespace WHERE nspname LIKE $1", [`%\\_${asOf.build}`]);
    expect(left.rows).toEqual([]);
  });

  it("clears away what a process left that was killed over it", async () => {
    await createBuild(database.pool, derivedNotes, "notes", "as-of");
    await createBuild(database.pool, derivedNotes, "notes", "as-of");
    const { asOf } = await made(recordedAtOf(10));
    const there = async () =>
      (await database.pool.query("SELECT build FROM engine.builds WHERE feed = 'as-of'")).rows.map(
        ({ build }) => build,
      );
    expect(await there()).toEqual([asOf.build]);
    // Or over dropping it, while a reader held it up.
    const reader = await database.pool.connect();
    try {
      await reader.query(`BEGIN; SELECT FROM "${asOf.schema}".notes`);
      const dropping = dropAsOf(database.pool, asOf);
      await expect
        .poll(
          async () => (await database.pool.query("SELECT FROM engine.checkpoints WHERE owner = 'dropped'")).rowCount,
        )
        .toBeGreaterThan(0);
      expect(await there()).toEqual([asOf.build]);
      await reader.query("COMMIT");
      await dropping;
    } finally {
      reader.release();
    }
    expect(await there()).toEqual([]);
  });

  it("refuses a moment of which more may come, and waits for what is not published", async () => {
    await expect(made(Date.now(), { clockSkew: 1000 })).rejects.toMatchObject({ code: "TRIB_REPLAY_AS_OF_TOO_YOUNG" });
    await other.pool.query("UPDATE engine.publisher_checkpoints SET next_offset = 3 WHERE partition = 1");
    const waiting = made(recordedAtOf(59), { in: other, publishTimeout: 50 });
    await expect(waiting).rejects.toMatchObject({ code: "TRIB_REPLAY_UNPUBLISHED" });
    const fine = await made(recordedAtOf(3), { in: other, publishTimeout: 50 });
    expect(fine.asOf.vector.offsets.get(1)).toBeLessThanOrEqual(3);
  });
});
