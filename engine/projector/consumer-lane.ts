import type { IncomingRecord, LaneContext, LaneHandler, Ownership } from "../log/log.js";
import { TributaryError } from "../service/errors.js";
import { type LaneEvent, type ReadContext, readEvents } from "./events.js";
import type { ProjectionLane } from "./lane.js";
import type { Patience } from "./patience.js";
import type { Decoder } from "./ports.js";

export interface ReadingOptions {
  readonly topic: string;
  readonly partition: number;
  readonly decoder: Decoder;
  readonly published: boolean;
  readonly patience: Patience;
  /** Attempts to learn an unknown schema before the process stops; default 30. */
  readonly schemaAttempts?: number;
}

/** The place is what an operator needs to decide about the event. */
const schemaUnknown = (place: { topic: string; partition: number; offset: number }, cause: unknown) =>
  new TributaryError(
    "TRIB_PROJECT_SCHEMA_UNKNOWN",
    `The schema of the event at ${place.topic}/${place.partition}/${place.offset} is unknown.`,
    place,
    { cause },
  );

/** How the records of a partition become events: an unknown schema is waited for, then stops the process. */
export function readContext(
  options: ReadingOptions,
  lane?: LaneContext,
  operators?: { readonly decided: (offset: number) => boolean; readonly attend: () => Promise<void> },
): ReadContext {
  const { topic, partition, published, decoder, patience, schemaAttempts = 30 } = options;
  return {
    topic,
    partition,
    published,
    decoder,
    ...(operators ? { decided: operators.decided } : {}),
    wait: async (error, attempt, offset) => {
      if (attempt >= schemaAttempts) throw schemaUnknown({ topic, partition, offset }, error);
      await operators?.attend();
      await patience.wait("learn a schema", error, attempt, lane);
    },
  };
}

export interface ConsumerLaneOptions extends ReadingOptions {
  /** One a projection of the consumer that reads this topic. */
  readonly lanes: readonly ProjectionLane[];
}

/** A partition as a consumer has it: read and decoded once, folded by every projection behind its own fence. */
export class ConsumerLane implements LaneHandler {
  readonly #options: ConsumerLaneOptions;

  constructor(options: ConsumerLaneOptions) {
    this.#options = options;
  }

  /** Reads from the least checkpoint; a projection that is further skips what it has. */
  async open(ownership?: Ownership): Promise<number> {
    return Math.min(...(await Promise.all(this.#options.lanes.map((lane) => lane.open(ownership)))));
  }

  /** Does what operators asked for. Never beside a batch. */
  async attend(): Promise<void> {
    await Promise.all(this.#options.lanes.map((lane) => lane.attend()));
  }

  async batch(records: readonly IncomingRecord[], context: LaneContext): Promise<void> {
    const { lanes } = this.#options;
    const decided = (offset: number) => lanes.every((lane) => lane.needsNo(offset));
    const reading = readContext(this.#options, context, { decided, attend: () => this.attend() });
    let events: readonly LaneEvent[];
    try {
      events = await readEvents(records, reading);
    } catch (error) {
      // What a lane waited for when its partition was taken from it is waited for by the next owner.
      if (context.isOwned()) throw error;
      return;
    }
    const results = await Promise.allSettled(lanes.map((lane) => lane.batch(events, context)));
    for (const result of results) if (result.status === "rejected") throw result.reason;
  }

  async close(): Promise<void> {
    await Promise.all(this.#options.lanes.map((lane) => lane.close()));
  }
}
