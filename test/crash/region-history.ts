import { playRegion } from "../../bench/projector/region-journal.js";
import { generateRegion } from "../../demo/region.js";
import type { EventDraft, ReceivedUnit } from "../../engine/intake/connector.js";
import { type OutgoingEvent, standaloneCodec } from "../../engine/log/codec.js";
import { formatPosition, parsePosition, positionHeader } from "../../engine/log/position.js";
import type { Decision, EventPlace, RequestedAction } from "../../engine/projector/decisions.js";
import type { EventType } from "../../engine/projector/definition.js";
import { recorded } from "../../engine/testing/events.js";
import { type MemoryLog, memoryLog } from "../../engine/testing/memory-log.js";
import { testSurrogate } from "../../engine/testing/recording-intake.js";
import { Chance } from "../../engine/testing/simulation/random.js";
import { RecordingIntake } from "../../producers/x12/testing/recording-intake.js";
import { eventCatalog } from "../../schemas/events.generated.js";

export const partitions = 2;

/** A region's events as the publisher writes them, and what befell them. */
export interface RegionHistory {
  readonly log: MemoryLog;
  readonly topics: readonly string[];
  /** Ids of events whose sealed content belongs to a patient who was erased after them. */
  readonly forgotten: ReadonlySet<string>;
  /** What operators decided about them, for every read model of these names. */
  decided(projections: readonly string[]): readonly Decision[];
  readonly merges: number;
}

/** A unit on its way to the topics: its place in the journal is that of its feed's partition. */
interface Placed {
  readonly unit: ReceivedUnit;
  readonly partition: number;
  readonly offset: number;
}

interface Published {
  readonly draft: EventDraft;
  readonly id: string;
  readonly topic: string;
  readonly position: { readonly partition: number; readonly offset: number; readonly index: number };
  readonly origin?: { readonly partition: number; readonly offset: number };
  garbage: boolean;
}

const journal = "journal";
const firstRecorded = Date.UTC(2026, 0, 1);

const hasMerge = ({ events }: ReceivedUnit) => events.some(({ type }) => type === "PatientsMerged");

/** Units of every sender in its own order, the senders in any. */
async function unitsOf(seed: number, patients: number, chance: Chance): Promise<Placed[]> {
  let intake: RecordingIntake;
  do {
    intake = Object.assign(new RecordingIntake(), { surrogate: testSurrogate });
    const name = `crash points/${seed}/${chance.between(0, 1_000_000)}`;
    const given = intake;
    await playRegion(generateRegion({ seed: name, patients }), () => given);
  } while (!intake.published.some(hasMerge));
  const feeds = new Map<string, ReceivedUnit[]>();
  for (const unit of intake.published) {
    if (unit.events.length > 0) feeds.set(unit.partner, [...(feeds.get(unit.partner) ?? []), unit]);
  }
  const left = [...feeds.values()].map((units, partition) => ({ units, partition, offset: 0 }));
  const placed: Placed[] = [];
  for (;;) {
    const open = left.filter(({ units, offset }) => offset < units.length);
    if (open.length === 0) return placed;
    const feed = chance.pick(open);
    placed.push({ unit: feed.units[feed.offset] as ReceivedUnit, partition: feed.partition, offset: ++feed.offset });
  }
}

/**
 * A seeded region of a few people: merges, claims and visits from five senders, some of it published twice; two of the
 * people erased when most has come, a few units translated again, a few events that nobody can decode, and one of them
 * skipped, and another event held, by an operator.
 */
