import { expect, it } from "vitest";
import type { IncomingRecord } from "../../log/log.js";
import { notaryKey, signHead } from "../checkpoint.js";
import { Frontier, leafHash } from "../merkle.js";
import { packedCheckpoint, packedRecord } from "../proof-files.js";
import { chained, chainStart, recordParts } from "../record-chain.js";
import { checkProof, proofText } from "./proof.js";

const key = notaryKey("ab".repeat(32));
const place = { journal: "00000000-0000-4000-8000-000000000001", topic: "health.claim.events", partition: 0 };
const headers: [Buffer, Buffer][] = [[Buffer.from("position"), Buffer.from("p")]];

const record = (name: string, timestamp: number, value: Buffer): IncomingRecord => ({
  offset: 0,
  timestamp,
  key: name,
  value,
  headers: { position: "p" },
  exact: () => ({ key: Buffer.from(name), value, headers }),
});
const bytesOf = ({ offset, timestamp, key: name, value }: IncomingRecord, of = headers): Buffer =>
  Buffer.concat(recordParts(offset, timestamp, { key: Buffer.from(name), value, headers: of }));

it("a record whose value holds another one proves itself, and not that one", async () => {
  const told = record("other key", Date.UTC(2026, 0, 1), Buffer.from("paid 80.00, which nobody wrote"));
  // All but its headers, in whose place those of the record around it stand.
  const held = bytesOf(told).subarray(0, bytesOf(told, []).length - 4);
  const written = record("key", Date.UTC(2026, 5, 1), held);
  const tree = new Frontier();
  tree.append(leafHash(chained(chainStart(place), written)));
  const head = signHead(key, { ...place, size: 1, root: tree.root(), signedAt: Date.UTC(2026, 5, 2) });
  const check = (one: IncomingRecord, before: Buffer) => {
    const file = proofText({
      format: "tributary-inclusion-proof/1",
      installation: place.journal,
      publicKey: key.publicKey.toString("hex"),
      record: packedRecord({ ...place, offset: 0, record: one }),
      before: before.toString("base64"),
      path: [],
      checkpoint: packedCheckpoint(head),
    });
    return checkProof(Buffer.from(file), key.publicKey.toString("hex"));
  };
  expect(await check(written, chainStart(place))).toMatchObject({ ok: true });
  const around = bytesOf(written).subarray(0, bytesOf(written).indexOf(held));
  expect(await check(told, Buffer.concat([chainStart(place), around]))).toEqual({
    ok: false,
    lines: [
      "NO: this proof does not hold.",
      "First thing found: what is told to come before the record at health.claim.events, partition 0, offset 0 is no hash.",
    ],
  });
});
