import type { Log } from "../log/log.js";
import { TributaryError } from "../service/errors.js";
import type { Pool } from "../store/pool.js";

/** Over how many partitions the keys of each topic are spread, as `Log.producer` takes it. */
export type KeyedPartitions = ReadonlyMap<string, number>;

interface Known {
  readonly topic: string;
  readonly keyed: number;
  readonly present: number;
}

async function knownOf(pool: Pool, topics: readonly string[]): Promise<readonly Known[]> {
  const { rows } = await pool.query<Known>(
    "SELECT topic, keyed, present FROM engine.topic_partitions WHERE topic = ANY ($1) ORDER BY topic",
    [topics],
  );
  return rows;
}

/** Over how many partitions keys are spread, of the topics that are known, whatever these have now. */
export const keyedPartitions = async (pool: Pool, topics: readonly string[]): Promise<KeyedPartitions> =>
  new Map((await knownOf(pool, topics)).map(({ topic, keyed }) => [topic, keyed]));

/** Partitions that a topic has now; undefined when there is no such topic. */
async function countOf(log: Pick<Log, "watermarks">, topic: string): Promise<number | undefined> {
  try {
    return (await log.watermarks(topic)).length;
  } catch (error) {
    if (!(error instanceof TributaryError) || error.code !== "TRIB_LOG_TOPIC_MISSING") throw error;
    return undefined;
  }
}

/**
 * Compares the topics with what their writers know of them.
 * @returns of the topics that are known.
 * @throws TRIB_LOG_PARTITIONS_CHANGED
 */
export async function assertPartitions(
  log: Pick<Log, "watermarks">,
  pool: Pool,
  topics: readonly string[],
): Promise<KeyedPartitions> {
  const known = await knownOf(pool, topics);
  for (const { topic, present } of known) {
    const count = await countOf(log, topic);
    if (count === undefined || count === present) continue;
    throw new TributaryError(
      "TRIB_LOG_PARTITIONS_CHANGED",
      `${topic} had ${present} partitions and now has ${count}.`,
      {
        topic,
        before: present,
        count,
      },
    );
  }
  return new Map(known.map(({ topic, keyed }) => [topic, keyed]));
}

/**
 * Like {@link assertPartitions}, for who writes first: topics that nobody has written to yet are known as they are now.
 * @throws TRIB_LOG_PARTITIONS_CHANGED
 */
export async function keepPartitions(
  log: Pick<Log, "watermarks">,
  pool: Pool,
  topics: readonly string[],
): Promise<KeyedPartitions> {
  const known = new Set((await knownOf(pool, topics)).map(({ topic }) => topic));
  for (const topic of topics) {
    const count = known.has(topic) ? undefined : await countOf(log, topic);
    if (count === undefined) continue;
    await pool.query(
      "INSERT INTO engine.topic_partitions (topic, keyed, present) VALUES ($1, $2, $2) ON CONFLICT DO NOTHING",
      [topic, count],
    );
  }
  return assertPartitions(log, pool, topics);
}

/** Partitions of a topic that were added, and that nobody writes to. */
export interface AddedPartitions extends Known {
  /** How many there are now. */
  readonly count: number;
}

/** Topics that have other partitions than their writers know. */
export async function addedPartitions(log: Pick<Log, "watermarks">, pool: Pool): Promise<readonly AddedPartitions[]> {
  const { rows } = await pool.query<Known>("SELECT topic, keyed, present FROM engine.topic_partitions ORDER BY topic");
  const added: AddedPartitions[] = [];
  for (const known of rows) {
    const count = await countOf(log, known.topic);
    if (count !== undefined && count !== known.present) added.push({ ...known, count });
  }
  return added;
}

/**
 * Goes on with a topic that was given more partitions: keys stay where they are, and those that were added stay empty. Every
 * build goes on, too.
 * @param pool as the owner of the database.
 * @throws TRIB_LOG_PARTITIONS_CHANGED when it has fewer than its keys are spread over, or something was written to those
 *   that were added: then keys have moved already.
 */
export async function acceptPartitions(
  log: Pick<Log, "watermarks">,
  pool: Pool,
  { topic, keyed, present, count }: AddedPartitions,
): Promise<void> {
  const facts = { topic, before: present, count };
  if (count < keyed) {
    const detail = `The keys of ${topic} are spread over ${keyed} partitions, and it has ${count}.`;
    throw new TributaryError("TRIB_LOG_PARTITIONS_CHANGED", detail, facts);
  }
  const written = (await log.watermarks(topic)).find(({ partition, high }) => partition >= keyed && high > 0);
  if (written) {
    const detail = `${topic} has records in partition ${written.partition}, which was added: keys have moved.`;
    throw new TributaryError("TRIB_LOG_PARTITIONS_CHANGED", detail, { ...facts, partition: written.partition });
  }
  await pool.query(
    `WITH accepted AS (UPDATE engine.topic_partitions SET present = $2 WHERE topic = $1)
     UPDATE engine.checkpoints SET partitions = $2 WHERE topic = $1 AND partitions IS NOT NULL`,
    [topic, count],
  );
}
