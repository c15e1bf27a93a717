import { setTimeout as pause } from "node:timers/promises";
import { seededRandom } from "../../demo/random.js";
import type { OutgoingRecord } from "../../engine/log/log.js";
import { formatPosition, positionHeader } from "../../engine/log/position.js";
import { ensureBuild } from "../../engine/projector/build.js";
import { verifyProjection } from "../../engine/projector/verify.js";
import { decoderOf } from "../../engine/service/decoder.js";
import { TributaryError } from "../../engine/service/errors.js";
import { closedOpener } from "../../engine/service/sealed-opener.js";
import { freshDatabase } from "../../engine/testing/database.js";
import { recorded } from "../../engine/testing/events.js";
import { keyOf, type Note, notes, topic } from "../../engine/testing/notes.js";
import type { ThreeBrokers } from "./cluster.js";
import { spreadTopics } from "./installation.js";
import { groupName, Members } from "./members.js";
import { storm } from "./weather.js";

const partitions = 4;
const batchEvents = 100;
const keys = 53;
const acts: readonly Note["act"][] = ["set", "line", "set", "delete", "line"];
const patienceMilliseconds = 60_000;

export interface StormFigures {
  readonly faults: Readonly<Record<string, number>>;
  readonly events: number;
  readonly differing: number;
  /** Events that were written, and events that the log and the rows have, each once. */
  readonly written: number;
  readonly applied: number;
  /** From the end of the disturbance until every checkpoint was at the end of its partition. */
  readonly caughtUpMilliseconds: number;
  readonly failures: readonly string[];
}

/** A group of projecting consumers whose members and brokers come and go, under events that are written all the time. */
export async function rebalanceStorm(brokers: ThreeBrokers, seed: number, milliseconds: number): Promise<StormFigures> {
  const random = seededRandom(`storm/${seed}`);
  const database = await freshDatabase();
  const topics = await spreadTopics(brokers, [topic], partitions);
  const { settings, log, admin, codec } = topics;
  const build = await ensureBuild(database.pool, notes, groupName);
  const members = new Members(topics, database.url);
  const faults: Record<string, number> = {};
  const ends = new Map<number, number>();
  let written = 0;
  let over = false;

  const write = async (append: (records: readonly OutgoingRecord[]) => Promise<unknown>) => {
    const inputs = recorded(
      Array.from({ length: batchEvents }, (_, index) => {
        const note: Note = {
          act: acts[(written + index) % acts.length] as Note["act"],
          value: String(written + index),
        };
        return {
          type: "VisitUpdated" as const,
          key: keyOf((written + index * 7) % keys),
          fields: { facility: JSON.stringify(note), authority: "spec" },
        };
      }),
      written + 1,
    );
    const records = inputs.map(({ key, event, position }) => ({
      topic,
      key,
      value: codec.encodeEvent("VisitUpdated", event as never),
      headers: { [positionHeader]: formatPosition(position) },
    }));
    for (;;) {
      try {
        await append(records);
        break;
      } catch (error) {
        if (!(error instanceof TributaryError) || !error.definition.retriable) throw error;
      }
    }
    written += batchEvents;
  };
  const writing = (async () => {
    const producer = await log.producer();
    const append = async (records: readonly OutgoingRecord[]) => {
      for (const { partition, offset } of await producer.append(records)) {
        ends.set(partition, Math.max(ends.get(partition) ?? 0, offset + 1));
      }
    };
    while (!over) {
      await write(append);
      await pause(50);
    }
    await producer.close();
  })();
  const lag = async () => {
    const { rows } = await database.pool.query<{ partition: number; next: number }>(
      "SELECT partition, next_offset AS next FROM engine.checkpoints WHERE projection = $1 AND build = $2",
      [build.projection, build.build],
    );
    const next = new Map(rows.map((row) => [row.partition, Number(row.next)]));
    return [...ends].reduce((sum, [partition, end]) => sum + Math.max(0, end - (next.get(partition) ?? 0)), 0);
  };

  try {
    members.stay();
    members.stay();
    while (ends.size < partitions || (await lag()) > 3 * batchEvents) await pause(50);
    members.comeAndGo(1_000);
    await pause(500);
    members.comeAndGo(1_000);
    const ours = Array.from({ length: partitions }, (_, partition) => ({
      topic: `${settings.TOPIC_PREFIX}${topic}`,
      partition,
    }));
    // The group's coordinator is the leader of one of these.
    const groups = [0, 1, 2].map((partition) => ({ topic: "__consumer_offsets", partition }));
    const busy = async () => (await lag()) > 0;
    await storm({ brokers, admin, places: [...ours, ...groups], random, busy, faults }, milliseconds);
    const calmAt = performance.now();
    over = true;
    members.calm();
    await writing;
    while ((await lag()) > 0 && performance.now() - calmAt < patienceMilliseconds) await pause(50);
    const caughtUpMilliseconds = Math.round(performance.now() - calmAt);
    faults["member joined or left"] = members.changes;
    const verification = await verifyProjection({
      projection: notes,
      build,
      log,
      pool: database.pool,
      decoder: decoderOf(codec),
      opener: closedOpener,
    });
    return {
      faults,
      events: verification.events,
      differing: verification.differing,
      written,
      applied: await actsOf(database.pool, build.schema),
      caughtUpMilliseconds,
      failures: members.failures,
    };
  } finally {
    over = true;
    for (const id of brokers.ids) await brokers.thaw(id);
    await Promise.allSettled([writing, members.end()]);
    await topics.dispose();
    await database.drop();
  }
}

/** Every event adds one to its act. */
async function actsOf(pool: Awaited<ReturnType<typeof freshDatabase>>["pool"], schema: string): Promise<number> {
  const { rows } = await pool.query<{ events: number }>(`SELECT sum(events)::int AS events FROM "${schema}".acts`);
  return Number(rows[0]?.events);
}
