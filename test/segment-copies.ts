import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { notaryKey } from "../engine/audit/checkpoint.js";
import type { Finding } from "../engine/audit/findings.js";
import { chainHashes, signedHeads } from "../engine/audit/notary-store.js";
import { SecondPlace } from "../engine/audit/second-place.js";
import { verifyLog } from "../engine/audit/verify.js";
import { verifyPartition } from "../engine/audit/verify-partition.js";
import type { IncomingRecord } from "../engine/log/log.js";
import { ownTopics } from "../engine/log/schemas.js";
import { copiedLog } from "../engine/log/segments.js";
import { readJournalId } from "../engine/log/topics.js";
import { notaryFolder } from "../engine/service/notary-process.js";
import { type Segment, segmentOf } from "../engine/testing/segment-tampering.js";
import type { TestInstallation } from "./installation.js";

/** A partition's files, copied from the broker's disk, with all that the notary says about it. */
export interface SegmentCopy {
  readonly name: string;
  readonly segment: Segment;
  /** What `audit verify` finds when the partition's file has these bytes in place of its own. */
  findings(bytes: Buffer): Promise<readonly Finding[]>;
}

async function all<Value>(pieces: AsyncIterable<readonly Value[]>): Promise<Value[]> {
  const values: Value[] = [];
  for await (const piece of pieces) values.push(...piece);
  return values;
}
async function* once<Value>(values: readonly Value[]): AsyncIterable<readonly Value[]> {
  yield values;
}

/**
 * Copies the files of an installation's topics, and has them verified as they are.
 * @param data folder of the broker's logs. @returns the first finding in the copy as it is, and each partition with records.
 */
export async function segmentCopies({ settings, pool, log, home }: TestInstallation, data: string) {
  const copy = join(home, "copy");
  const prefix = settings.TOPIC_PREFIX;
  const folders = readdirSync(data).filter((name) => name.startsWith(prefix));
  for (const name of folders) cpSync(join(data, name), join(copy, name), { recursive: true });
  const copied = copiedLog(copy, prefix);
  const journal = await readJournalId(log);
  const second = new SecondPlace(notaryFolder(settings));
  const { publicKey } = notaryKey(readFileSync(String(process.env.TRIBUTARY_NOTARY_KEY_FILE), "utf8").trim());
  const report = await verifyLog({ log: copied, pool, second, journal, topics: ownTopics, keys: [publicKey] });

  const partitions: SegmentCopy[] = [];
  for (const topic of ownTopics) {
    for (const { partition, low, high } of await copied.watermarks(topic)) {
      if (high < 3) continue;
      const place = { journal, topic, partition };
      const folder = join(copy, `${prefix}${topic}-${partition}`);
      const files = readdirSync(folder).filter((file) => file.endsWith(".log"));
      const records: IncomingRecord[] = await all(copied.read(topic, partition, low, high));
      const segment = segmentOf(Buffer.concat(files.sort().map((file) => readFileSync(join(folder, file)))), records);
      const chain = await all(chainHashes(pool, place, 0, high));
      const heads = await signedHeads(pool, place);
      const { heads: exported, unreadable } = await second.readAll(place);
      // A copy of this partition alone: what lies in a folder is known by the folder's name.
      const alone = join(home, "altered", `${topic}-${partition}`);
      const file = join(alone, `${prefix}${topic}-0`, `${"0".repeat(20)}.log`);
      mkdirSync(join(alone, `${prefix}${topic}-0`), { recursive: true });
      const read = copiedLog(alone, prefix);
      partitions.push({
        name: `${topic}/${partition}`,
        segment,
        async findings(bytes) {
          writeFileSync(file, bytes);
          const [marks = { low: 0, high: 0 }] = await read.watermarks(topic);
          const { findings } = await verifyPartition({
            place,
            ...marks,
            records: read.read(topic, 0, marks.low, marks.high),
            chain: once(chain),
            chainedSize: high,
            heads,
            exported,
            unreadable,
            trusted: (key) => key.equals(publicKey),
            exportedBefore: 0,
          });
          return findings;
        },
      });
    }
  }
  return { first: report.first, partitions };
}

/**
 * Flips each bit of the last batch's offset in turn; gives those by which nothing is found there. An offset beyond what
 * numbers hold exactly makes the log seem longer than what can be read of it.
 */
export async function missedOffsetBits({ name, segment, findings }: SegmentCopy): Promise<string[]> {
  const whole = Buffer.concat(segment.batches.map(({ bytes }) => bytes));
  const last = segment.batches.at(-1);
  if (!last) return [`no batch in ${name}`];
  const missed: string[] = [];
  for (let bit = 0; bit < 64; bit += 1) {
    const bytes = Buffer.from(whole);
    const at = bytes.length - last.bytes.length + (bit >> 3);
    bytes[at] = (bytes[at] as number) ^ (1 << (bit & 7));
    const [found] = await findings(bytes);
    if (found?.offset !== last.first) missed.push(`bit ${bit} of the last offset in ${name}: ${JSON.stringify(found)}`);
  }
  return missed;
}
