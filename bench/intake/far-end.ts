import { decodeEntries } from "../../engine/intake/decode-entries.js";
import { contentHash } from "../../engine/intake/keyed-hash.js";
import { connectCodec } from "../../engine/log/registry.js";
import { journalTopic } from "../../engine/log/schemas.js";
import { requireSetting } from "../../engine/service/settings.js";
import type { BenchPlace } from "./place.js";

/** What was sent on each connection, in order. */
export type Sent = readonly (readonly Uint8Array[])[];

interface Place {
  readonly lane: number;
  readonly index: number;
}

/**
 * Checks that the journal has every unit once, and those of a connection in the order sent; and, once the publisher has
 * caught up, that every patient's and visit's events are in the order in which their units were sent.
 * @throws Error that says what is missing or out of order.
 */
export async function checkFarEnd(place: BenchPlace, sent: Sent): Promise<readonly string[]> {
  const codec = await connectCodec(place.settings);
  const hash = contentHash(requireSetting(place.settings, "TRIBUTARY_SECRET"));
  const places = new Map<string, Place>();
  for (const [lane, units] of sent.entries())
    for (const [index, bytes] of units.entries()) places.set(hash([bytes]).toString("base64"), { lane, index });
  const found = new Map<string, Place>();
  const events = new Map<string, number>();
  for (const { partition, low, high } of await place.log.watermarks(journalTopic)) {
    const last = new Map<number, number>();
    for await (const records of place.log.read(journalTopic, partition, low, high)) {
      for (const entry of await decodeEntries(codec, records)) {
        if (entry.entry !== "UNIT") continue;
        const at = places.get(Buffer.from(entry.contentHash).toString("base64"));
        if (!at) throw new Error("the journal holds a unit that was never sent");
        if (at.index <= (last.get(at.lane) ?? -1))
          throw new Error(`connection ${at.lane}: out of order in the journal`);
        last.set(at.lane, at.index);
        found.set(entry.receiptId, at);
        for (const { topic } of entry.events) events.set(topic, (events.get(topic) ?? 0) + 1);
      }
    }
  }
  if (found.size !== places.size) throw new Error(`${places.size} units were accepted, the journal has ${found.size}`);
  const checked = [`all ${found.size} accepted units are in the journal, once, those of a connection in its order`];
  await place.start("publisher");
  for (const [topic, count] of events) checked.push(await checkOrder(place, codec, topic, count, found));
  return checked;
}

async function checkOrder(
  place: BenchPlace,
  codec: Awaited<ReturnType<typeof connectCodec>>,
  topic: string,
  count: number,
  found: ReadonlyMap<string, Place>,
): Promise<string> {
  const until = Date.now() + 120_000;
  for (;;) {
    const marks = await place.log.watermarks(topic);
    if (marks.reduce((sum, { low, high }) => sum + high - low, 0) >= count) break;
    if (Date.now() > until) throw new Error(`the publisher has not brought all events to ${topic}`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  const last = new Map<string, Place>();
  for (const { partition, low, high } of await place.log.watermarks(topic)) {
    for await (const records of place.log.read(topic, partition, low, high)) {
      for (const { key, value } of records) {
        const { event } = codec.decodeEvent(value as Buffer);
        const at = found.get(event.meta.causationId ?? "");
        if (!at) throw new Error(`${topic} holds an event of no unit that was sent`);
        const before = last.get(key);
        if (before && (before.lane !== at.lane || before.index > at.index))
          throw new Error(`${topic}: events of a key are out of order`);
        last.set(key, at);
      }
    }
  }
  return `${count} events of ${last.size} keys in ${topic}, each key's in the order sent`;
}
