import type { Log } from "../log/log.js";
import type { Build } from "../projector/build.js";
import type { AnyProjection } from "../projector/definition.js";
import { topicsOfProjections } from "../projector/roles.js";
import { TributaryError } from "../service/errors.js";
import type { Pool } from "../store/pool.js";
import type { AsOfVector } from "./as-of-vector.js";

interface Checkpoint {
  readonly topic: string;
  readonly partition: number;
  readonly next: number;
  readonly journal: string | null;
  /** By journal partition the highest entry applied. */
  readonly positions: Readonly<Record<string, readonly [offset: number, ...rest: unknown[]]>>;
}

export interface WholeAsOf {
  /** The log that it was made from, as it ended then. */
  readonly log: Pick<Log, "watermarks">;
  readonly vector: AsOfVector;
}

/**
 * Holds the checkpoints of an as-of against its vector, before anybody signs it: every partition was read and written to
 * where the log ended, and nothing was applied that its vector does not hold.
 * @throws TRIB_REPLAY_NOT_WHOLE naming the place.
 */
export async function assertWhole(
  pool: Pool,
  projection: AnyProjection,
  build: Build,
  { log, vector }: WholeAsOf,
): Promise<void> {
  const { rows } = await pool.query<Checkpoint>(
    `SELECT topic, partition, next_offset AS next, journal, positions FROM engine.checkpoints
     WHERE projection = $1 AND build = $2`,
    [build.projection, build.build],
  );
  const found = new Map(rows.map((row) => [`${row.topic}/${row.partition}`, row] as const));
  const fail = (topic: string, partition: number, what: string): never => {
    throw new TributaryError(
      "TRIB_REPLAY_NOT_WHOLE",
      `Build ${build.build} of ${projection.name} ${what} in ${topic}/${partition}.`,
      { projection: projection.name, build: build.build, topic, partition },
    );
  };
  for (const topic of topicsOfProjections([projection])) {
    for (const { partition, high } of await log.watermarks(topic)) {
      const checkpoint = found.get(`${topic}/${partition}`);
      const next = Number(checkpoint?.next ?? 0);
      if (next !== high) fail(topic, partition, `stands at ${next} instead of ${high}`);
      if (projection.topic !== undefined || !checkpoint) continue;
      if (checkpoint.journal !== null && checkpoint.journal !== vector.journal) {
        fail(topic, partition, "holds entries of another journal");
      }
      for (const [journalPartition, [offset]] of Object.entries(checkpoint.positions)) {
        const end = vector.offsets.get(Number(journalPartition)) ?? 0;
        if (offset >= end) fail(topic, partition, `holds entry ${journalPartition}/${offset}, recorded later,`);
      }
    }
  }
}
