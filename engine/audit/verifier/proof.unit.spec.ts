import { describe, expect, it } from "vitest";
import type { IncomingRecord } from "../../log/log.js";
import { notaryKey, signHead } from "../checkpoint.js";
import { consistencyRanges, Frontier, inclusionRanges, leafHash, subtreeHashes } from "../merkle.js";
import { packedCheckpoint, packedRecord } from "../proof-files.js";
import { chained, chainStart } from "../record-chain.js";
import { checkFile } from "./check.js";
import { type ConsistencyProofFile, checkProof, type InclusionProofFile, proofText } from "./proof.js";

const key = notaryKey("1d".repeat(32));
const publicKey = key.publicKey.toString("hex");
const place = { journal: "00000000-0000-4000-8000-000000000003", topic: "health.claim.events", partition: 2 };
const base64 = (bytes: Buffer) => bytes.toString("base64");

/** A partition as the notary sees it: records, the chain before each, and leaves. */
function logOf(where: typeof place, count: number, salt = "") {
  const records: IncomingRecord[] = [];
  const before: Buffer[] = [];
  const leaves: Buffer[] = [];
  let head = chainStart(where);
  for (let offset = 0; offset < count; offset += 1) {
    const value = Buffer.from(`value ${offset}${salt}`);
    const headers = { position: `p ${offset}` };
    const record = { offset, timestamp: 1_700_000_000_000 + offset, key: `key ${offset % 3}`, value, headers };
    records.push(record as unknown as IncomingRecord);
    before.push(head);
    head = chained(head, record as unknown as IncomingRecord);
    leaves.push(leafHash(head));
  }
  const headAt = (size: number) => {
    const frontier = new Frontier();
    for (const leaf of leaves.slice(0, size)) frontier.append(leaf);
    return packedCheckpoint(signHead(key, { ...where, size, root: frontier.root(), signedAt: 1_700_000_100_000 }));
  };
  const signer = { installation: where.journal, publicKey };
  const inclusion = async (offset: number, size: number): Promise<InclusionProofFile> => ({
    format: "tributary-inclusion-proof/1",
    ...signer,
    record: packedRecord({ ...where, offset, record: records[offset] as IncomingRecord }),
    before: base64(before[offset] as Buffer),
    path: (await subtreeHashes(inclusionRanges(offset, size), [leaves])).map(base64),
    checkpoint: headAt(size),
  });
  const consistency = async (from: number, to: number): Promise<ConsistencyProofFile> => ({
    format: "tributary-consistency-proof/1",
    ...signer,
    from: headAt(from),
    to: headAt(to),
    path: (await subtreeHashes(consistencyRanges(from, to), [leaves])).map(base64),
  });
  return { inclusion, consistency, headAt };
}

const log = logOf(place, 40);
const verdict = (proof: InclusionProofFile | ConsistencyProofFile, trusted = publicKey) =>
  checkProof(Buffer.from(proofText(proof)), trusted);
const complaint = async (proof: InclusionProofFile | ConsistencyProofFile, trusted = publicKey) => {
  const { ok, lines } = await verdict(proof, trusted);
  return ok ? "accepted" : (lines[1] ?? "");
};

