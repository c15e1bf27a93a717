import { mkdtempSync, rmSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { IncomingRecord } from "../log/log.js";
import { Patience } from "../projector/patience.js";
import { TributaryError } from "../service/errors.js";
import { createLogger } from "../service/logger.js";
import { openPool, type Pool } from "../store/pool.js";
import { type FreshDatabase, freshDatabase } from "../testing/database.js";
import { type MemoryLog, memoryLog } from "../testing/memory-log.js";
import { shakyPool } from "../testing/shaky.js";
import { alterations, altered, chanceOf } from "../testing/tampering.js";
import { notaryKey } from "./checkpoint.js";
import { leafHash, provesConsistency, provesInclusion } from "./merkle.js";
import { type NotaryOptions, type RunningNotary, startNotary } from "./notary.js";
import { chainHashes, signedHeads } from "./notary-store.js";
import { consistencyProof, type InclusionProof, inclusionProofs, type SignedTree } from "./proofs.js";
import { chained } from "./record-chain.js";
import { applyNotaryGrants } from "./roles.js";
import { SecondPlace } from "./second-place.js";
import { type VerifyOptions, verifyLog } from "./verify.js";
import { verifyPartition } from "./verify-partition.js";

const key = notaryKey("ab".repeat(32));
const journal = "00000000-0000-4000-8000-000000000001";
const topics = ["health.claim.events", "health.visit.events"];
const logger = createLogger("spec", "silent");
let database: FreshDatabase;
let folder: string;
let log: MemoryLog;
const running: RunningNotary[] = [];

beforeAll(async () => {
  database = await freshDatabase();
});
afterAll(() => database?.drop());
beforeEach(async () => {
  await Promise.all(running.splice(0).map((notary) => notary.close()));
  if (folder) rmSync(folder, { recursive: true, force: true });
  folder = mkdtempSync(join(tmpdir(), "tributary-notary-"));
  await database.pool.query(
    "TRUNCATE engine.notary_chain, engine.notary_checkpoints, engine.notary_lanes, engine.notary_subtrees",
  );
  log = memoryLog({ partitions: 2, batchRecords: 7 });
});
afterAll(() => {
  if (folder) rmSync(folder, { recursive: true, force: true });
});

let written = 0;
async function write(count: number, partition = 0, topic = topics[0] as string): Promise<void> {
  const producer = await log.producer();
  const from = written;
  written += count;
  await producer.append(
    Array.from({ length: count }, (_, index) => ({
      topic,
      partition,
      key: `key ${(from + index) % 5}`,
      value: Buffer.from(`value ${from + index}`),
      headers: { position: `${journal}:0:${from + index}:0:5` },
    })),
  );
}

const failures: Error[] = [];
async function notarize(options: Partial<NotaryOptions> = {}): Promise<RunningNotary> {
  const notary = await startNotary({
    definition: { name: "notary", notarize: { topics } },
    log,
    pool: database.pool,
    journal,
    key,
    second: new SecondPlace(folder),
    logger,
    signMilliseconds: 1,
    onFailure: (error) => failures.push(error),
    ...options,
  });
  running.push(notary);
  return notary;
}

const sizes = async (column: string) =>
  (
    await database.pool.query(`SELECT ${column} AS size FROM engine.notary_lanes WHERE topic = $1 ORDER BY partition`, [
      topics[0],
    ])
  ).rows.map(({ size }) => size);
const untilSigned = (wanted: readonly number[]) =>
  expect.poll(() => sizes("signed_size"), { timeout: 10_000, interval: 5 }).toEqual(wanted);

const verify = (options: Partial<VerifyOptions> = {}) =>
  verifyLog({
    log,
    pool: database.pool,
    second: new SecondPlace(folder),
    journal,
    topics,
    keys: [key.publicKey],
    ...options,
  });

async function* inPieces<Value>(values: readonly Value[]): AsyncIterable<readonly Value[]> {
  for (let at = 0; at < values.length; at += 50) yield values.slice(at, at + 50);
}

/** The log with one partition replaced. */
const withRecords = (partition: number, records: ReturnType<MemoryLog["records"]>): VerifyOptions["log"] => ({
  async watermarks(topic) {
    const marks = await log.watermarks(topic);
    if (topic !== topics[0]) return marks;
    return marks.map((mark) =>
      mark.partition === partition ? { ...mark, high: (records.at(-1)?.offset ?? -1) + 1 } : mark,
    );
  },
  async *read(topic, number, from, to) {
    if (topic === topics[0] && number === partition) yield records;
    else yield* log.read(topic, number, from, to);
  },
});

describe("the notary", () => {
  it("chains and signs every record, in both places, and finds nothing on a log that is as it was", async () => {
    await write(40);
    await write(3, 1);
    await notarize();
    await untilSigned([40, 3]);
    await write(25);
    await untilSigned([65, 3]);
    const { rows } = await database.pool.query(
      "SELECT partition, count(*)::int AS count, max(log_offset) AS last FROM engine.notary_chain GROUP BY partition ORDER BY partition",
    );
    expect(rows).toEqual([
      { partition: 0, count: 65, last: 64 },
      { partition: 1, count: 3, last: 2 },
    ]);
    await Promise.all(running.splice(0).map((notary) => notary.close()));
    const report = await verify({ exportMilliseconds: 0 });
    expect(report).toMatchObject({ ok: true, first: null });
    expect(report.partitions[0]).toMatchObject({ records: 65, chained: 65, signed: 65, witnessed: 65, findings: [] });
    expect(failures).toEqual([]);
  });

  it("signs what came last although nothing follows it", async () => {
    await notarize({ signMilliseconds: 200 });
    await write(10);
    await untilSigned([10, 0]);
    await write(5);
    await untilSigned([15, 0]);
  });

  it("counts what it has not seen yet, and takes no offence", async () => {
    const notary = await notarize();
    await write(10);
    await untilSigned([10, 0]);
    await notary.close();
    await write(4);
    expect((await verify()).partitions[0]).toMatchObject({ records: 14, chained: 10, signed: 10, findings: [] });
  });

  it("finds each of 200 alterations of one record, names the first, and none on the log as it was", async () => {
    await write(101);
    const notary = await notarize({ signRecords: 50, signMilliseconds: 200 });
    await untilSigned([101, 0]);
    await notary.close();
    const place = { journal, topic: topics[0] as string, partition: 0 };
    const { heads: exported, unreadable } = await new SecondPlace(folder).readAll(place);
    const chain: { offset: number; hash: Buffer }[] = [];
    for await (const piece of chainHashes(database.pool, place, 0, 101)) chain.push(...piece);
    const evidence = { place, low: 0, chainedSize: 101, exported, unreadable, exportedBefore: 0 };
    const heads = await signedHeads(database.pool, place);
    const compared = (records: readonly IncomingRecord[]) =>
      verifyPartition({
        ...evidence,
        heads,
        high: (records.at(-1)?.offset ?? -1) + 1,
        records: inPieces(records),
        chain: inPieces(chain),
        trusted: (one) => one.equals(key.publicKey),
      });
    const chance = chanceOf(6962);
    const records = log.records(place.topic, 0);
    const wrong: string[] = [];
    for (let count = 0; count < 200; ) {
      const alteration = alterations[count % alterations.length] as (typeof alterations)[number];
      const tampered = altered(records, alteration, chance);
      if (!tampered) continue;
      count += 1;
      const [first] = (await compared(tampered.records)).findings;
      if (first?.offset !== tampered.first) {
        wrong.push(`${alteration} at ${tampered.first}: ${JSON.stringify(first)}`);
      }
      if (count % 50 === 0) expect((await compared(records)).findings).toEqual([]);
    }
    expect(wrong).toEqual([]);
  });

  it("finds the first record that differs although the database was rewritten to fit", async () => {
    await write(120);
    let notary = await notarize({ signRecords: 50 });
    await untilSigned([120, 0]);
    await notary.close();
    const tampered = altered(log.records(topics[0] as string, 0), "flip a bit of the value", chanceOf(7));
    const { rows } = await database.pool.query("SELECT count(*)::int AS heads FROM engine.notary_checkpoints");
    expect(rows[0].heads).toBeGreaterThan(0);
    // Whoever owns the database and the broker writes a history that fits, with a key of his own.
    await database.pool.query("TRUNCATE engine.notary_chain, engine.notary_checkpoints, engine.notary_lanes");
    const forged = mkdtempSync(join(tmpdir(), "tributary-forged-"));
    const other = memoryLog({ partitions: 2 });
    const producer = await other.producer();
    const times = (tampered?.records ?? []).map(({ timestamp }) => timestamp);
    other.clock = () => times.shift() ?? 0;
    await producer.append(
      (tampered?.records ?? []).map(({ key: name, value, headers }) => ({
        topic: topics[0] as string,
        partition: 0,
        key: name,
        value: value as Buffer,
        headers,
      })),
    );
    notary = await notarize({ log: other, second: new SecondPlace(forged), signRecords: 50, key });
    await untilSigned([120, 0]);
    await notary.close();
    rmSync(forged, { recursive: true });
    const report = await verify({ log: withRecords(0, tampered?.records ?? []) });
    expect(report.first).toMatchObject({ topic: topics[0], offset: tampered?.first, what: "record changed" });
    expect(report.partitions[0]?.findings).toContainEqual(expect.objectContaining({ what: "checkpoint missing" }));
  });

  it("tells a changed hash from a changed record, and a gap in the chain from both", async () => {
    await write(60);
    const notary = await notarize({ signRecords: 20 });
    await untilSigned([60, 0]);
    await notary.close();
    await database.pool.query(
      "UPDATE engine.notary_chain SET hash = sha256(hash) WHERE log_offset = 17 AND partition = 0",
    );
    expect((await verify()).first).toMatchObject({ partition: 0, offset: 17, what: "chain changed" });
    await database.pool.query("DELETE FROM engine.notary_chain WHERE log_offset = 11 AND partition = 0");
    expect((await verify()).first).toMatchObject({ partition: 0, offset: 11, what: "chain missing" });
  });

  it("takes no signature but the notary's, and misses a checkpoint that is gone from the second place", async () => {
    await write(60);
    const notary = await notarize({ signRecords: 20 });
    await untilSigned([60, 0]);
    await notary.close();
    expect((await verify({ keys: [notaryKey("cd".repeat(32)).publicKey] })).first).toMatchObject({
      what: "checkpoint not ours",
    });
    const place = join(folder, journal, topics[0] as string, "0");
    const files = (await readdir(place)).sort();
    expect(files.length).toBeGreaterThan(1);
    rmSync(join(place, files[0] as string));
    expect((await verify({ exportMilliseconds: 0 })).first).toMatchObject({ offset: 0, what: "checkpoint missing" });
  });

  it("says what it did not compare, and misses a topic that is gone from the log and from the second place", async () => {
    await write(60);
    expect(await verify()).toMatchObject({ ok: false, first: null, records: 60, compared: 0 });
    const notary = await notarize({ signRecords: 20 });
    await untilSigned([60, 0]);
    await notary.close();
    expect(await verify()).toMatchObject({ ok: true, records: 60, compared: 60 });
    rmSync(join(folder, journal, topics[0] as string), { recursive: true });
    const gone: VerifyOptions["log"] = {
      async watermarks(topic) {
        throw new TributaryError("TRIB_LOG_TOPIC_MISSING", undefined, { topic });
      },
      read: (...place) => log.read(...place),
    };
    expect((await verify({ log: gone })).first).toMatchObject({ topic: topics[0], offset: 0, what: "record missing" });
  });

  it("stops loudly when the database was set back behind what it has signed", async () => {
    await write(30);
    const notary = await notarize();
    await untilSigned([30, 0]);
    await notary.close();
    await database.pool.query("TRUNCATE engine.notary_chain, engine.notary_checkpoints, engine.notary_lanes");
    failures.length = 0;
    await notarize();
    await expect.poll(() => failures[0], { timeout: 5_000 }).toMatchObject({ code: "TRIB_AUDIT_HISTORY_DIVERGED" });
    expect((await verify()).ok).toBe(false);
  });

  it("writes each hash once through lost replies, refused connections and take-overs", async () => {
    await write(50);
    const chance = chanceOf(5);
    const patience = new Patience({ logger, shortest: 1, longest: 20 });
    await notarize({
      pool: shakyPool(database.pool, () => Math.floor(chance() * 8)),
      batchRecords: 5,
      signRecords: 10,
    });
    await notarize({ batchRecords: 3, signRecords: 10, patience });
    await untilSigned([50, 0]);
    await write(20);
    await untilSigned([70, 0]);
    expect((await verify()).first).toBeNull();
  });

  it("keeps what a proof needs: a long chain is read in small part, and in whole only where that is gone or changed", async () => {
    log = memoryLog({ partitions: 1, batchRecords: 700 });
    const notary = await notarize({ signRecords: 1_000_000 });
    const place = { journal, topic: topics[0] as string, partition: 0 };
    await write(2_100);
    await untilSigned([2_100]);
    await write(6_900);
    await untilSigned([9_000]);
    await notary.close();
    const heads = await signedHeads(database.pool, place);
    const [before, tree] = [heads.find(({ size }) => size === 2_100), heads.at(-1)] as [SignedTree, SignedTree];
    let rows = 0;
    const counting = Object.create(database.pool, {
      query: {
        value: async (text: string, values: unknown[]) => {
          const result = await database.pool.query(text, values);
          rows += result.rows.length;
          return result;
        },
      },
    }) as Pool;
    const offsets = [0, 1_023, 1_024, 5_000, 8_191, 8_999];
    const proofs = () => Promise.all(offsets.map((offset) => inclusionProofs(counting, place, tree, [offset])));
    const grown = () => consistencyProof(counting, place, before, tree);
    const [wanted, consistent] = [await proofs(), await grown()];
    expect(rows).toBeLessThan((offsets.length + 1) * (2 * 1_024 + 20));
    for (const [index, offset] of offsets.entries()) {
      const [proof] = wanted[index] as [InclusionProof];
      const { before: chain, path } = proof;
      const leaf = leafHash(chained(chain, log.records(place.topic, 0)[offset] as IncomingRecord));
      expect(provesInclusion(leaf, offset, tree, path)).toBe(true);
    }
    expect(provesConsistency(before, tree, consistent)).toBe(true);
    // As a version left it that kept nothing of the first ones; then with one that somebody changed.
    for (const change of [
      "DELETE FROM engine.notary_subtrees WHERE first_offset < 4096",
      "UPDATE engine.notary_subtrees SET hash = sha256(hash)",
    ]) {
      await database.pool.query(change);
      expect([await proofs(), await grown()]).toEqual([wanted, consistent]);
    }
  });

  it("may add to its tables, and change nothing there", async () => {
    const role = `spec_${journal.slice(0, 4)}_${Date.now()}`;
    await applyNotaryGrants(database.pool, role, "secret");
    const pool = openPool(database.urlAs(`tributary_${role}`, "secret"), { applicationName: "spec" });
    try {
      await write(12);
      await notarize({ pool });
      await untilSigned([12, 0]);
      for (const statement of [
        "UPDATE engine.notary_chain SET log_offset = 5",
        "DELETE FROM engine.notary_chain",
        "UPDATE engine.notary_checkpoints SET size = 5",
        "UPDATE engine.notary_subtrees SET level = 5",
        "SELECT FROM engine.vault_keys",
      ]) {
        await expect(pool.query(statement), statement).rejects.toThrow("permission denied");
      }
    } finally {
      await Promise.all(running.splice(0).map((notary) => notary.close()));
      await pool.end();
      await database.pool.query(`DROP OWNED BY tributary_${role}; DROP ROLE tributary_${role}`);
    }
  });
});