export async function regionHistory(
  seed: number,
  options: { readonly patients: number; readonly batchRecords: number },
): Promise<RegionHistory> {
  const chance = new Chance(seed);
  const placed = await unitsOf(seed, options.patients, chance);
  let number = 0;
  const ends = new Map<number, number>();
  const published: Published[] = [];
  const publish = (
    drafts: readonly EventDraft[],
    partition: number,
    origin?: { readonly partition: number; readonly offset: number },
  ) => {
    const offset = (ends.get(partition) ?? 0) + 1;
    ends.set(partition, offset);
    drafts.forEach((draft, index) => {
      const topic = draft.topic ?? (eventCatalog[draft.type].topics[0] as string);
      const place = { draft, topic, id: `event-${number++}`, position: { partition, offset, index }, garbage: false };
      published.push(origin ? { ...place, origin } : place);
    });
    return offset;
  };

  const subjectsOf = new Map<string, Map<string, EventDraft>>();
  for (const { unit } of placed) {
    for (const draft of unit.events) {
      const patient = (draft.fields as { readonly patientId?: string | null }).patientId ?? undefined;
      if (patient === undefined || eventCatalog[draft.type].topics[0] === "health.patient.events") continue;
      const subjects = subjectsOf.get(patient) ?? new Map<string, EventDraft>();
      subjectsOf.set(patient, subjects.set(draft.subject, draft));
    }
  }
  const erased = [...subjectsOf].slice(chance.between(0, Math.max(0, subjectsOf.size - 2))).slice(0, 2);
  const isErased = ({ sealFor }: EventDraft) => erased.some(([patient]) => patient === sealFor);
  const forgotten = new Set<string>();
  const told = new Map<Placed, number>();
  for (const [at, each] of placed.entries()) {
    told.set(each, publish(each.unit.events, each.partition));
    const begun = at / placed.length;
    if (begun > 0.5 && chance.of(0.06)) {
      const again = chance.pick([...told.keys()].filter(({ unit }) => !unit.events.some(isErased)));
      publish(again.unit.events, again.partition, { partition: again.partition, offset: told.get(again) as number });
      told.delete(again);
    }
    if (at !== Math.floor(placed.length * 0.8)) continue;
    // What is sealed for them from now on is sealed with keys made after the erasure, and is opened.
    for (const { draft, id } of published) if (isErased(draft)) forgotten.add(id);
    for (const [patient, subjects] of erased) {
      const time = firstRecorded;
      const drafts: EventDraft[] = [{ type: "PatientErased", subject: patient, time, fields: {} }];
      for (const [subject, { type }] of subjects) {
        const topic = eventCatalog[type].topics[0] as string;
        drafts.push({ type: "SubjectErased", subject, topic, time, fields: { patientId: patient } });
      }
      publish(drafts, 9);
    }
  }
  // What is held was said before somebody was erased, so that erasures of held keys are among it.
  const plain = published.filter(({ origin, draft }) => !origin && !draft.type.endsWith("Erased"));
  // Of every topic, so that every consumer meets some.
  const garbage = [...new Set(plain.map(({ topic }) => topic))].flatMap((name) => {
    const ofTopic = plain.filter(({ topic }) => topic === name);
    return [chance.pick(ofTopic), chance.pick(ofTopic)];
  });
  for (const event of garbage) event.garbage = true;
  const operators = new Map<RequestedAction, Published>([
    ["skip", garbage[0] as Published],
    ["park", chance.pick(plain)],
  ]);

  const log = memoryLog({ partitions, batchRecords: options.batchRecords });
  const codec = standaloneCodec();
  const producer = await log.producer();
  const records = published.map((each) => recordOf(each, codec));
  for (let at = 0; at < records.length; at += 9) {
    for (let time = chance.of(0.3) ? 2 : 1; time > 0; time--) await producer.append(records.slice(at, at + 9));
  }
  const placeOf = ({ topic, position }: Published): EventPlace => {
    for (let partition = 0; partition < partitions; partition++) {
      const found = log.records(topic, partition).find(({ headers }) => {
        const there = parsePosition(headers[positionHeader] ?? "");
        return (["partition", "offset", "index"] as const).every((part) => there?.[part] === position[part]);
      });
      if (found) return { topic, partition, offset: found.offset };
    }
    throw new Error("an event is not in the log");
  };
  return {
    log,
    topics: [...new Set(published.map(({ topic }) => topic))],
    forgotten,
    decided: (projections) =>
      projections.flatMap((projection) =>
        [...operators].map(([action, event]) => ({
          id: `${projection} ${action}`,
          action,
          projection,
          ...placeOf(event),
          actor: "operator",
          time: firstRecorded,
          reason: "told so",
          key: null,
          position: null,
          eventId: null,
          eventType: null,
        })),
      ),
    merges: published.filter(({ draft }) => draft.type === "PatientsMerged").length,
  };
}

function recordOf(
  { draft, id, topic, position, origin, garbage }: Published,
  codec: ReturnType<typeof standaloneCodec>,
) {
  const { type, subject, time, timePrecision, fields, sealed } = draft;
  const meta = {
    id,
    ...(timePrecision ? { timePrecision } : {}),
    ...(origin ? { generation: 1, origin: { journal, ...origin } } : {}),
  };
  const given = { type, key: subject, time, fields, meta } as Parameters<typeof recorded>[0][number];
  const [{ event } = { event: {} }] = recorded([given]);
  const bytes = codec.encodeEvent(type, {
    ...(event as OutgoingEvent<EventType>),
    sealed: sealed ? codec.encodeSealed(type as never, sealed as never) : null,
  } as never);
  const recordedAt = firstRecorded + position.offset * 1000;
  return {
    topic,
    key: subject,
    value: garbage ? Buffer.from(`garbage ${id}`) : bytes,
    headers: { [positionHeader]: formatPosition({ journal, ...position, recordedAt }) },
  };
}
