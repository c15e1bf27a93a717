import { standaloneCodec } from "../log/codec.js";
import { openJournal } from "../log/genesis.js";
import type { Log } from "../log/log.js";
import { formatPosition, positionHeader } from "../log/position.js";
import { journalTopic } from "../log/schemas.js";
import type { Decision } from "../projector/decisions.js";
import type { FoldInput } from "../projector/fold.js";
import type { Decoder } from "../projector/ports.js";
import { TributaryError } from "../service/errors.js";
import { recorded } from "./events.js";
import { keyOf, type Note, topic } from "./notes.js";

const codec = standaloneCodec();
const unknown = Buffer.from("of a schema that nobody knows");
const unlearned = () => new TributaryError("TRIB_LOG_UNKNOWN_SCHEMA");

/** Knows every schema but that of the event which an operator left out. */
export const unitsDecoder: Decoder = {
  decodeEvent(value) {
    if (unknown.equals(value)) throw unlearned();
    return codec.decodeEvent(value);
  },
  learn: () => Promise.reject(unlearned()),
};
export const units = 60;
const eventsPerUnit = 4;
/** Units of which each stretch is recorded a little after the one before. */
const stretch = 20;
const hour = 3_600_000;
const firstTime = Date.UTC(2026, 0, 1);
/** Its events say that they happened long before those that came before them. */
export const backDated = 33;
export const timeOfUnit = (unit: number) => firstTime + (unit === backDated ? -hour : unit * hour);

export interface PlayedUnits {
  /** In the order of the log, each once, at the place that it got there. */
  readonly inputs: readonly FoldInput[];
  readonly decided: readonly Decision[];
}

export const placeOfUnit = (unit: number) => ({ partition: unit % 2, offset: 1 + Math.floor(unit / 2) });

function actOf(unit: number, index: number): Note["act"] {
  // Some keys, whichever units fall into the time that is asked for.
  if (unit >= 30 && unit % 3 === 0 && index === 3) return "park";
  return (["set", "line", "set", "delete"] as const)[(unit + index) % 4] as Note["act"];
}

/** Units of two feeds in the journal, and their events as a publisher sends them: a stretch of each feed in turn, twice. */
export async function playUnits(log: Log): Promise<PlayedUnits> {
  const journal = await openJournal(log, codec);
  const producer = await log.producer();
  for (let unit = 0; unit < units; unit++) {
    if (unit % stretch === 0) await new Promise((resolve) => setTimeout(resolve, 60));
    const { partition } = placeOfUnit(unit);
    await producer.append([{ topic: journalTopic, partition, key: `feed-${partition}`, value: Buffer.from([unit]) }]);
  }
  const times = new Map<string, number>();
  for (const { partition, high } of await log.watermarks(journalTopic)) {
    let latest = 0;
    for await (const batch of log.read(journalTopic, partition, 0, high)) {
      for (const { offset, timestamp } of batch) {
        latest = Math.max(latest, timestamp);
        times.set(`${partition}/${offset}`, latest);
      }
    }
  }
  const made = recorded(
    Array.from({ length: units * eventsPerUnit }, (_, at) => {
      const unit = Math.floor(at / eventsPerUnit);
      const index = at % eventsPerUnit;
      const note: Note = { act: actOf(unit, index), value: `unit ${unit}` };
      return {
        type: "VisitUpdated" as const,
        key: keyOf((unit * 3 + index * 5) % 17),
        time: timeOfUnit(unit),
        fields: { facility: JSON.stringify(note), authority: "spec" },
      };
    }),
  ).map((input, at) => {
    const { partition, offset } = placeOfUnit(Math.floor(at / eventsPerUnit));
    const recordedAt = times.get(`${partition}/${offset}`) as number;
    return { ...input, position: { journal, partition, offset, index: at % eventsPerUnit, recordedAt } };
  });
  // The first event that nobody can decode.
  const garbage = made.find(({ position }) => position.offset === 12 && position.index === 1) as FoldInput;
  const feeds = [0, 1].map((feed) => made.filter(({ position }) => position.partition === feed));
  const sent: FoldInput[] = [];
  for (let at = 0; at < made.length / 2; at += 30) {
    for (const feed of feeds) sent.push(...feed.slice(at, at + 30));
    for (const feed of feeds) sent.push(...feed.slice(at, at + 30));
  }
  const undecided = made.find(({ position }) => position.offset === 5 && position.index === 0);
  const bytesOf = (input: FoldInput, at: number) => {
    if (input === garbage) return Buffer.from("garbage");
    return input === undecided && sent.indexOf(input) === at
      ? unknown
      : codec.encodeEvent("VisitUpdated", input.event as never);
  };
  const appended = await producer.append(
    sent.map((input, at) => ({
      topic,
      partition: Number(input.key.slice(-4)) % 3,
      key: input.key,
      value: bytesOf(input, at),
      headers: { [positionHeader]: formatPosition(input.position) },
    })),
  );
  await producer.close();
  const inputs = [...new Set(sent)].map((input) => {
    const { partition, offset } = appended[sent.indexOf(input)] as { partition: number; offset: number };
    return { ...input, undecodable: input === garbage, source: { topic, partition, offset } };
  });
  const skipped = inputs.find(({ position }) => position.offset === 5 && position.index === 0) as FoldInput;
  const rest = { key: null, position: null, eventId: null, eventType: null, projection: "notes" };
  const decided: Decision[] = [
    { id: "1", action: "skip", actor: "spec", time: 0, reason: "r", ...skipped.source, ...rest },
  ];
  return { inputs, decided };
}
