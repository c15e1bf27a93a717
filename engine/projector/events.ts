import type { IncomingRecord } from "../log/log.js";
import { type EventPosition, parsePosition, positionHeader } from "../log/position.js";
import { TributaryError } from "../service/errors.js";
import type { EventType } from "./definition.js";
import { fingerprint } from "./last-record.js";
import type { Origin } from "./origins.js";
import { type ParkReason, parkedByOperator } from "./park-reason.js";
import type { Decoder } from "./ports.js";

/** A record as the lanes of a partition share it: read and decoded once, however many projections fold it. */
export interface LaneEvent {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly key: string;
  readonly position: EventPosition;
  /** Where a unit was translated again: whose place the event takes. */
  readonly origin: Origin | undefined;
  /**
   * Undefined when the bytes can't be decoded; `undecodable` then says why. Without a reason the event is one that an as-of
   * leaves out by what it says, and no fold is given it: it only takes the place of what it supersedes.
   */
  readonly type: EventType | undefined;
  readonly event: object;
  /** `meta.id`; null when the bytes can't be decoded. */
  readonly eventId: string | null;
  readonly undecodable: ParkReason | undefined;
  /** Of the last record of what was read at a time, see `fingerprint`; undefined for the others. */
  readonly fingerprint?: string | undefined;
  /** Where Postgres refused its rows in the build that folds it: it holds its key, whatever the fold says. */
  readonly refused?: ParkReason | undefined;
  /** Sealed bytes of the event, null when it has none. */
  readonly sealed: Buffer | null;
  /** Sealed content once opened, by whichever projection needed it first. */
  opened: object | null | undefined;
}

/** Which events count, of an as-of: those left out are as if they had never been. Pure: lanes ask again. */
export interface EventSelection {
  /** By its place: what is left out is not decoded. */
  position(position: EventPosition): boolean;
  /**
   * By what it says; asked about events that can be decoded. What a unit translated again says now stands, known as it is,
   * in the place of what it said before, also where this leaves it out.
   *
   * @param bytes as they are in the log.
   */
  event(event: object, bytes: Buffer): boolean;
}

export interface ReadContext {
  readonly topic: string;
  readonly partition: number;
  /** Our own topics: every event was published from the journal and carries its position. */
  readonly published: boolean;
  readonly decoder: Decoder;
  /** Default: all. */
  readonly selection?: EventSelection | undefined;
  /** Events that operators decided about, so that no reader needs to decode them; default none. */
  readonly decided?: (offset: number) => boolean;
  /** Called while a schema can't be learned yet; resolves when it's time to try again, throws to give up. */
  readonly wait: (error: unknown, attempt: number, offset: number) => Promise<void>;
}

interface EventMeta {
  readonly id?: string;
  readonly generation?: number;
  readonly origin?: { readonly partition: number; readonly offset: number } | null;
}

const undecodable = (reason: string): ParkReason => ({ code: "TRIB_PROJECT_EVENT_UNDECODABLE", reason });

function positionOf(record: IncomingRecord, context: ReadContext): EventPosition {
  const { topic, partition } = context;
  const header = record.headers[positionHeader];
  const position = header === undefined ? undefined : parsePosition(header);
  if (position) return position;
  // In topics of others an event is its own position.
  if (!context.published) {
    return { journal: topic, partition, offset: record.offset, index: 0, recordedAt: record.timestamp };
  }
  throw new TributaryError(
    "TRIB_PROJECT_POSITION_MISSING",
    `Offset ${record.offset} of ${topic}/${partition} carries no journal position.`,
    { topic, partition, offset: record.offset },
  );
}

function originOf({ generation = 0, origin }: EventMeta): Origin | undefined {
  return origin ? { partition: origin.partition, offset: origin.offset, generation } : undefined;
}

const hasCode = (error: unknown, code: string) => (error as { code?: unknown } | null)?.code === code;

/** The parts of an event that are the engine's; of a topic of others it has none. */
interface EventParts {
  readonly meta?: EventMeta;
  readonly sealed?: Buffer | null;
}
const nothing: EventParts = {};

type RecordWithValue = IncomingRecord & { readonly value: Buffer };
type Result = ReturnType<Decoder["decodeEvent"]> | ParkReason;

/** @returns undefined where the bytes are no event, or their schema isn't known yet. */
function cutOut({ value, offset }: IncomingRecord, { decided, decoder }: ReadContext): Result | undefined {
  if (value === null) return undecodable("the record has no value");
  if (decided?.(offset)) return parkedByOperator;
  try {
    return decoder.decodeEvent(value);
  } catch {
    return undefined;
  }
}

