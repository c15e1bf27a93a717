import type { Log } from "../log/log.js";
import { type Decisions, type LaneDecisions, noDecisions } from "../projector/decisions.js";
import type { AnyProjection } from "../projector/definition.js";
import { topicsOfProjections } from "../projector/roles.js";

/** A partition that is to be filled. Plain data: it may be handed to another thread. */
export interface FillPlace {
  readonly topic: string;
  readonly partition: number;
  /** Offset up to which it is filled: where the log ended. */
  readonly end: number;
  /** How many the topic has. */
  readonly partitions: number;
  /** What operators decided about its events. */
  readonly decisions: LaneDecisions;
}

/** All partitions of a projection's topics, the longest first: so threads that share them end at about one time. */
export async function placesToFill(options: {
  readonly projection: AnyProjection;
  readonly log: Pick<Log, "watermarks">;
  readonly decisions?: Pick<Decisions, "of">;
}): Promise<FillPlace[]> {
  const places: FillPlace[] = [];
  for (const topic of topicsOfProjections([options.projection])) {
    const marks = await options.log.watermarks(topic);
    for (const { partition, high } of marks) {
      const decisions = options.decisions?.of(topic, partition) ?? noDecisions;
      places.push({ topic, partition, end: high, partitions: marks.length, decisions });
    }
  }
  return places.sort((one, other) => other.end - one.end);
}
