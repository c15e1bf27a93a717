import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { asOfEvidence } from "../audit/as-of-evidence.js";
import { signAsOf } from "../audit/as-of-manifest.js";
import { notaryKey } from "../audit/checkpoint.js";
import { startNotary } from "../audit/notary.js";
import { signedHeads } from "../audit/notary-store.js";
import { makePackage } from "../audit/package.js";
import { type PlacedRecord, readPlaces } from "../audit/read-places.js";
import { SecondPlace } from "../audit/second-place.js";
import { standaloneCodec } from "../log/codec.js";
import { formatPosition } from "../log/position.js";
import { journalTopic, rootRecords } from "../log/schemas.js";
import type { AsOf } from "../replay/as-of.js";
import { TributaryError } from "../service/errors.js";
import { createLogger } from "../service/logger.js";
import { freshDatabase } from "./database.js";
import { memoryLog } from "./memory-log.js";

const key = notaryKey("0f".repeat(32));
const publicKey = key.publicKey.toString("hex");
const journal = "00000000-0000-4000-8000-000000000002";
const topic = "health.claim.events";
const place = { journal, topic, partition: 0 };
const codec = standaloneCodec();
const schemas = [...rootRecords().values()].sort((left, right) => (left.fullName < right.fullName ? -1 : 1));

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

/** Offsets of records that no claim is in: one that is no Avro, one by a schema that no registry has. */
export const undecodable = [5, 6];
const valueAt = (index: number): Buffer => {
  if (index === undecodable[0]) return Buffer.from("no Avro at all");
  return index === undecodable[1] ? Buffer.from([0, 0, 0, 3, 231, 1, 2]) : claim(index);
};

/** Offset of a claim that somebody wrote into the log under the position of the next one's unit. */
export const stray = 9;

/** The unit of which a claim was made. */
const entryOf = (index: number): Buffer =>
  codec.encodeEntry({
    entry: "UNIT",
    receiptId: `receipt ${index}`,
    receivedAt: 5,
    partner: "clearing",
    feed: "clearing",
    connector: "x12",
    connectorVersion: "1",
    format: "837P",
    accepted: true,
    contentHash: Buffer.from([index]),
    size: 7,
    sealedUnit: Buffer.from([1]),
    events: [{ topic, key: `claim ${index % 3}`, id: `event ${index}`, type: "ClaimSubmitted", value: valueAt(index) }],
  });

const positionOf = (index: number): string =>
  formatPosition({ journal, partition: 0, offset: index === stray ? index + 1 : index, index: 0, recordedAt: 5 });

/** Who makes the package, of which log. */
export const madeBy = { key, publicKey, journal, topic, place };

/** An as-of's views, as they stand in the database. */
const asOf = {
  projection: "claims",
  version: 1,
  schema: "as_of_spec",
  at: Date.UTC(2026, 1, 1),
  vector: { journal, offsets: new Map([[0, 37]]) },
  views: [
    { name: "claims", columns: ["claim_id", "status", "member_id"], clear: ["claim_id", "status"] },
    { name: "claim_lines", columns: ["claim_id", "line"], clear: ["claim_id", "line"] },
  ],
  schemaIds: [1],
  decisions: [],
  parkedKeys: 0,
  vaultEpoch: 0,
  sealed: false,
} as unknown as AsOf;

async function schemaOf(id: number): Promise<object> {
  const found = schemas[id - 1]?.schema;
  if (found) return found;
  throw new TributaryError("TRIB_LOG_UNKNOWN_SCHEMA");
}

