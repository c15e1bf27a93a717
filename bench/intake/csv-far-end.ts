import { decodeEntries } from "../../engine/intake/decode-entries.js";
import { contentHash } from "../../engine/intake/keyed-hash.js";
import { connectCodec } from "../../engine/log/registry.js";
import { journalTopic } from "../../engine/log/schemas.js";
import { requireSetting } from "../../engine/service/settings.js";
import type { RowKind } from "./csv-rows.js";
import type { BenchPlace } from "./place.js";

/** Rows that were sent as one file. */
export interface SentFile {
  readonly kind: RowKind;
  readonly from: number;
  readonly to: number;
}

type Codec = Awaited<ReturnType<typeof connectCodec>>;

/**
 * Checks that the journal has every file's rows byte for byte, once and in order, each accepted with one event, and that
 * what the events say was paid adds up to what the files say; then, with the publisher started, that the topics have the
 * same events, once, those of a key in the order of the rows.
 * @param sent files in the order in which each partner sent them.
 * @param published how many of the files, from the first, are looked for in the topics too.
 * @throws Error that says what is missing or out of order.
 */
export async function checkRows(
  place: BenchPlace,
  sent: readonly SentFile[],
  published: number,
): Promise<readonly string[]> {
  const codec = await connectCodec(place.settings);
  const hash = contentHash(requireSetting(place.settings, "TRIBUTARY_SECRET"));
  const waiting = new Map<string, SentFile[]>();
  for (const file of sent) waiting.set(file.kind.partner, [...(waiting.get(file.kind.partner) ?? []), file]);
  const counted = new Set(sent.slice(0, published));
  /** By topic: the place of each event's row among all rows. */
  const expected = new Map<string, Map<string, number>>();
  let rows = 0;
  let cents = 0;
  for (const { partition, low, high } of await place.log.watermarks(journalTopic)) {
    const open = new Map<string, { readonly file: SentFile; next: number; ordinal: number }>();
    for await (const records of place.log.read(journalTopic, partition, low, high)) {
      for (const entry of await decodeEntries(codec, records)) {
        if (!entry.transport) continue;
        const { transmissionId, ordinal } = entry.transport;
        let reading = open.get(transmissionId);
        if (!reading) {
          const file = waiting.get(entry.partner)?.shift();
          if (!file) throw new Error("the journal holds a file that was never sent");
          reading = { file, next: file.from, ordinal: 0 };
          open.set(transmissionId, reading);
        }
        if (ordinal !== reading.ordinal++) throw new Error("entries out of order");
        const { kind, from, to } = reading.file;
        if (entry.entry === "CLOSING") {
          if (reading.next !== to || entry.closing?.units !== to - from) throw new Error("a file lacks rows");
          open.delete(transmissionId);
        }
        if (entry.entry !== "UNIT") continue;
        const number = reading.next++;
        const [event] = entry.events;
        if (!entry.accepted || entry.events.length !== 1 || !event) throw new Error(`row ${number} made no event`);
        if (!hash([Buffer.from(kind.row(number))]).equals(entry.contentHash)) throw new Error(`row ${number} differs`);
        const paid = paidIn(codec, event.value);
        if (paid !== kind.paid(number)) throw new Error(`row ${number} says another amount`);
        rows += 1;
        cents += paid ?? 0;
        if (!counted.has(reading.file)) continue;
        const places = expected.get(event.topic) ?? new Map<string, number>();
        expected.set(event.topic, places.set(event.id, rows));
      }
    }
    if (open.size > 0) throw new Error("a file has no closing entry");
  }
  const files = sent.reduce((sum, { from, to }) => sum + to - from, 0);
  if (rows !== files) throw new Error(`${files} rows were answered, the journal has ${rows}`);
  const checked = [
    `all ${rows} rows are in the journal, byte for byte, once and in the order of their files, each with its event`,
    `their events say that ${(cents / 100).toFixed(2)} were paid, as the rows do`,
  ];
  await place.start("publisher");
  for (const [topic, places] of expected) checked.push(await checkTopic(place, codec, topic, places));
  return checked;
}

/** What an event says was paid; null where it tells none. */
function paidIn(codec: Codec, value: Buffer): number | null {
  const { type, event } = codec.decodeEvent(value);
  return type === "ClaimAdjudicated" ? event.paidAmount : null;
}

async function checkTopic(
  place: BenchPlace,
  codec: Codec,
  topic: string,
  places: ReadonlyMap<string, number>,
): Promise<string> {
  const until = Date.now() + 180_000;
  for (;;) {
    const marks = await place.log.watermarks(topic);
    if (marks.reduce((sum, { low, high }) => sum + high - low, 0) >= places.size) break;
    if (Date.now() > until) throw new Error(`the publisher has not brought all events to ${topic}`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  const seen = new Set<string>();
  const last = new Map<string, number>();
  for (const { partition, low, high } of await place.log.watermarks(topic)) {
    for await (const records of place.log.read(topic, partition, low, high)) {
      for (const { key, value } of records) {
        const { id } = codec.decodeEvent(value as Buffer).event.meta;
        const at = places.get(id);
        // Of a file that is not looked for.
        if (at === undefined) continue;
        if (seen.has(id)) throw new Error(`${topic}: an event stands twice`);
        if ((last.get(key) ?? -1) > at) throw new Error(`${topic}: events of a key are out of order`);
        seen.add(id);
        last.set(key, at);
      }
    }
  }
  if (seen.size !== places.size) throw new Error(`${topic} has ${seen.size} of ${places.size} events`);
  return `${seen.size} events of ${last.size} keys in ${topic}, once, each key's in the order of the rows`;
}
