import type { IncomingRecord, LaneContext, LaneHandler } from "../log/log.js";
import { TributaryError } from "../service/errors.js";
import { type ReadContext, readEvents } from "./events.js";
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

/** How the records of a partition become events: an unknown schema is waited for, then stops the process. */
export function readContext(options: ReadingOptions, lane?: LaneContext): ReadContext {
  const { topic, partition, published, decoder, patience, schemaAttempts = 30 } = options;
  return {
    topic,
    partition,
    published,
    decoder,
    wait: async (error, attempt) => {
      if (attempt >= schemaAttempts) {
        throw new TributaryError("TRIB_PROJECT_SCHEMA_UNKNOWN", undefined, { topic, partition }, { cause: error });
      }
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
  async open(): Promise<number> {
    return Math.min(...(await Promise.all(this.#options.lanes.map((lane) => lane.open()))));
  }

  async batch(records: readonly IncomingRecord[], context: LaneContext): Promise<void> {
    const events = await readEvents(records, readContext(this.#options, context));
    const results = await Promise.allSettled(this.#options.lanes.map((lane) => lane.batch(events, context)));
    for (const result of results) if (result.status === "rejected") throw result.reason;
  }

  async close(): Promise<void> {
    await Promise.all(this.#options.lanes.map((lane) => lane.close()));
  }
}