/** Everything that a package is made of: 37 claims with their units, notarised over several checkpoints, and an as-of with its views. */
export async function packageInTheMaking() {
  const database = await freshDatabase();
  await database.pool.query(`
    CREATE SCHEMA as_of_spec;
    CREATE TABLE as_of_spec.claims AS
      SELECT 'c' || n AS claim_id, 'paid' AS status, 'M' || n AS member_id FROM generate_series(0, 699) n;
    CREATE TABLE as_of_spec.claim_lines AS SELECT 'c' || n % 2 AS claim_id, n AS line FROM generate_series(1, 5) n`);
  const folder = mkdtempSync(join(tmpdir(), "tributary-package-"));
  const log = memoryLog({ partitions: 1 });
  const producer = await log.producer();
  const units = Array.from({ length: 37 }, (_, index) => {
    return { topic: journalTopic, partition: 0, key: "clearing", value: entryOf(index) };
  });
  await producer.append(units);
  await producer.append(
    Array.from({ length: 37 }, (_, index) => ({
      topic,
      partition: 0,
      key: `claim ${index % 3}`,
      value: valueAt(index),
      headers: { position: positionOf(index) },
    })),
  );
  const notary = await startNotary({
    definition: { name: "notary", notarize: { topics: [topic, journalTopic] } },
    log,
    pool: database.pool,
    journal,
    key,
    second: new SecondPlace(folder),
    logger: createLogger("spec", "silent"),
    signMilliseconds: 10,
    batchRecords: 10,
    signRecords: 10,
    onFailure: (error) => {
      throw error;
    },
  });
  for (const of of [topic, journalTopic])
    while ((await signedHeads(database.pool, { ...place, topic: of })).at(-1)?.size !== 37) await wait(5);
  await notary.close();
  const records = await readPlaces(
    log,
    [3, 4, 17, 36].flatMap((offset) => [
      { topic, partition: 0, offset },
      { topic: journalTopic, partition: 0, offset },
    ]),
  );
  // Signed once: it has the time in it.
  const state = await signAsOf(database.pool, asOf, key, "spec");
  return {
    database,
    /** The notary's second place. */
    folder,
    log,
    /** Four of the claims, and then the units of which they were made. */
    records,
    /** Some claims by their offsets, then some units. */
    placed: (claims: readonly number[], units: readonly number[]): Promise<PlacedRecord[]> =>
      readPlaces(log, [
        ...claims.map((offset) => ({ topic, partition: 0, offset })),
        ...units.map((offset) => ({ topic: journalTopic, partition: 0, offset })),
      ]),
    packed: (placed: readonly PlacedRecord[], files: ReadonlyMap<string, Uint8Array>): Promise<Buffer> =>
      makePackage(
        { pool: database.pool, journal, key, schemaOf },
        {
          subject: { kind: "claim", id: "c1" },
          records: placed,
          files,
          madeBy: "auditor",
          madeAt: Date.UTC(2026, 5, 1),
          reason: null,
          recipient: null,
        },
      ),
    /** What was known in another read model at the same moment. */
    async furtherState(): Promise<Map<string, Uint8Array>> {
      const known = [{ name: "claim_lines", columns: ["claim_id", "line"], clear: ["claim_id", "line"] }];
      const further = { ...asOf, projection: "lines", views: known };
      const signed = await signAsOf(database.pool, further, key, "spec");
      const about = { kind: "claim", ids: ["c1"], isFirst: false } as const;
      return new Map(await asOfEvidence(database.pool, further, signed, about, false));
    },
    /** A trail, a unit and the as-of's rows, with what identifies a person or without. */
    async furtherFiles(opens = false): Promise<Map<string, Uint8Array>> {
      const unit = { place: "0/3", partner: "clearing" };
      const event = { place: `${topic}/0/17`, type: "ClaimSubmitted", unit: "0/3" };
      return new Map([
        ["trail.json", Buffer.from(`${JSON.stringify({ units: [unit], events: [event] })}\n`)],
        ["units/0-3.bin", Buffer.from("ISA*00*")],
        ...(await asOfEvidence(database.pool, asOf, state, { kind: "claim", ids: ["c1"] }, opens)),
      ]);
    },
    async dispose(): Promise<void> {
      await database.drop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
export type MadePackage = Awaited<ReturnType<typeof packageInTheMaking>>;
