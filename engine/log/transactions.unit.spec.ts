import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { crc32c } from "./crc32c.js";
import { copiedLog } from "./segments.js";

const folder = mkdtempSync(join(tmpdir(), "tributary-segments-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const transactional = 0x10;
const control = 0x20;

/** A batch of one record as a broker keeps it (format 2). */
function batch(offset: number, attributes: number, producer: number, key: Buffer, value: Buffer): Buffer {
  const body = Buffer.concat([
    Buffer.from([0, 0, 0, key.length * 2]),
    key,
    Buffer.from([value.length * 2]),
    value,
    Buffer.from([0]),
  ]);
  const bytes = Buffer.concat([Buffer.alloc(61), Buffer.from([body.length * 2]), body]);
  bytes.writeBigInt64BE(BigInt(offset), 0);
  bytes.writeInt32BE(bytes.length - 12, 8);
  bytes[16] = 2;
  bytes.writeInt16BE(attributes, 21);
  bytes.writeBigInt64BE(BigInt(producer), 43);
  bytes.writeInt32BE(1, 57);
  bytes.writeUInt32BE(crc32c(bytes.subarray(21)), 17);
  return bytes;
}
const plain = (offset: number) => batch(offset, 0, -1, Buffer.from("k"), Buffer.from(`v${offset}`));
const within = (offset: number, producer: number) =>
  batch(offset, transactional, producer, Buffer.from("k"), Buffer.from(`v${offset}`));
const end = (offset: number, producer: number, isCommit: boolean) =>
  batch(offset, transactional | control, producer, Buffer.from([0, 0, 0, isCommit ? 1 : 0]), Buffer.from([0, 0]));

it("a copy of a broker's folder shows what a consumer is shown: nothing of what was aborted, nor of what has no end", async () => {
  const batches = [plain(0), within(1, 7), within(2, 8), end(3, 7, false), within(4, 7), end(5, 8, true)];
  batches.push(end(6, 7, true), within(7, 7), plain(8));
  const place = join(folder, "p.topic-0");
  mkdirSync(place);
  // In two files: what became of a transaction may stand in the next one.
  writeFileSync(join(place, "00000000000000000000.log"), Buffer.concat(batches.slice(0, 3)));
  writeFileSync(join(place, "00000000000000000003.log"), Buffer.concat(batches.slice(3)));
  const log = copiedLog(folder, "p.");
  expect(await log.watermarks("topic")).toEqual([{ partition: 0, low: 0, high: 9 }]);
  const shown: [number, string][] = [];
  for await (const records of log.read("topic", 0, 0, 9)) {
    shown.push(...records.map(({ offset, value }): [number, string] => [offset, String(value)]));
  }
  expect(shown).toEqual([0, 2, 4, 8].map((offset) => [offset, `v${offset}`]));
});
