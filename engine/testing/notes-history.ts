import { standaloneCodec } from "../log/codec.js";
import type { Log } from "../log/log.js";
import { formatPosition, positionHeader } from "../log/position.js";
import type { Decision } from "../projector/decisions.js";
import { recorded } from "./events.js";
import { keyOf, type Note, topic } from "./notes.js";

const keys = 90;
const eventCount = 2_400;
const codec = standaloneCodec();

/**
 * Notes about many visits from two feeds, stretches of which stand twice as after a crash of the publisher; rows that go
 * and come again, keys parked by the fold, by a value, by broken bytes and by an operator, and an event that one left out.
 * @returns what the operator decided.
 */
export async function appendNotesHistory(log: Log, partitions: number): Promise<readonly Decision[]> {
  const acts: readonly Note["act"][] = ["set", "line", "set", "line", "delete", "line", "set"];
  const texts = ["a", "b", "c, {NULL}", 'd\\ "quoted"', "é😀", ""];
  const inputs = recorded(
    Array.from({ length: eventCount }, (_, index) => {
      const key = (index * 7) % keys;
      const poison = new Map<number, Note["act"]>([
        [3, "park"],
        [4, "throw"],
        [5, "overflow"],
      ]).get(key);
      const act = poison && index > eventCount / 2 ? poison : (acts[(index * 5) % acts.length] as Note["act"]);
      const note: Note = { act, value: texts[(index * 11) % texts.length] as string };
      return {
        type: "VisitUpdated" as const,
        key: keyOf(key),
        fields: { facility: JSON.stringify(note), authority: "spec" },
      };
    }),
  );
  const producer = await log.producer();
  const places = new Map<number, { partition: number; offset: number }>();
  const decided: Decision[] = [];
  const records = inputs.map(({ key, event, position }, index) => {
    const number = Number(key.slice(-4));
    const garbage = number === 6 && index > eventCount / 3;
    return {
      topic,
      partition: number % partitions,
      key,
      value: garbage ? Buffer.from("garbage") : codec.encodeEvent("VisitUpdated", event as never),
      headers: { [positionHeader]: formatPosition({ ...position, partition: number % 2 }) },
    };
  });
  const stretch = 60;
  for (let at = 0; at < records.length; at += stretch) {
    const appended = await producer.append(records.slice(at, at + stretch));
    appended.forEach((place, index) => {
      places.set(at + index, place);
    });
    if (at % (stretch * 3) === 0) await producer.append(records.slice(at, at + stretch));
  }
  await producer.close();
  for (const [index, action] of [
    [800, "skip"],
    [900, "park"],
  ] as const) {
    const place = places.get(index) as { partition: number; offset: number };
    const rest = { key: null, position: null, eventId: null, eventType: null };
    decided.push({
      id: action,
      action,
      projection: "notes",
      actor: "spec",
      time: 0,
      reason: "r",
      topic,
      ...place,
      ...rest,
    });
  }
  return decided;
}

/** Gives fewer records at a time than the real log, which it reads. */
export const inPieces = (log: Pick<Log, "read" | "watermarks">): Pick<Log, "read" | "watermarks"> => ({
  watermarks: (topic) => log.watermarks(topic),
  async *read(...place) {
    for await (const records of log.read(...place)) {
      for (let at = 0; at < records.length; at += 20) yield records.slice(at, at + 20);
    }
  },
});
