import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { standaloneCodec } from "../log/codec.js";
import { formatPosition } from "../log/position.js";
import { rootRecords } from "../log/schemas.js";
import { createLogger } from "../service/logger.js";
import { type FreshDatabase, freshDatabase } from "../testing/database.js";
import { type MemoryLog, memoryLog } from "../testing/memory-log.js";
import { notaryKey } from "./checkpoint.js";
import { leafHash, provesConsistency, provesInclusion } from "./merkle.js";
import { startNotary } from "./notary.js";
import { signedHeads } from "./notary-store.js";
import { makePackage } from "./package.js";
import { consistencyProof, inclusionProofs } from "./proofs.js";
import { type PlacedRecord, readPlaces } from "./read-places.js";
import { chained } from "./record-chain.js";
import { SecondPlace } from "./second-place.js";
import { openArchive } from "./verifier/archive.js";
import { nodeVerifier, pageVerifier } from "./verifier/bundle.js";
import { checkPackage } from "./verifier/check.js";

const key = notaryKey("0f".repeat(32));
const publicKey = key.publicKey.toString("hex");
const journal = "00000000-0000-4000-8000-000000000002";
const topic = "health.claim.events";
const place = { journal, topic, partition: 0 };
const codec = standaloneCodec();
const schemas = [...rootRecords().values()].sort((left, right) => (left.fullName < right.fullName ? -1 : 1));
let database: FreshDatabase;
let folder: string;
let log: MemoryLog;
let archive: Buffer;
let records: PlacedRecord[];

const claim = (index: number) =>
  codec.encodeEvent("ClaimSubmitted", {
    meta: { id: `event ${index}`, source: "clearing", time: Date.UTC(2026, 0, 5), subject: "c1", connector: "x12" },
    payerId: "P",
    frequencyCode: "1",
    billedAmount: 100_50 + index,
    kind: "PROFESSIONAL",
    diagnoses: [{ qualifier: "ABK", code: "J45.909" }],
    contentHash: "h",
    sealed: Buffer.from([1, 2, 3]),
  } as never);

beforeAll(async () => {
  database = await freshDatabase();
  folder = mkdtempSync(join(tmpdir(), "tributary-package-"));
  log = memoryLog({ partitions: 1 });
  const producer = await log.producer();
  await producer.append(
    Array.from({ length: 37 }, (_, index) => ({
      topic,
      partition: 0,
      key: `claim ${index % 3}`,
      value: claim(index),
      headers: { position: formatPosition({ journal, partition: 0, offset: index, index: 0, recordedAt: 5 }) },
    })),
  );
  const notary = await startNotary({
    definition: { name: "notary", notarize: { topics: [topic] } },
    log,
    pool: database.pool,
    journal,
    key,
    second: new SecondPlace(folder),
    logger: createLogger("spec", "silent"),
    signMilliseconds: 10,
    batchRecords: 10,
    signRecords: 10,
    onFailure: () => {},
  });
  await vi.waitFor(async () => expect((await signedHeads(database.pool, place)).at(-1)?.size).toBe(37), {
    timeout: 20_000,
  });
  await notary.close();
  records = await readPlaces(
    log,
    [3, 4, 17, 36].map((offset) => ({ topic, partition: 0, offset })),
  );
  archive = await makePackage(
    { pool: database.pool, journal, key, schemaOf: async (id) => schemas[id - 1]?.schema ?? {} },
    {
      subject: { kind: "claim", id: "c1" },
      records,
      files: new Map([
        ["trail.json", Buffer.from("{}\n")],
        ["units/0-3.bin", Buffer.from("ISA*00*")],
      ]),
      madeBy: "auditor",
      madeAt: Date.UTC(2026, 5, 1),
      reason: null,
      recipient: null,
    },
  );
});
afterAll(async () => {
  await database?.drop();
  if (folder) rmSync(folder, { recursive: true, force: true });
});

describe("proofs", () => {
  it("lead from a record to every signed tree that has it, and from each signed tree to the next", async () => {
    const heads = await signedHeads(database.pool, place);
    expect(heads.length).toBeGreaterThan(2);
    for (const head of heads) {
      const offsets = Array.from({ length: head.size }, (_, offset) => offset);
      for (const { offset, before, path } of await inclusionProofs(database.pool, place, head.size, offsets)) {
        const leaf = leafHash(chained(before, log.records(topic, 0)[offset]!));
        expect(provesInclusion(leaf, offset, head, path)).toBe(true);
        const other = leafHash(chained(before, log.records(topic, 0)[(offset + 1) % 37]!));
        expect(provesInclusion(other, offset, head, path)).toBe(false);
      }
    }
    for (const [index, head] of heads.slice(1).entries()) {
      const before = heads[index]!;
      const path = await consistencyProof(database.pool, place, before.size, head.size);
      expect(provesConsistency(before, head, path)).toBe(true);
      expect(provesConsistency({ ...before, root: head.root }, head, path)).toBe(false);
    }
  });
});

