import { spawnSync } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { runInNewContext } from "node:vm";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { browserPath, startBrowser } from "../testing/browser.js";
import { type MadePackage, madeBy, packageInTheMaking, stray, undecodable } from "../testing/made-package.js";
import { notaryKey } from "./checkpoint.js";
import { leafHash, provesConsistency, provesInclusion } from "./merkle.js";
import { signedHeads } from "./notary-store.js";
import { zipped } from "./package.js";
import { consistencyProofFile, contradictionOutside, headOver, inclusionProofFile } from "./proof-files.js";
import { consistencyProof, inclusionProofs } from "./proofs.js";
import type { PlacedRecord } from "./read-places.js";
import { chained } from "./record-chain.js";
import { readHead, SecondPlace } from "./second-place.js";
import { openArchive } from "./verifier/archive.js";
import { nodeVerifier, pageVerifier } from "./verifier/bundle.js";
import { checkFile, checkPackage } from "./verifier/check.js";
import { proofText } from "./verifier/proof.js";

let made: MadePackage;
let archive: Buffer;
beforeAll(async () => {
  made = await packageInTheMaking();
  archive = await made.packed(made.records, await made.furtherFiles());
});
afterAll(() => made?.dispose());
const { publicKey, place, journal, topic, key } = madeBy;

