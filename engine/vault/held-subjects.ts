import { type Codec, schemaIdOf } from "../log/codec.js";
import type { Log } from "../log/log.js";
import type { Build } from "../projector/build.js";
import { storableText } from "../projector/checkpoint.js";
import type { AnyProjection, Row } from "../projector/definition.js";
import { Entity } from "../projector/entity.js";
import { type ReadContext, readEvents } from "../projector/events.js";
import { FoldMachine } from "../projector/fold.js";
import { layOut } from "../projector/layout.js";
import { AppendedScope } from "../projector/scope.js";
import type { Pool } from "../store/pool.js";

export interface HeldSource {
  readonly log: Pick<Log, "read" | "watermarks">;
  readonly pool: Pool;
  readonly codec: Pick<Codec, "decodeEvent" | "learn">;
  /** The read model `timeline`. */
  readonly timeline: AnyProjection;
}

interface HeldLane {
  readonly topic: string;
  readonly partition: number;
  readonly keys: Readonly<Record<string, number>>;
}

async function heldLanes(pool: Pool, { projection, build }: Build): Promise<readonly HeldLane[]> {
  const { rows } = await pool.query<HeldLane>(
    `SELECT topic, partition, json_object_agg(key, log_offset) AS keys FROM engine.parked_keys
     WHERE projection = $1 AND build = $2 AND state <> 'done' GROUP BY topic, partition`,
    [projection, build],
  );
  return rows;
}

/**
 * The rows that the timeline would have of the events that it holds back, as its fold makes them: of its parked keys, from
 * the event on at which each is held. An event that no fold can tell of (its bytes are none, a value fits no column) has no
 * row, and says nothing to any read model either.
 * @throws TRIB_LOG_UNKNOWN_SCHEMA, TRIB_LOG_UNAVAILABLE
 */
export async function heldRows({ log, pool, codec, timeline }: HeldSource, build: Build): Promise<readonly Row[]> {
  const machine = new FoldMachine(layOut(timeline));
  const found: Row[] = [];
  for (const { topic, partition, keys } of await heldLanes(pool, build)) {
    const context: ReadContext = {
      topic,
      partition,
      published: true,
      decoder: {
        decodeEvent: (value) => codec.decodeEvent(value),
        learn: (value) => codec.learn(schemaIdOf(value)),
      },
      wait: async (error) => {
        throw error;
      },
    };
    const end = (await log.watermarks(topic)).find((lane) => lane.partition === partition)?.high ?? 0;
    for await (const records of log.read(topic, partition, Math.min(...Object.values(keys)), end)) {
      const held = records.filter(({ key, offset }) => offset >= (keys[storableText(key)] ?? end));
      for (const event of await readEvents(held, context)) {
        if (machine.apply(event, new Entity(event.key))) continue;
        for (const scope of machine.scopes) if (scope instanceof AppendedScope) found.push(...scope.changes);
      }
    }
  }
  return found;
}
