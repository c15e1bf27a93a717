import type { Log } from "../log/log.js";
import type { Decisions } from "./decisions.js";
import { type LaneEvent, type ReadContext, readEvents } from "./events.js";
import { keyHistory } from "./key-history.js";
import { waitingFrom, withEvent } from "./origins.js";
import { type ParkReason, writeRefused } from "./park-reason.js";
import type { Decoder, Opener } from "./ports.js";
import { Positions } from "./positions.js";
import type { PureFold } from "./pure.js";
import { openSealed } from "./sealed-content.js";

/** What a projection is recomputed from. */
export interface FoldSource {
  readonly log: Pick<Log, "read">;
  /** Of the projection's topics. */
  readonly decoder: Decoder;
  readonly opener: Opener;
  /** What operators decided about events, read just before; default nothing. */
  readonly decisions?: Pick<Decisions, "decisionAt">;
}

/**
 * Events that Postgres itself refused, `topic/partition/offset`: no fold can know. True where their keys are held at them by
 * now; else they were released when a unit was translated again.
 */
export type RefusedEvents = ReadonlyMap<string, boolean>;

export interface FoldedPartition {
  readonly topic: string;
  readonly partition: number;
  /** Offset before which it is folded. */
  readonly to: number;
  readonly refused: RefusedEvents;
  /** Records that count; default all. All of a key, or a key of which nothing is asked. */
  readonly only?: (record: { readonly key: string; readonly offset: number }) => boolean;
  /** Told of each event when it is folded. */
  readonly told?: (event: LaneEvent) => void;
}

const refusal: ParkReason = { code: writeRefused, reason: "" };

/** Folds one partition from its start. @returns how many events were new. */
export async function foldPartition(source: FoldSource, pure: PureFold, place: FoldedPartition): Promise<number> {
  const { topic, partition, to, refused, only, told } = place;
  const positions = new Positions(undefined, "{}");
  const published = pure.layout.definition.topic === undefined;
  let events = 0;
  const context: ReadContext = {
    topic,
    partition,
    published,
    decoder: source.decoder,
    decided: (offset) => source.decisions?.decisionAt(topic, partition, offset) !== undefined,
    wait: async (error) => {
      throw error;
    },
  };
  const history = keyHistory(source.log, context);
  /** What stands of keys that a unit translated again concerned so far. */
  const standing = new Map<string, readonly LaneEvent[]>();
  const nameOf = (offset: number) => `${topic}/${partition}/${offset}`;
  const isRefused = ({ offset }: LaneEvent) =>
    refused.has(nameOf(offset)) && source.decisions?.decisionAt(topic, partition, offset) !== "skip";
  /** Keys held at what Postgres refused: where, and what their rows are made of. What came since waits. */
  const refusedAt = new Map<string, number>();
  const made = new Map<string, readonly LaneEvent[]>();
  const apply = (event: LaneEvent): void => {
    const { key } = event;
    const before = standing.get(key);
    const heldAt = refusedAt.get(key);
    if (isRefused(event) && heldAt === undefined) refusedAt.set(key, event.offset);
    if (before) {
      const after = withEvent(before, event);
      standing.set(key, after);
      if (event.origin && !isRefused(event) && !(heldAt !== undefined && refused.get(nameOf(heldAt)))) {
        pure.retell(event, made.get(key) ?? before, after, heldAt);
        refusedAt.delete(key);
        made.delete(key);
        return;
      }
      if (refusedAt.has(key)) made.set(key, [...(made.get(key) ?? before), ...waitingFrom(0, [event])]);
    }
    const held = event.undecodable ?? (isRefused(event) ? refusal : undefined);
    pure.apply({
      type: event.type,
      key: event.key,
      event: event.event,
      sealed: event.opened ?? null,
      position: event.position,
      source: { topic, partition, offset: event.offset },
      ...(held ? { undecodable: held } : {}),
    });
  };
  for await (const all of source.log.read(topic, partition, 0, to)) {
    const records = only ? all.filter(only) : all;
    const read = await readEvents(records, context);
    // In topics of others an event is its own position.
    const fresh = published ? read.filter(({ position, eventId }) => positions.take(position, eventId)) : read;
    if (pure.layout.readsSealed) await openSealed(fresh, source.opener);
    const again = new Set(fresh.filter(({ origin, key }) => origin && !standing.has(key)).map(({ key }) => key));
    if (again.size > 0) {
      const before = await history(again, records[0]?.offset ?? 0);
      if (pure.layout.readsSealed) await openSealed([...before.values()].flat(), source.opener);
      for (const [key, events] of before) standing.set(key, events);
    }
    for (const event of fresh) {
      apply(event);
      told?.(event);
    }
    events += fresh.length;
  }
  return events;
}