describe("a package", () => {
  it("says yes, in plain words, and shows what the bytes say", async () => {
    const verdict = await checkPackage(archive, publicKey);
    expect(verdict.lines.join("\n")).toMatch(/^YES: this package is as it was made\./);
    expect(verdict.ok).toBe(true);
    const events = Buffer.from(openArchive(archive).get("events.jsonl")!)
      .toString()
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(events[2]).toMatchObject({
      topic,
      offset: 17,
      key: "claim 2",
      record: "health.claim.ClaimSubmitted",
      content: { billedAmount: "100.67", payerId: "P", meta: { time: "2026-01-05T00:00:00.000Z" }, sealed: "AQID" },
    });
  });

  it("is made the same twice", async () => {
    const again = await makePackage(
      { pool: database.pool, journal, key, schemaOf: async (id) => schemas[id - 1]?.schema ?? {} },
      {
        subject: { kind: "claim", id: "c1" },
        records,
        files: new Map([
          ["trail.json", Buffer.from("{}\n")],
          ["units/0-3.bin", Buffer.from("ISA*00*")],
        ]),
        madeBy: "auditor",
        madeAt: Date.UTC(2026, 5, 1),
        reason: null,
        recipient: null,
      },
    );
    expect(again.equals(archive)).toBe(true);
  });

  it("says no when a byte is changed in any of its files, or anywhere between them", async () => {
    const files = openArchive(archive);
    expect(files.size).toBe(12);
    const places: { readonly what: string; readonly at: number }[] = [];
    for (const [name, content] of files) {
      const start = content.byteOffset - archive.byteOffset;
      for (const share of [0, 0.37, 0.999]) places.push({ what: name, at: start + Math.floor(content.length * share) });
    }
    // Heads, names and the list of files: every byte of the first and the last hundred, and a sample between.
    for (let at = 0; at < 100; at += 1) places.push({ what: "the beginning", at });
    for (let at = archive.length - 100; at < archive.length; at += 1) places.push({ what: "the end", at });
    const missed: string[] = [];
    for (const { what, at } of places) {
      const changed = Buffer.from(archive);
      changed[at] = (changed[at] as number) ^ (1 << (at % 8));
      if ((await checkPackage(changed)).ok) missed.push(`${what} at ${at}`);
    }
    expect(missed).toEqual([]);
    expect((await checkPackage(archive.subarray(0, -1))).ok).toBe(false);
    expect((await checkPackage(Buffer.concat([archive, Buffer.from("x")]))).ok).toBe(false);
  }, 60_000);

  it("says no to a key that is not the one trusted, and to records that stand elsewhere in the log", async () => {
    const other = notaryKey("aa".repeat(32)).publicKey.toString("hex");
    expect((await checkPackage(archive, other)).lines[1]).toMatch(/another key/);
    const moved = records.map((record) => ({
      ...record,
      record: { ...record.record, exact: undefined, offset: record.offset === 17 ? 16 : record.offset },
    }));
    const false_ = await makePackage(
      { pool: database.pool, journal, key, schemaOf: async (id) => schemas[id - 1]?.schema ?? {} },
      {
        subject: { kind: "claim", id: "c1" },
        records: moved as unknown as PlacedRecord[],
        files: new Map(),
        madeBy: "forger with the key",
        madeAt: 0,
        reason: null,
        recipient: null,
      },
    );
    expect((await checkPackage(false_)).lines[1]).toMatch(/offset 16 is not in the log that was signed/);
  });

  it("is checked by one file in Node that needs nothing else", () => {
    const path = join(folder, "package.zip");
    const verifier = join(folder, "verify.mjs");
    writeFileSync(path, archive);
    writeFileSync(verifier, nodeVerifier());
    const run = (...parameters: string[]) =>
      spawnSync(process.execPath, [verifier, ...parameters], { cwd: folder, encoding: "utf8" });
    expect(run(path, publicKey)).toMatchObject({ status: 0, stdout: expect.stringMatching(/^YES/) });
    const changed = Buffer.from(archive);
    changed[500] = (changed[500] as number) ^ 1;
    writeFileSync(path, changed);
    expect(run(path)).toMatchObject({ status: 1, stdout: expect.stringMatching(/^NO/) });
    expect(run()).toMatchObject({ status: 64 });
  });

  it("is checked by one page that loads nothing", () => {
    const page = pageVerifier();
    expect(page).not.toMatch(/\b(src|href)=|https?:|\bimport\b\s*[("{]/);
    expect(page).toContain("default-src 'none'");
  });
});
