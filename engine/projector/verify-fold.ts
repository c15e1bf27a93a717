import type { Log } from "../log/log.js";
import type { Decisions } from "./decisions.js";
import { type LaneEvent, type ReadContext, readEvents } from "./events.js";
import type { ParkReason } from "./fold.js";
import { keyHistory } from "./key-history.js";
import { withEvent } from "./origins.js";
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

export interface FoldedPartition {
  readonly topic: string;
  readonly partition: number;
  /** Offset before which it is folded. */
  readonly to: number;
  /** Events that Postgres itself refused, and holds or held their keys at, `topic/partition/offset`: no fold can know. */
  readonly refused: ReadonlySet<string>;
  /** Records that count; default all. All of a key, or a key of which nothing is asked. */
  readonly only?: (record: { readonly key: string; readonly offset: number }) => boolean;
  /** Told of each event when it is folded. */
  readonly told?: (event: LaneEvent) => void;
}

export const refusal: ParkReason = { code: "TRIB_PROJECT_WRITE_REFUSED", reason: "" };

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
  const isRefused = ({ offset }: LaneEvent) =>
    refused.has(`${topic}/${partition}/${offset}`) && source.decisions?.decisionAt(topic, partition, offset) !== "skip";
  const apply = (event: LaneEvent): void => {
    const before = standing.get(event.key);
    if (before && !(event.origin && isRefused(event))) {
      const after = withEvent(before, event);
      standing.set(event.key, after);
      if (event.origin) {
        pure.retell(event, before, after, before.find(isRefused)?.offset);
        return;
      }
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