async function decoded({ offset, value }: RecordWithValue, context: ReadContext): Promise<Result> {
  for (let attempt = 0; ; attempt++) {
    // It may be decided while its schema is waited for.
    if (context.decided?.(offset)) return parkedByOperator;
    try {
      return context.decoder.decodeEvent(value);
    } catch (error) {
      // A data error, and a pure one: the same bytes never decode.
      if (!hasCode(error, "TRIB_LOG_UNKNOWN_SCHEMA")) return undecodable("the bytes are no event of a known schema");
      try {
        await context.decoder.learn(value);
      } catch (unlearned) {
        await context.wait(unlearned, attempt, offset);
      }
    }
  }
}

/**
 * Reads a batch of records.
 * @throws TRIB_PROJECT_POSITION_MISSING; what `wait` throws when a schema stays unknown.
 */
export async function readEvents(records: readonly IncomingRecord[], context: ReadContext): Promise<LaneEvent[]> {
  const events: LaneEvent[] = new Array(records.length);
  let count = 0;
  const { selection, decoder } = context;
  const last = records.at(-1);
  // By index, as all that is done for every event: an iterator makes an object for each.
  for (let index = 0; index < records.length; index++) {
    const record = records[index] as IncomingRecord;
    const position = positionOf(record, context);
    if (selection && !selection.position(position)) continue;
    let type: EventType | undefined;
    let event: EventParts = nothing;
    let why: ParkReason | undefined;
    const { within, valueStart = 0, valueEnd = -1 } = record;
    if (within && valueEnd >= 0 && !context.decided?.(record.offset)) {
      const reader = decoder.eventReader?.(within, valueStart);
      try {
        if (reader) event = reader.read(within, valueStart, valueEnd);
        type = reader?.type;
      } catch {
        // What is wrong is found out below, with the bytes cut out.
      }
    }
    if (type === undefined) {
      const result = cutOut(record, context) ?? (await decoded(record as RecordWithValue, context));
      if ("type" in result) ({ type, event } = result);
      else why = result;
    }
    const isOut = selection && type !== undefined && !selection.event(event, record.value as Buffer);
    const origin = context.published && event.meta?.generation ? originOf(event.meta) : undefined;
    if (isOut && !origin) continue;
    const sealed = (context.published && !isOut && event.sealed) || null;
    events[count++] = {
      topic: context.topic,
      partition: context.partition,
      offset: record.offset,
      key: record.key,
      position,
      origin,
      type: isOut ? undefined : type,
      event,
      eventId: (context.published && event.meta?.id) || null,
      undecodable: why,
      fingerprint: record === last ? fingerprint(record) : undefined,
      sealed,
      opened: sealed ? undefined : null,
    };
  }
  events.length = count;
  return events;
}

/**
 * An event that operators decided about for one projection, as it is to a reader who has only that: where others share the
 * partition it was decoded all the same. It replaces nothing, and nothing of it is told.
 */
export const asDecided = (event: LaneEvent): LaneEvent => ({
  ...event,
  origin: undefined,
  type: undefined,
  event: {},
  eventId: null,
  undecodable: parkedByOperator,
  sealed: null,
  opened: null,
});

/** Events as a build has them in which Postgres refused some, by offset. */
export const asRefused = (
  events: readonly LaneEvent[],
  refused: ReadonlyMap<number, ParkReason>,
): readonly LaneEvent[] =>
  refused.size === 0 || !events.some(({ offset }) => refused.has(offset))
    ? events
    : events.map((event) => refusedAs(event, refused.get(event.offset)));

/** What operators decided about stands, whatever was refused of it; what an as-of leaves out is refused by nobody. */
function refusedAs(event: LaneEvent, refused: ParkReason | undefined): LaneEvent {
  const isLeftOut = event.type === undefined && event.undecodable === undefined;
  return refused && !isLeftOut && event.undecodable !== parkedByOperator ? { ...event, refused } : event;
}

/** Reads what is read again, batch by batch. @throws as {@link readEvents}, and what the log throws. */
export async function* readEventsOf(
  batches: AsyncIterable<readonly IncomingRecord[]>,
  context: ReadContext,
): AsyncGenerator<readonly LaneEvent[]> {
  for await (const records of batches) yield await readEvents(records, context);
}
