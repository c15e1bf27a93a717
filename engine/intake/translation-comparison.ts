import type { EventMeta, EventType } from "../../schemas/events.generated.js";
import type { JournalledEventInput } from "../../schemas/intake/intake.generated.js";
import type { Codec } from "../log/codec.js";
import type { EventDraft } from "./connector.js";
import { type FinishedUnit, finishEvents } from "./finish-events.js";
import { factKey } from "./standing-facts.js";

/** An event as two translations are compared by it. */
export interface ComparedEvent {
  readonly type: EventType;
  readonly id: string;
  readonly key: string;
  readonly topic: string;
  readonly time: number;
  /** All that the event says, sealed content included; not its id, its generation and the like. */
  readonly says: string;
}

/** An event of the present translation, with the draft that it would be made of. */
export interface MadeEvent extends ComparedEvent {
  readonly draft: EventDraft;
}

/** What a translation made again changes, by event type. */
export interface TypeChanges {
  same: number;
  changed: number;
  withdrawn: number;
  new: number;
}

/** What an event says, as text. */
export function comparedEvent(
  codec: Pick<Codec, "decodeEvent" | "decodeSealed">,
  event: Pick<JournalledEventInput, "topic" | "key" | "value">,
  openedOf: (type: EventType, id: string, sealed: Buffer) => Buffer | null,
): ComparedEvent {
  const decoded = codec.decodeEvent(event.value);
  const { type } = decoded;
  const { meta, sealed, ...fields } = decoded.event as { readonly meta: EventMeta; readonly sealed?: Buffer | null };
  const opened = sealed ? openedOf(type, meta.id, sealed) : null;
  const { source, time, timePrecision, subject } = meta;
  const content = opened === null ? null : codec.decodeSealed(type, opened);
  const says = JSON.stringify([type, source, time, timePrecision, subject, fields, content]);
  return { type, id: meta.id, key: event.key, topic: event.topic, time, says };
}

/** The events of drafts, not sealed, to be compared. @returns undefined when one doesn't fit its schema. */
export function madeEvents(
  codec: Pick<Codec, "encode" | "encodeFinished" | "decodeEvent" | "decodeSealed">,
  unit: FinishedUnit,
  eventLimit: number,
): readonly MadeEvent[] | undefined {
  const finished = finishEvents(unit, {
    codec,
    connector: "",
    receiptId: "",
    seal: (_event, _subject, plaintext) => plaintext,
    eventLimit,
  });
  if (!("events" in finished)) return undefined;
  return finished.events.map((event, index) => ({
    ...comparedEvent(codec, event, (_type, _id, sealed) => sealed),
    draft: unit.events[index] as EventDraft,
  }));
}

/** Adds changes of one unit to those of all. */
export function addChanges(all: Map<EventType, TypeChanges>, more: ReadonlyMap<EventType, TypeChanges>): void {
  for (const [type, { same, changed, withdrawn, new: made }] of more) {
    const sum = all.get(type) ?? { same: 0, changed: 0, withdrawn: 0, new: 0 };
    all.set(type, {
      same: sum.same + same,
      changed: sum.changed + changed,
      withdrawn: sum.withdrawn + withdrawn,
      new: sum.new + made,
    });
  }
}

const grouped = <Event extends ComparedEvent>(events: readonly Event[]) => {
  const groups = new Map<string, Event[]>();
  for (const event of events) groups.set(factKey(event), [...(groups.get(factKey(event)) ?? []), event]);
  return groups;
};

const withdrawal = "FactWithdrawn";

/**
 * What has to be told so that what stands of a unit becomes what is made of it now: on every key whose events differ, all
 * that is made there now, or a withdrawal.
 * @param changes counts by type are added to.
 */
export function drafted(
  standing: readonly ComparedEvent[],
  made: readonly MadeEvent[],
  changes: Map<EventType, TypeChanges>,
): readonly EventDraft[] {
  const [before, now] = [grouped(standing.filter(({ type }) => type !== withdrawal)), grouped(made)];
  const drafts: EventDraft[] = [];
  for (const key of new Set([...before.keys(), ...now.keys()])) {
    const [old, fresh] = [before.get(key) ?? [], now.get(key) ?? []];
    count(old, fresh, changes);
    if (old.length === fresh.length && old.every(({ says }, index) => says === fresh[index]?.says)) continue;
    drafts.push(...fresh.map(({ draft }) => draft));
    const [gone] = old;
    if (fresh.length > 0 || !gone) continue;
    const { topic, time } = gone;
    const fields = { withdrawn: old.map(({ id }) => id) };
    drafts.push({ type: withdrawal, subject: gone.key, topic, time, fields });
  }
  return drafts;
}

/** Events of a type are held beside each other in their order. */
function count(
  old: readonly ComparedEvent[],
  fresh: readonly ComparedEvent[],
  changes: Map<EventType, TypeChanges>,
): void {
  for (const type of new Set([...old, ...fresh].map((event) => event.type))) {
    const [left, right] = [old, fresh].map((events) => events.filter((event) => event.type === type));
    const counts = changes.get(type) ?? { same: 0, changed: 0, withdrawn: 0, new: 0 };
    changes.set(type, counts);
    for (let at = 0; at < Math.max(left?.length ?? 0, right?.length ?? 0); at++) {
      const [one, other] = [left?.[at], right?.[at]];
      if (!one) counts.new++;
      else if (!other) counts.withdrawn++;
      else if (one.says === other.says) counts.same++;
      else counts.changed++;
    }
  }
}
