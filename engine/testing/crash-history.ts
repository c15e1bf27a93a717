import fc from "fast-check";
import { type OutgoingEvent, standaloneCodec } from "../log/codec.js";
import { formatPosition, positionHeader } from "../log/position.js";
import type { Act } from "./crash-projection.js";
import { recorded } from "./events.js";
import { type MemoryLog, memoryLog } from "./memory-log.js";

export const crashTopic = "health.visit.events";
/** Of which two, three and four are parked by what they are told, and five by bytes that are no event. */
const keys = 8;
const keyOf = (number: number) => `00000000-0000-4000-8000-${String(number).padStart(12, "0")}`;
const poison = new Map<number, Act>([
  [2, "park"],
  [3, "throw"],
  [4, "overflow"],
]);
const undecodableKey = 5;
export const parkedKeysOfHistory = poison.size + 1;

/**
 * A seeded history in two partitions: facts about a few visits from two feeds, one stretch in three repeated as after a
 * crash of the publisher, and one poisoned event for each way to park a key, amid facts about all others.
 */
export async function crashHistory(seed: number, options: { readonly batchRecords: number }): Promise<MemoryLog> {
  const fact = fc.record({
    key: fc.nat(keys - 1),
    feed: fc.nat(1),
    act: fc.constantFrom<Act>("set", "set", "line", "line", "delete"),
    value: fc.constantFrom<string>("a", "b", "c", "d\\{NULL}"),
  });
  const facts = fc.sample(fact, { seed, numRuns: 48 });
  const codec = standaloneCodec();
  const places = fc.sample(fc.shuffledSubarray([12, 18, 24, 30], { minLength: 4 }), { seed, numRuns: 1 })[0] ?? [];
  [...poison].forEach(([key, act], index) => {
    facts.splice(places[index] as number, 0, { key, feed: 0, act, value: "x" });
  });
  facts.splice(places[3] as number, 0, { key: undecodableKey, feed: 1, act: "set", value: "garbage" });
  const events = recorded(
    facts.map(({ key, act, value }, index) => ({
      type: "VisitUpdated",
      key: keyOf(key),
      fields: { facility: `${act} ${value}`, authority: "authority" },
      sealed: { visitNumber: `number ${index}` },
    })),
  );
  const records = events.map(({ event, key, sealed, position }, index) => {
    const { key: number, feed, value } = facts[index] as (typeof facts)[number];
    const bytes = codec.encodeEvent("VisitUpdated", {
      ...(event as OutgoingEvent<"VisitUpdated">),
      sealed: codec.encodeSealed("VisitUpdated", sealed as { visitNumber: string }),
    });
    const garbage = number === undecodableKey && value === "garbage";
    return {
      topic: crashTopic,
      partition: number % 2,
      key,
      value: garbage ? Buffer.from("garbage") : bytes,
      headers: { [positionHeader]: formatPosition({ ...position, partition: feed }) },
    };
  });
  const log = memoryLog({ partitions: 2, batchRecords: options.batchRecords });
  const producer = await log.producer();
  const stretch = 9;
  for (let at = 0; at < records.length; at += stretch) {
    await producer.append(records.slice(at, at + stretch));
    if (at % (stretch * 3) === 0) await producer.append(records.slice(at, at + stretch));
  }
  return log;
}