describe("proofs", () => {
  it("lead from a record to every signed tree that has it, and from each signed tree to the next", async () => {
    const heads = await signedHeads(made.database.pool, place);
    expect(heads.length).toBeGreaterThan(2);
    for (const head of heads) {
      const offsets = Array.from({ length: head.size }, (_, offset) => offset);
      for (const { offset, before, path } of await inclusionProofs(made.database.pool, place, head, offsets)) {
        const leaf = leafHash(chained(before, made.log.records(topic, 0)[offset]!));
        expect(provesInclusion(leaf, offset, head, path)).toBe(true);
        const other = leafHash(chained(before, made.log.records(topic, 0)[(offset + 1) % 37]!));
        expect(provesInclusion(other, offset, head, path)).toBe(false);
      }
    }
    for (const [index, head] of heads.slice(1).entries()) {
      const before = heads[index]!;
      const path = await consistencyProof(made.database.pool, place, before, head);
      expect(provesConsistency(before, head, path)).toBe(true);
      expect(provesConsistency({ ...before, root: head.root }, head, path)).toBe(false);
    }
  });

  it("are files that hold beside the second place, and not beside one that says something else", async () => {
    const { pool } = made.database;
    const second = new SecondPlace(made.folder);
    const heads = await signedHeads(pool, place);
    const [first, last] = [heads[0]!, heads.at(-1)!];
    const file = async (proof: Parameters<typeof proofText>[0]) => Buffer.from(proofText(proof));
    const wanted = { offset: 4, publicKey: key.publicKey };
    expect((await headOver(pool, place, wanted)).size).toBe(heads.find(({ size }) => size > 4)?.size);
    await expect(headOver(pool, place, { ...wanted, offset: 37, timeout: 0 })).rejects.toMatchObject({
      code: "TRIB_AUDIT_NOT_SIGNED",
    });
    await expect(headOver(pool, place, { ...wanted, size: 36 })).rejects.toMatchObject({ code: "TRIB_CLI_NOT_FOUND" });
    const inclusion = await inclusionProofFile(
      pool,
      await headOver(pool, place, wanted),
      made.records[1]!,
      key.publicKey,
    );
    const consistency = await consistencyProofFile(pool, first, last, key.publicKey);
    const other = mkdtempSync(join(made.folder, "other-"));
    for (const proof of [inclusion, consistency]) {
      expect(await checkFile(await file(proof), publicKey)).toMatchObject({ ok: true });
      expect(await contradictionOutside(proof, second)).toBeUndefined();
      expect(await contradictionOutside(proof, new SecondPlace(other))).toMatch(/has none of its checkpoints/);
    }
    const nothing = { root: Buffer.alloc(32), previous: 0, marks: Buffer.alloc(0), publicKey: key.publicKey };
    await new SecondPlace(other).begin(place.journal);
    for (const head of [first, last, await headOver(pool, place, wanted)])
      await new SecondPlace(other).keep({ ...head, ...nothing });
    for (const proof of [inclusion, consistency])
      expect(await contradictionOutside(proof, new SecondPlace(other))).toMatch(/is another one in/);
    // A checkpoint that somebody kept, as a file by itself.
    const kept = join(made.folder, journal, topic, "0", `${String(first.size).padStart(12, "0")}.json`);
    expect(await readHead(kept)).toMatchObject({ topic, partition: 0, size: first.size, root: first.root });
    expect(await readHead(join(made.folder, "nothing.json"))).toBeUndefined();
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

  it("takes records along that nobody can decode, and says so", async () => {
    const offsets = [...undecodable, 7];
    const odd = await made.packed(await made.placed(offsets, offsets), new Map());
    expect(await checkPackage(odd, publicKey)).toMatchObject({ ok: true });
    const lines = Buffer.from(openArchive(odd).get("events.jsonl")!).toString().trim().split("\n");
    const unreadable = { record: null, content: null, unreadable: true };
    expect(lines.slice(0, 3).map((line) => JSON.parse(line))).toMatchObject([
      { offset: 5, schema: null, ...unreadable },
      { offset: 6, schema: 999, ...unreadable },
      { offset: 7, record: "health.claim.ClaimSubmitted" },
    ]);
    // What is left out of it afterwards can't be passed off as undecodable.
    const files = openArchive(odd);
    const [schema] = [...files.keys()].filter((name) => name.startsWith("schemas/") && name !== "schemas/999.json");
    const without = zipped(new Map([...files].filter(([name]) => name !== schema)));
    expect(await checkPackage(without, publicKey)).toMatchObject({ ok: false });
  });

  it("says no to an event that no unit holds, although it stands in the signed log", async () => {
    const withUnits = async (offset: number, ...units: readonly number[]) =>
      checkPackage(await made.packed(await made.placed([offset], units), new Map()), publicKey);
    const { ok, lines } = await withUnits(stray, stray, stray + 1);
    expect(ok).toBe(false);
    expect(lines).toEqual([
      "NO: not all that this package tells was received from a partner.",
      "First thing found: the event at health.claim.events, partition 0, offset 9 names the unit 0/10, which has another event of the index 0. Somebody else than the publisher wrote it.",
      "The package itself is as it was made, and its 3 records stand in the log that was signed.",
    ]);
    expect((await withUnits(7, 8)).lines[1]).toMatch(/names the unit 0\/7, and this is not in the package/);
    const { lines: held } = await withUnits(7, 7);
    expect(held).toContain("Each of 1 events is what the unit that it names holds, byte for byte.");
  });

  it("is made the same twice", async () => {
    const again = await made.packed(made.records, await made.furtherFiles());
    expect(again.equals(archive)).toBe(true);
  });

  it("says no when a byte is changed in any of its files, the archive put together anew around it", async () => {
    const files = openArchive(archive);
    expect(files.size).toBe(18);
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

  it("names the event, the unit or the row concerned, in plain words", async () => {
    const files = openArchive(archive);
    const text = (name: string) => Buffer.from(files.get(name) ?? []).toString();
    const changed = async (name: string, from: string, to: string) => {
      expect(text(name)).toContain(from);
      const other = Buffer.from(text(name).replace(from, to));
      return (await checkPackage(zipped(new Map([...files, [name, other]])))).lines[1];
    };
    const claim17 = "the ClaimSubmitted at health.claim.events, partition 0, offset 17";
    const started = (words: string) => new RegExp(`^First thing found: the file ${words}`);
    const line = text("records.jsonl").split("\n")[2] ?? "";
    const wrong = line.replace('"timestamp":1', '"timestamp":2');
    expect(await changed("records.jsonl", line, wrong)).toMatch(
      started(`records.jsonl was changed: line 3, ${claim17}: .* is not in the log that was signed`),
    );
    expect(await changed("records.jsonl", line, line.replace("{", "["))).toMatch(
      started(`records.jsonl was changed: line 3, ${claim17}: it can't be read`),
    );
    expect(await changed("events.jsonl", '"100.67"', '"900.67"')).toMatch(
      started(`events.jsonl was changed: line 3, .* offset 17: the text .* is not what its bytes say`),
    );
    const proof = text("proofs.jsonl").split("\n")[2] ?? "";
    expect(await changed("proofs.jsonl", proof, proof.replace('"size":37', '"size":36'))).toMatch(
      started(`proofs.jsonl was changed: line 3, ${claim17}`),
    );
    expect(await changed("checkpoints.jsonl", '"size":37', '"size":38')).toMatch(
      started(
        "checkpoints.jsonl was changed: line 1, the checkpoint of health.claim.events, partition 0: the signature",
      ),
    );
    expect(await changed("checkpoints.jsonl", '"topic"', '"uopic"')).toMatch(
      started(
        "checkpoints.jsonl was changed: line 1, the checkpoint that names no partition of a topic: the signature",
      ),
    );
    const [schema = ""] = [...files.keys()].filter((name) => name.startsWith("schemas/"));
    expect(await changed(schema, '"payerId"', '"prayerId"')).toMatch(/the schema of 4 events here, ClaimSubmitted\.$/);
    expect(await changed("units/0-3.bin", "ISA*00", "ISA*01")).toMatch(
      /the unit 0\/3 as received from clearing, of which ClaimSubmitted health\.claim\.events\/0\/17 was made\.$/,
    );
    expect(await changed("trail.json", "clearing", "clearinG")).toMatch(
      started("trail.json was changed: the account of"),
    );
    expect(await changed("as-of/claims.jsonl", "paid", "void")).toMatch(
      /: row 1 of claims is not what was known at 2026-02-01/,
    );
    expect(await changed("manifest.json", '"auditor"', '"burglar"')).toMatch(
      /signature over the manifest is wrong: manifest\.json/,
    );
    const [sum = ""] = /[0-9a-f]{64}(?="\}\])/.exec(text("manifest.json")) ?? [];
    expect(await changed("manifest.json", sum, "0".repeat(64))).toMatch(
      /what it says of the file README\.txt is not so/,
    );
    // The same with a byte that a disk lost, the archive's own sums as they were.
    const bitten = Buffer.from(archive);
    bitten[archive.indexOf('"100.67"') + 1] = "9".charCodeAt(0);
    expect((await checkPackage(bitten)).lines[1]).toMatch(started("events.jsonl was changed: line 3, .* offset 17"));
  });

  it("proves the rows known at a moment by the signed state of their whole read model, opened or not", async () => {
    expect((await checkPackage(archive, publicKey)).lines.join("\n")).toMatch(
      /Each of its 4 rows of what was known at 2026-02-01T00:00:00\.000Z stands in the read model/,
    );
    const whole = await made.furtherFiles(true);
    expect(Buffer.from(whole.get("as-of/claims.jsonl") ?? []).toString()).toContain('"member_id": "M1"');
    expect(await checkPackage(await made.packed(made.records, whole), publicKey)).toMatchObject({ ok: true });
    // With the package signed around it: only the as-of's own signature and hashes tell.
    const resigned = async (change: (files: Map<string, Uint8Array>) => void) => {
      const files = await made.furtherFiles();
      change(files);
      return (await checkPackage(await made.packed(made.records, files), publicKey)).lines[1];
    };
    const text = (files: Map<string, Uint8Array>, name: string) => Buffer.from(files.get(name) ?? []).toString();
    const replaced = (name: string, from: string | RegExp, to: string) =>
      resigned((files) => files.set(name, Buffer.from(text(files, name).replace(from, to))));
    expect(await replaced("as-of/claims.jsonl", "paid", "void")).toMatch(/row 1 of claims is not what was known/);
    expect(await replaced("as-of/claim_lines.jsonl", '"line": 3', '"line": 4')).toMatch(/row 2 of claim_lines/);
    expect(await replaced("as-of/manifest.json", '"parkedKeys": 0', '"parkedKeys": 1')).toMatch(/signature over as-of/);
    expect(await replaced("as-of/manifest.json", journal, "other")).toMatch(/another installation/);
    expect(await replaced("as-of/claims.proof.json", '"rows":', '"rows":1')).toMatch(
      /does not lead to the hash of claims/,
    );
    expect(await resigned((files) => files.delete("as-of/claims.proof.json"))).toMatch(
      /there is no as-of\/claims\.proof/,
    );
    expect(await resigned((files) => files.delete("as-of/manifest.json"))).toMatch(/there is no as-of\/manifest/);

    // Of several read models each has a state of its own.
    const several = new Map([...(await made.furtherFiles()), ...(await made.furtherState())]);
    const verdict = async () => (await checkPackage(await made.packed(made.records, several), publicKey)).lines.join();
    expect(await verdict()).toMatch(/Each of its 4 rows .* stands in a read model whose state was signed/);
    const lines = text(several, "as-of/lines.manifest.json");
    several.set("as-of/lines.manifest.json", Buffer.from(lines.replace('"lines"', '"other"')));
    expect(await verdict()).toMatch(/NO: .*signature over as-of\/lines\.manifest\.json is wrong/);
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
    expect(count).toBeGreaterThan(17 * 76);
    expect(missed).toEqual([]);
    expect((await checkPackage(archive.subarray(0, -1))).ok).toBe(false);
    expect((await checkPackage(Buffer.concat([archive, Buffer.from("x")]))).ok).toBe(false);
  });

  it("says no to a key that is not the one trusted, and to records that stand elsewhere in the log", async () => {
    const other = notaryKey("aa".repeat(32)).publicKey.toString("hex");
    expect((await checkPackage(archive, other)).lines[1]).toMatch(/another key/);
    const moved = made.records.map((record) => ({
      ...record,
      record: { ...record.record, exact: undefined, offset: record.offset === 17 ? 16 : record.offset },
    }));
    const false_ = await made.packed(moved as unknown as PlacedRecord[], new Map());
    expect((await checkPackage(false_)).lines[1]).toMatch(/offset 16 is not in the log that was signed/);
  });

  it("is checked by one file in Node that needs nothing else", () => {
    const path = join(made.folder, "package.zip");
    const verifier = join(made.folder, "verify.mjs");
    writeFileSync(path, archive);
    writeFileSync(verifier, nodeVerifier());
    const run = (...parameters: string[]) =>
      spawnSync(process.execPath, [verifier, ...parameters], { cwd: made.folder, encoding: "utf8" });
    expect(run(path, publicKey)).toMatchObject({ status: 0, stdout: expect.stringMatching(/^YES/) });
    const changed = Buffer.from(archive);
    changed[500] = (changed[500] as number) ^ 1;
    writeFileSync(path, changed);
    expect(run(path)).toMatchObject({ status: 1, stdout: expect.stringMatching(/^NO/) });
    expect(run()).toMatchObject({ status: 64 });
    const usage = expect.stringMatching(/^node verify\.mjs .*: a public key is 64 hexadecimal digits\n$/);
    expect(run(path, publicKey.slice(1))).toMatchObject({ status: 64, stdout: "", stderr: usage });
    const away = `${path}.away`;
    expect(run(away)).toMatchObject({ status: 66, stdout: "", stderr: `${away} can't be read: ENOENT\n` });
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
      writeFileSync(join(made.folder, name), bytes);
      return join(made.folder, name);
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
      expect(await verdictOn(bad, publicKey)).toMatch(
        /^NO: [\s\S]*events\.jsonl[\s\S]*ClaimSubmitted at health\.claim\.events, partition 0, offset 17/,
      );
      expect(await verdictOn(good, notaryKey("aa".repeat(32)).publicKey.toString("hex"))).toMatch(
        /^NO: [\s\S]*another key/,
      );
      expect([complaints, new Set(asked)]).toEqual([[], new Set([pathToFileURL(page).href])]);
    } finally {
      await running.close();
    }
  });
});
