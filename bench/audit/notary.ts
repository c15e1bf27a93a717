import { readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { notaryKey } from "../../engine/audit/checkpoint.js";
import { signedHeads } from "../../engine/audit/notary-store.js";
import { inclusionProofs } from "../../engine/audit/proofs.js";
import { SecondPlace } from "../../engine/audit/second-place.js";
import { verifyLog } from "../../engine/audit/verify.js";
import { eventsTopic } from "../../engine/log/schemas.js";
import { readJournalId } from "../../engine/log/topics.js";
import { notaryFolder } from "../../engine/service/notary-process.js";
import { requireSetting } from "../../engine/service/settings.js";
import { recordsIn } from "../projector/catch-up.js";
import { type Child, productStart, startChild } from "../projector/child.js";
import { Meter, type Spent } from "../projector/meter.js";
import { type Place, partitions } from "../projector/place.js";
import { mixed } from "../projector/visit-event.js";

/** The notary over records that are there, and what comes after it. */
export interface NotaryRun extends Spent {
  readonly records: number;
  /** Records a second from the first hashes seen to the last. */
  readonly rate: number;
  /** Bytes resident when a quarter, a half, three quarters and all were chained. */
  readonly resident: readonly (number | undefined)[];
  /** Bytes that chain and heads take in Postgres, for each record. */
  readonly storedBytes: number;
  /** Records a second that `audit verify` reads, hashes and compares. */
  readonly verifyRate: number;
  /** Milliseconds to make the proof of one record, and records of its tree. */
  readonly proof: { readonly milliseconds: number; readonly size: number };
}

const topic = eventsTopic("visit");
const valueBytes = 200;
const batchRecords = 5_000;

/** Records as long as events are: what they hold is nothing to the notary. */
async function append({ log }: Place, records: number, journal: string): Promise<void> {
  const producer = await log.producer();
  const values = Array.from({ length: 1_000 }, (_, index) => {
    const value = Buffer.alloc(valueBytes);
    for (let at = 0; at < valueBytes; at += 4) value.writeUInt32BE(mixed(index, at), at);
    return value;
  });
  for (let at = 0; at < records; at += batchRecords) {
    await producer.append(
      Array.from({ length: Math.min(batchRecords, records - at) }, (_, index) => ({
        topic,
        partition: (at + index) % partitions,
        key: `00000000-0000-4000-8000-${String(at + index).padStart(12, "0")}`,
        value: values[(at + index) % values.length] as Buffer,
        headers: { position: `${journal}:${(at + index) % partitions}:${at + index}:0:1700000000000` },
      })),
    );
  }
  await producer.close();
}

function residentBytes(pid: number): number | undefined {
  try {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1024;
  } catch {
    return undefined;
  }
}

const chained = async ({ pool }: Place): Promise<number> =>
  Number((await pool.query("SELECT coalesce(sum(next_offset), 0) AS next FROM engine.notary_lanes")).rows[0]?.next);

/** @throws when the notary stands still, or what it made does not verify: then there are no figures. */
export async function measureNotary(place: Place, records: number): Promise<NotaryRun> {
  const { pool, log, settings } = place;
  const journal = await readJournalId(log);
  await append(place, records, journal);
  const all = await recordsIn(place, [
    ...new Set([topic, "health.intake.journal", "health.audit.events", eventsTopic("patient"), eventsTopic("claim")]),
  ]);
  // By default the last records wait a minute for their signature: nobody needs that here.
  const environment = { ...place.environment, NOTARY_SECONDS: "2" };
  const start = await productStart({ ...place, environment }, "notary");
  await pool.query("CHECKPOINT");
  let child: Child | undefined;
  const meter = new Meter(place, () => (child ? [child.pid] : []));
  await meter.start();
  child = startChild(place, start);
  const resident: (number | undefined)[] = [];
  let first: { readonly at: number; readonly reached: number } | undefined;
  let moved = performance.now();
  let spent: Spent;
  let rate: number;
  try {
    for (let reached = 0, before = -1; ; before = reached) {
      child.assertAlive();
      meter.look();
      reached = await chained(place);
      const at = performance.now();
      if (reached > records / 1_000) first ??= { at, reached };
      if (reached > before) moved = at;
      if (at - moved > 60_000) throw new Error(`The notary stands at ${reached} of ${all} records.`);
      while (resident.length < 4 && reached >= (all * (resident.length + 1)) / 4)
        resident.push(residentBytes(child.pid));
      if (reached >= all && first) {
        rate = (reached - first.reached) / ((at - first.at) / 1000);
        break;
      }
      await pause(20);
    }
    spent = await meter.stop();
    // The last heads are signed by the clock.
    const place0 = { journal, topic, partition: 0 };
    while ((await signedHeads(pool, place0)).at(-1)?.size !== Math.ceil(records / partitions)) await pause(100);
  } finally {
    await child.stop();
  }
  const { rows } = await pool.query(
    "SELECT pg_total_relation_size('engine.notary_chain') + pg_total_relation_size('engine.notary_checkpoints') + pg_total_relation_size('engine.notary_subtrees') AS bytes",
  );
  const verifyBegan = performance.now();
  const { publicKey } = notaryKey(requireSetting(settings, "TRIBUTARY_NOTARY_KEY"));
  const second = new SecondPlace(notaryFolder(settings));
  const report = await verifyLog({ log, pool, second, journal, topics: [topic], keys: [publicKey] });
  if (!report.ok) throw new Error(`The log does not verify: ${JSON.stringify(report.first)}`);
  const verifyRate = records / ((performance.now() - verifyBegan) / 1000);
  const lane = { journal, topic, partition: 0 };
  const size = Math.ceil(records / partitions);
  const tree = (await signedHeads(pool, lane, size))[0];
  if (tree?.size !== size) throw new Error(`No head over ${size} records was signed.`);
  const began = performance.now();
  await inclusionProofs(pool, lane, tree, [Math.floor(size / 3)]);
  const proof = { milliseconds: performance.now() - began, size };
  return {
    ...spent,
    records: all,
    rate,
    resident,
    storedBytes: Number(rows[0]?.bytes) / all,
    verifyRate,
    proof,
  };
}
