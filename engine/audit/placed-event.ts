import type { EventType } from "../../schemas/events.generated.js";
import type { Codec } from "../log/codec.js";
import type { Log } from "../log/log.js";
import { type EventPosition, parsePosition, positionHeader } from "../log/position.js";
import { type Origin, withEvent } from "../projector/origins.js";
import { Positions } from "../projector/positions.js";
import { TributaryError } from "../service/errors.js";
import { decodeWith } from "./decode.js";
import { type PlacedRecord, placeName } from "./read-places.js";

/** An event of the log, decoded, with where it stands among those of its key. */
export interface PlacedEvent extends PlacedRecord {
  readonly type: EventType;
  readonly event: Readonly<Record<string, unknown>> & {
    readonly meta: { readonly id: string; readonly source: string; readonly time: number };
    readonly sealed?: Buffer | null;
  };
  readonly position: EventPosition;
  /** Where its unit was translated again: the unit whose place it takes. */
  readonly origin: Origin | undefined;
}

/** @throws TRIB_CLI_NOT_FOUND for an event that was not published from the journal; as {@link decodeWith}. */
export async function placedEvent(codec: Codec, placed: PlacedRecord): Promise<PlacedEvent> {
  const { record } = placed;
  const { type, event } = await decodeWith(codec, record.value ?? Buffer.alloc(0));
  const position = parsePosition(record.headers[positionHeader] ?? "");
  if (!position) throw new TributaryError("TRIB_CLI_NOT_FOUND", `${placeName(placed)} has no journal position.`);
  const { origin, generation } = event.meta;
  return {
    ...placed,
    type,
    event: event as unknown as PlacedEvent["event"],
    position,
    origin: origin ? { partition: origin.partition, offset: origin.offset, generation } : undefined,
  };
}

/** What can't be decoded is about nobody; its key is parked in the read models. */
export function undecodable(error: unknown): undefined {
  if (error instanceof TributaryError && error.code === "TRIB_LOG_UNDECODABLE") return undefined;
  throw error;
}

/** Events of one key, by the one rule of {@link withEvent}. */
export interface KeyLife {
  /** In the order of the log. */
  readonly all: readonly PlacedEvent[];
  /** In the order of their origins, without those superseded. */
  readonly standing: readonly PlacedEvent[];
}

/** @param refused places of events that Postgres refused in a build, whose life of the key it is then: see `withEvent`. */
export function lifeOf(all: readonly PlacedEvent[], refused: ReadonlySet<string> = new Set()): KeyLife {
  const placed = all.map((event) => {
    const { position, origin } = event;
    return { event, position, origin, refused: refused.has(placeName(event)) ? event : undefined };
  });
  const standing = placed.reduce<readonly (typeof placed)[number][]>(withEvent, []);
  return { all, standing: standing.map(({ event }) => event) };
}

/** Some keys of one partition. */
export interface KeysOfLane {
  readonly topic: string;
  readonly partition: number;
  readonly keys: ReadonlySet<string>;
}

/** All events of some keys, superseded ones too, by key; repetitions of the publisher are left out. Reads each partition once. */
export async function livesOf(
  log: Pick<Log, "read" | "watermarks">,
  codec: Codec,
  { topic, partition, keys }: KeysOfLane,
): Promise<ReadonlyMap<string, KeyLife>> {
  const found = new Map<string, PlacedEvent[]>();
  const { low = 0, high = 0 } = (await log.watermarks(topic)).find((one) => one.partition === partition) ?? {};
  const positions = new Positions(undefined, "{}");
  for await (const records of log.read(topic, partition, low, high)) {
    for (const record of records) {
      const position = parsePosition(record.headers[positionHeader] ?? "");
      if (!record.value || !position || !positions.take(position, null) || !keys.has(record.key)) continue;
      const event = await placedEvent(codec, { topic, partition, offset: record.offset, record }).catch(undecodable);
      if (event) found.set(record.key, [...(found.get(record.key) ?? []), event]);
    }
  }
  return new Map([...found].map(([key, all]) => [key, lifeOf(all)] as const));
}