describe("a proof of one record", () => {
  it("holds for every record in trees of every shape, with the place, the bytes and the time in plain words", async () => {
    for (const size of [1, 2, 3, 7, 8, 37]) {
      for (let offset = 0; offset < size; offset += 1) {
        expect(await complaint(await log.inclusion(offset, size)), `${offset} of ${size}`).toBe("accepted");
      }
    }
    const { lines } = await verdict(await log.inclusion(17, 37));
    expect(lines.join("\n")).toMatch(
      /^YES: this record stands in the log[\s\S]*health\.claim\.events, partition 2, offset 17[\s\S]*37 records[\s\S]*that you trust\.$/,
    );
  });

  it("is refused with any byte changed, also one that a decoder overlooks", async () => {
    const bytes = Buffer.from(proofText(await log.inclusion(5, 11)));
    const missed: string[] = [];
    for (let at = 0; at < bytes.length; at += 1) {
      // The last of a base64 text may have bits that say nothing.
      const isLast = /["=]/.test(String.fromCharCode(bytes[at + 1] ?? 0));
      for (const bit of isLast ? [0, 1, 2, 3, 5] : [at % 8]) {
        const changed = Buffer.from(bytes);
        changed[at] = (changed[at] as number) ^ (1 << bit);
        if ((await checkProof(changed)).ok) missed.push(`${at}: ${changed.subarray(at - 5, at + 5)}`);
      }
    }
    for (const other of [Buffer.concat([bytes, Buffer.from(" ")]), bytes.subarray(1), bytes.subarray(0, -1)])
      if ((await checkProof(other, publicKey)).ok) missed.push("longer or shorter");
    expect(missed).toEqual([]);
    expect((await checkFile(bytes, publicKey)).ok).toBe(true);
  });

  it("is refused for another record, another place, another tree and another key", async () => {
    const proof = await log.inclusion(17, 37);
    const other = await log.inclusion(18, 37);
    const elsewhere = logOf({ ...place, partition: 3 }, 40);
    const rewritten = logOf(place, 40, " rewritten");
    expect(await complaint({ ...proof, record: other.record })).toMatch(/offset 18 is not in the log that was signed/);
    expect(await complaint({ ...proof, record: { ...proof.record, offset: 18 } })).toMatch(/is not in the log/);
    expect(await complaint({ ...other, path: proof.path })).toMatch(/is not in the log/);
    expect(await complaint({ ...proof, path: proof.path.slice(1) })).toMatch(/too short/);
    expect(await complaint({ ...proof, path: [...proof.path, ...proof.path] })).toMatch(/too long/);
    expect(await complaint({ ...proof, checkpoint: log.headAt(38) })).toMatch(/is not in the log/);
    expect(await complaint({ ...proof, checkpoint: rewritten.headAt(37) })).toMatch(/is not in the log/);
    expect(await complaint({ ...proof, checkpoint: elsewhere.headAt(37) })).toMatch(/of another partition/);
    expect(await complaint({ ...proof, checkpoint: { ...proof.checkpoint, size: 38 } })).toMatch(/signature .* wrong/);
    const installation = "00000000-0000-4000-8000-000000000009";
    expect(await complaint({ ...proof, installation })).toMatch(/signature .* wrong/);
    expect(await complaint(proof, notaryKey("1e".repeat(32)).publicKey.toString("hex"))).toMatch(/another key/);
  });
});

describe("a proof that a log was only added to", () => {
  it("holds between any two sizes, and not once the earlier records were rewritten", async () => {
    const rewritten = logOf(place, 40, " rewritten");
    for (let to = 1; to <= 12; to += 1) {
      for (let from = 1; from <= to; from += 1) {
        const proof = await log.consistency(from, to);
        expect(await complaint(proof), `${from} of ${to}`).toBe("accepted");
        expect(await complaint({ ...proof, from: rewritten.headAt(from) }), `${from} of ${to}`).toMatch(
          /are not those/,
        );
        expect(await complaint({ ...proof, path: [...proof.path, base64(Buffer.alloc(32))] })).toMatch(/are not those/);
      }
    }
  });

  it("is refused with any byte changed, the other way round, and between partitions", async () => {
    const proof = await log.consistency(6, 13);
    const bytes = Buffer.from(proofText(proof));
    const missed: number[] = [];
    for (let at = 0; at < bytes.length; at += 1) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] as number) ^ (1 << (at % 8));
      if ((await checkProof(changed, publicKey)).ok) missed.push(at);
    }
    expect(missed).toEqual([]);
    expect(await complaint({ ...proof, from: proof.to, to: proof.from })).toMatch(/are not those/);
    const elsewhere = await logOf({ ...place, partition: 3 }, 40).consistency(6, 13);
    expect(await complaint({ ...proof, to: elsewhere.to })).toMatch(/different partitions/);
  });
});
