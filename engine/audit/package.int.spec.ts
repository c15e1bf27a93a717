import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { runInNewContext } from "node:vm";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { standaloneCodec } from "../log/codec.js";
import { formatPosition } from "../log/position.js";
import { rootRecords } from "../log/schemas.js";
import { createLogger } from "../service/logger.js";
import { browserPath, startBrowser } from "../testing/browser.js";
import { type FreshDatabase, freshDatabase } from "../testing/database.js";
import { type MemoryLog, memoryLog } from "../testing/memory-log.js";
import { notaryKey } from "./checkpoint.js";
import { leafHash, provesConsistency, provesInclusion } from "./merkle.js";
import { startNotary } from "./notary.js";
import { signedHeads } from "./notary-store.js";
import { makePackage, zipped } from "./package.js";
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

  it("says no when a byte is changed in any of its files, the archive put together anew around it", async () => {
    const files = openArchive(archive);
    expect(files.size).toBe(12);
    const again = (changed?: string, at = 0) =>
      zipped(
        new Map(
          [...files].map(([name, content]) => {
            const bytes = Buffer.from(content);
            if (name === changed) bytes[at] = (bytes[at] as number) ^ (1 << (at % 8));
            return [name, bytes];
          }),
        ),
      );
    expect(again().equals(archive)).toBe(true);
    const missed: string[] = [];
    for (const [name, { length }] of files) {
      for (const share of [0, 0.37, 0.71, 0.9999]) {
        const at = Math.floor(length * share);
        if ((await checkPackage(again(name, at))).ok) missed.push(`${name} at ${at}`);
      }
    }
    const more = zipped(new Map([...files, ["extra.txt", Buffer.from("x")]]));
    const fewer = zipped(new Map([...files].filter(([name]) => name !== "trail.json")));
    for (const other of [more, fewer]) if ((await checkPackage(other)).ok) missed.push("a file more or less");
    expect(missed).toEqual([]);
  });

  it("says no when a byte between its files is changed: heads, names, the list of files", async () => {
    const contents = [...openArchive(archive).values()].map(({ byteOffset, length }) => ({
      start: byteOffset - archive.byteOffset,
      end: byteOffset - archive.byteOffset + length,
    }));
    const missed: number[] = [];
    let count = 0;
    for (let at = 0; at < archive.length; at += 1) {
      const inside = contents.find(({ start, end }) => at >= start && at < end);
      if (inside) {
        at = inside.end - 1;
        continue;
      }
      count += 1;
      const changed = Buffer.from(archive);
      changed[at] = (changed[at] as number) ^ (1 << (at % 8));
      if ((await checkPackage(changed)).ok) missed.push(at);
    }
    expect(count).toBeGreaterThan(12 * 76);
    expect(missed).toEqual([]);
    expect((await checkPackage(archive.subarray(0, -1))).ok).toBe(false);
    expect((await checkPackage(Buffer.concat([archive, Buffer.from("x")]))).ok).toBe(false);
  });

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

  it("is checked by one page that loads nothing", async () => {
    const page = pageVerifier();
    expect(page).not.toMatch(/\b(src|href)=|https?:|\bimport\b\s*[("{]/);
    expect(page).toContain("default-src 'none'");
    // The page's own script, on the few elements that it has.
    const listeners: (() => void)[] = [];
    const element = {
      value: "",
      textContent: "",
      className: "",
      addEventListener: (_: string, listener: () => void) => listeners.push(listener),
    };
    const elements: Record<string, typeof element & { files?: object[] }> = {
      package: { ...element, files: [{ arrayBuffer: async () => new Uint8Array(archive).buffer }] },
      key: { ...element, value: publicKey },
      verdict: { ...element },
    };
    const script = /<script>\n([\s\S]*)<\/script>/.exec(page)?.[1] ?? "";
    const { crypto, TextDecoder, TextEncoder, atob, btoa } = globalThis;
    const surroundings = {
      document: { getElementById: (id: string) => elements[id] },
      crypto,
      TextDecoder,
      TextEncoder,
      atob,
      btoa,
    };
    runInNewContext(script, { ...surroundings, Uint8Array });
    expect(listeners.length).toBe(2);
    listeners[0]?.();
    await vi.waitFor(() => expect(elements.verdict?.className).toBe("yes"), { timeout: 10_000 });
    expect(elements.verdict?.textContent).toMatch(/^YES: .*\n[\s\S]*the key that you trust\.$/);
  });

  const browser = browserPath();
  it.runIf(browser)("is checked by its own page, opened from the disk in a browser without a network", async () => {
    const kept = (name: string, bytes: Uint8Array) => {
      writeFileSync(join(folder, name), bytes);
      return join(folder, name);
    };
    const page = kept("verify.html", openArchive(archive).get("verify.html")!);
    const good = kept("good.zip", archive);
    const changed = Buffer.from(archive);
    const at = archive.indexOf('"100.67"') + 1;
    changed[at] = "9".charCodeAt(0);
    const bad = kept("bad.zip", changed);
    const running = await startBrowser(browser!);
    try {
      const context = await running.newContext({ offline: true });
      const tab = await context.newPage();
      const asked: string[] = [];
      const complaints: string[] = [];
      tab.on("request", (request) => asked.push(request.url()));
      tab.on("pageerror", (error) => complaints.push(error.message));
      const verdictOn = async (path: string, trusted: string) => {
        await tab.goto(pathToFileURL(page).href);
        await tab.fill("#key", trusted);
        await tab.setInputFiles("#package", path);
        await tab.waitForSelector("#verdict.yes, #verdict.no");
        return (await tab.textContent("#verdict")) ?? "";
      };
      expect(await verdictOn(good, publicKey)).toMatch(
        /^YES: this package is as it was made\.[\s\S]*that you trust\.$/,
      );
      expect(await verdictOn(bad, publicKey)).toMatch(/^NO: [\s\S]*events\.jsonl/);
      expect(await verdictOn(good, notaryKey("aa".repeat(32)).publicKey.toString("hex"))).toMatch(
        /^NO: [\s\S]*another key/,
      );
      expect([complaints, new Set(asked)]).toEqual([[], new Set([pathToFileURL(page).href])]);
    } finally {
      await running.close();
    }
  });
});
