import { setTimeout as pause } from "node:timers/promises";
import { formatPosition, positionHeader } from "../../engine/log/position.js";
import { ensureBuild } from "../../engine/projector/build.js";
import { verifyProjection } from "../../engine/projector/verify.js";
import { decoderOf } from "../../engine/service/decoder.js";
import { closedOpener } from "../../engine/service/sealed-opener.js";
import { freshDatabase } from "../../engine/testing/database.js";
import { recorded } from "../../engine/testing/events.js";
import { keyOf, type Note, notes, topic } from "../../engine/testing/notes.js";
import type { ThreeBrokers } from "./cluster.js";
import { type SpreadTopics, spreadTopics } from "./installation.js";
import { leadersOf } from "./leaders.js";
import { groupName, Members } from "./members.js";

/** Partitions with a backlog each; the one before them is moved about. */
const backlogs = [1, 2];
const batchEvents = 2_000;
const keys = 5_000;
const patienceMilliseconds = 120_000;

export interface MovedFigures {
  /** Moves while there was a backlog. */
  readonly moves: number;
  readonly written: number;
  /** That the log has. */
  readonly events: number;
  readonly differing: number;
  readonly failures: readonly string[];
}

/**
 * A consumer catches up with partitions on two brokers, while the only replica of a third partition goes from broker to
 * broker: each time the client library joins the group anew in the fetch of one broker, with batches of others in hand.
 */
export async function movedReplicas(brokers: ThreeBrokers, batches: number, most: number): Promise<MovedFigures> {
  const database = await freshDatabase();
  const topics = await spreadTopics(brokers, [topic], backlogs.length + 1);
  const build = await ensureBuild(database.pool, notes, groupName);
  const members = new Members(topics, database.url);
  try {
    for (const [partition, broker] of brokers.ids.entries()) await place(topics, partition, broker);
    const written = await fill(topics, batches);
    const reached = async () => {
      const { rows } = await database.pool.query<{ reached: number }>(
        "SELECT coalesce(sum(next_offset), 0)::int AS reached FROM engine.checkpoints WHERE projection = $1 AND build = $2",
        [build.projection, build.build],
      );
      return rows[0]?.reached ?? 0;
    };
    members.stay();
    let moves = 0;
    const until = Date.now() + patienceMilliseconds;
    while ((await reached()) < written && Date.now() < until) {
      await pause(700);
      if (moves === most || (await reached()) >= written) continue;
      moves++;
      await place(topics, 0, brokers.ids[moves % brokers.ids.length] as number);
    }
    await members.end();
    const { log, codec } = topics;
    const options = {
      projection: notes,
      build,
      log,
      pool: database.pool,
      decoder: decoderOf(codec),
      opener: closedOpener,
    };
    const { events, differing } = await verifyProjection(options);
    return { moves, written, events, differing, failures: members.failures };
  } finally {
    await members.end();
    await topics.dispose();
    await database.drop();
  }
}

/** Makes a broker the only one that has a partition. */
async function place({ settings, admin }: SpreadTopics, partition: number, broker: number): Promise<void> {
  const name = `${settings.TOPIC_PREFIX}${topic}`;
  const until = Date.now() + 10_000;
  await admin.alterPartitionReassignments({
    topics: [{ topic: name, partitionAssignment: [{ partition, replicas: [broker] }] }],
  });
  while ((await leadersOf(admin, name)).get(partition) !== broker) {
    if (Date.now() > until) throw new Error(`partition ${partition} did not get to broker ${broker}`);
    await pause(50);
  }
}

async function fill({ log, codec }: SpreadTopics, batches: number): Promise<number> {
  const producer = await log.producer();
  let written = 0;
  for (let batch = 0; batch < batches; batch++) {
    for (const partition of backlogs) {
      const inputs = recorded(
        Array.from({ length: batchEvents }, (_, index) => {
          const note: Note = { act: "set", value: String(written + index) };
          const key = keyOf(partition * 1_000_000 + ((index * 7) % keys));
          return { type: "VisitUpdated" as const, key, fields: { facility: JSON.stringify(note), authority: "spec" } };
        }),
        written + 1,
      );
      await producer.append(
        inputs.map(({ key, event, position }) => ({
          topic,
          partition,
          key,
          value: codec.encodeEvent("VisitUpdated", event as never),
          headers: { [positionHeader]: formatPosition({ ...position, partition }) },
        })),
      );
      written += batchEvents;
    }
  }
  await producer.close();
  return written;
}
