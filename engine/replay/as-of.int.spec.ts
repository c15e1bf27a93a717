import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { differencesOf } from "../audit/as-of-diff.js";
import { isSignedAsOf, signAsOf } from "../audit/as-of-manifest.js";
import { notaryKey } from "../audit/checkpoint.js";
import { explained } from "../audit/diff-events.js";
import { standaloneCodec } from "../log/codec.js";
import { openJournal } from "../log/genesis.js";
import type { Log } from "../log/log.js";
import { type OwnTopics, ownTopics } from "../log/own-topics.js";
import { formatPosition, positionHeader } from "../log/position.js";
import { journalTopic } from "../log/schemas.js";
import { createBuild, ensureBuild, listBuilds } from "../projector/build.js";
import { type Decision, Decisions } from "../projector/decisions.js";
import type { FoldInput } from "../projector/fold.js";
import type { Decoder } from "../projector/ports.js";
import { PureFold } from "../projector/pure.js";
import { createLogger } from "../service/logger.js";
import { closedOpener, sealedOpener } from "../service/sealed-opener.js";
import type { Pool } from "../store/pool.js";
import { type FreshDatabase, freshDatabase } from "../testing/database.js";
import { recorded } from "../testing/events.js";
import { derivedNotes, keyOf, type Note, namedNotes, notes, topic } from "../testing/notes.js";
import { memoryDecisions } from "../testing/projection-bench.js";
import { type AsOf, type AsOfOptions, buildAsOf, dropAsOf, listAsOfs, showAsOf } from "./as-of.js";

const codec = standaloneCodec();
const decoder: Decoder = { decodeEvent: (value) => codec.decodeEvent(value), learn: async () => {} };
const key = notaryKey("11".repeat(32));
const consumer = { name: "notes", project: [notes] };
const units = 60;
const eventsPerUnit = 4;
/** Units of which each stretch is recorded a little after the one before. */
const stretch = 20;
const hour = 3_600_000;
const firstTime = Date.UTC(2026, 0, 1);
/** Its events say that they happened long before those that came before them. */
const backDated = 33;
const timeOf = (unit: number) => firstTime + (unit === backDated ? -hour : unit * hour);

let own: OwnTopics;
let database: FreshDatabase;
let other: FreshDatabase;
let inputs: readonly FoldInput[];
/** The first event that nobody can decode. */
let garbage: FoldInput;
let decided: Decision[];

const place = (unit: number) => ({ partition: unit % 2, offset: 1 + Math.floor(unit / 2) });

function actOf(unit: number, index: number): Note["act"] {
  if (unit >= 30 && index === 3) return "park";
  return (["set", "line", "set", "delete"] as const)[(unit + index) % 4] as Note["act"];
}

/** Units of two feeds in the journal, and their events as a publisher sends them: a stretch of each feed in turn, twice. */
async function play(): Promise<void> {
  const journal = await openJournal(own.log, codec);
  const producer = await own.log.producer();
  for (let unit = 0; unit < units; unit++) {
    if (unit % stretch === 0) await new Promise((resolve) => setTimeout(resolve, 60));
    const { partition } = place(unit);
    await producer.append([{ topic: journalTopic, partition, key: `feed-${partition}`, value: Buffer.from([unit]) }]);
  }
  const times = new Map<string, number>();
  for (const { partition, high } of await own.log.watermarks(journalTopic)) {
    let latest = 0;
    for await (const batch of own.log.read(journalTopic, partition, 0, high)) {
      for (const { offset, timestamp } of batch) {
        latest = Math.max(latest, timestamp);
        times.set(`${partition}/${offset}`, latest);
      }
    }
  }
  inputs = recorded(
    Array.from({ length: units * eventsPerUnit }, (_, at) => {
      const unit = Math.floor(at / eventsPerUnit);
      const index = at % eventsPerUnit;
      const note: Note = { act: actOf(unit, index), value: `unit ${unit}` };
      return {
        type: "VisitUpdated" as const,
        key: keyOf((unit * 3 + index * 5) % 17),
        time: timeOf(unit),
        fields: { facility: JSON.stringify(note), authority: "spec" },
      };
    }),
  ).map((input, at) => {
    const { partition, offset } = place(Math.floor(at / eventsPerUnit));
    const recordedAt = times.get(`${partition}/${offset}`) as number;
    return { ...input, position: { journal, partition, offset, index: at % eventsPerUnit, recordedAt } };
  });
  garbage = inputs.find(({ position }) => position.offset === 12 && position.index === 1) as FoldInput;
  const feeds = [0, 1].map((feed) => inputs.filter(({ position }) => position.partition === feed));
  const sent: FoldInput[] = [];
  for (let at = 0; at < inputs.length / 2; at += 30) {
    for (const feed of feeds) sent.push(...feed.slice(at, at + 30));
    for (const feed of feeds) sent.push(...feed.slice(at, at + 30));
  }
  const appended = await producer.append(
    sent.map((input) => ({
      topic,
      partition: Number(input.key.slice(-4)) % 3,
      key: input.key,
      value: input === garbage ? Buffer.from("garbage") : codec.encodeEvent("VisitUpdated", input.event as never),
      headers: { [positionHeader]: formatPosition(input.position) },
    })),
  );
  await producer.close();
  inputs = [...new Set(sent)].map((input) => {
    const { partition, offset } = appended[sent.indexOf(input)] as { partition: number; offset: number };
    return { ...input, undecodable: input === garbage, source: { topic, partition, offset } };
  });
  const skipped = inputs.find(({ position }) => position.offset === 5 && position.index === 0) as FoldInput;
  const rest = { key: null, position: null, eventId: null, eventType: null, projection: "notes" };
  decided = [{ id: "1", action: "skip", actor: "spec", time: 0, reason: "r", ...skipped.source, ...rest }];
}

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
  await play();
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
  inputs.find(({ position }) => position.offset === place(unit).offset && position.partition === place(unit).partition)
    ?.position.recordedAt as number;

async function made(at: number, options: Partial<AsOfOptions> & { readonly in?: FreshDatabase } = {}) {
  const { pool } = options.in ?? database;
  const asOf = await buildAsOf({
    consumer,
    projection: derivedNotes,
    log: own.log,
    pool,
    decoder,
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
    const effectiveAt = timeOf(10);
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
    const parts = { log: own.log, decoder, opener: closedOpener, decisions, opens: false };
    const told = await explained({ projection: derivedNotes, ...parts, ...vectors }, found);

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
  });

  it("signs what it is made of", async () => {
    const { manifest } = await made(recordedAtOf(10));
    expect(isSignedAsOf(manifest, key.publicKey)).toBe(true);
    expect(isSignedAsOf({ ...manifest, at: "2026-01-01T00:00:00.000Z" }, key.publicKey)).toBe(false);
    expect(isSignedAsOf(manifest, notaryKey("22".repeat(32)).publicKey)).toBe(false);
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
    const { rows } = await database.pool.query("SELECT build FROM engine.builds WHERE feed = 'as-of'");
    expect(rows).toEqual([{ build: asOf.build }]);
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
