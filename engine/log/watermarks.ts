import type { Admin } from "kafkajs";
import { TributaryError } from "../service/errors.js";
import { kafkaErrorType, logError } from "./connection.js";
import type { Watermarks } from "./log.js";

function missing(topic: string): TributaryError {
  return new TributaryError("TRIB_LOG_TOPIC_MISSING", `There is no topic ${topic}. Run \`tributary topics apply\`.`, {
    topic,
  });
}

/** @param topic with the installation's prefix. @throws TRIB_LOG_TOPIC_MISSING, TRIB_LOG_UNAVAILABLE */
export async function partitionCount(admin: Admin, topic: string): Promise<number> {
  try {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
    const found = topics.find(({ name }) => name === topic);
    if (!found || found.partitions.length === 0) throw missing(topic);
    return found.partitions.length;
  } catch (error) {
    if (kafkaErrorType(error) === "UNKNOWN_TOPIC_OR_PARTITION") throw missing(topic);
    throw logError(error, `read about the topic ${topic}`);
  }
}

/** The last question to each admin client, answered or not. */
const asked = new WeakMap<Admin, Promise<unknown>>();

/**
 * One question to an admin client at a time: a topic asked for while metadata are being fetched for another joins that
 * fetch, which doesn't name it, and the library then fails with a TypeError (seen with three topics opened at once).
 * @param topic with the installation's prefix.
 * @throws TRIB_LOG_TOPIC_MISSING, TRIB_LOG_UNAVAILABLE
 */
export function topicWatermarks(admin: Admin, topic: string): Promise<readonly Watermarks[]> {
  return inTurn(admin, () => readWatermarks(admin, topic));
}

function inTurn<Answer>(admin: Admin, ask: () => Promise<Answer>): Promise<Answer> {
  const answer = (asked.get(admin) ?? Promise.resolve()).then(ask);
  asked.set(
    admin,
    answer.catch(() => {}),
  );
  return answer;
}

const mostAttempts = 5;

/**
 * Others of this client may refresh its metadata meanwhile, without the topic; the library then fails with a TypeError
 * instead of asking again (seen under load).
 */
async function withMetadata<Answer>(ask: () => Promise<Answer>): Promise<Answer> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof TypeError) || attempt === mostAttempts) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20 * attempt));
    }
  }
}

/**
 * Of each partition the offset of the first record appended after an instant, or its end as it was before that was asked.
 * @param topic with the installation's prefix. @throws TRIB_LOG_TOPIC_MISSING, TRIB_LOG_UNAVAILABLE
 */
export function offsetsAfter(
  admin: Admin,
  topic: string,
  instant: number,
): Promise<readonly { partition: number; offset: number }[]> {
  return inTurn(admin, async () => {
    await partitionCount(admin, topic);
    try {
      // The broker gives the first record whose time is at or after the one asked for, whatever the times before it.
      const offsets = await withMetadata(() => admin.fetchTopicOffsetsByTimestamp(topic, instant + 1));
      return offsets
        .map(({ partition, offset }) => ({ partition, offset: Number(offset) }))
        .sort((left, right) => left.partition - right.partition);
    } catch (error) {
      throw logError(error, `look up a time in the topic ${topic}`);
    }
  });
}

async function readWatermarks(admin: Admin, topic: string): Promise<readonly Watermarks[]> {
  // The library remembers a topic asked for and fails all later calls when it is gone: look whether it is there first.
  await partitionCount(admin, topic);
  try {
    const offsets = await withMetadata(() => admin.fetchTopicOffsets(topic));
    return offsets
      .map(({ partition, low, high }) => ({ partition, low: Number(low), high: Number(high) }))
      .sort((left, right) => left.partition - right.partition);
  } catch (error) {
    throw logError(error, `read the offsets of the topic ${topic}`);
  }
}

/** @throws TRIB_LOG_TRUNCATED when `offset` isn't between what is still there and what is next. */
export function assertReadable(topic: string, partition: number, offset: number, marks: readonly Watermarks[]): void {
  const mark = marks.find((each) => each.partition === partition);
  const facts = { topic, partition, offset };
  if (!mark) {
    throw new TributaryError("TRIB_LOG_PARTITIONS_CHANGED", `${topic} has no partition ${partition} any more.`, facts);
  }
  if (offset < mark.low || offset > mark.high) {
    throw new TributaryError(
      "TRIB_LOG_TRUNCATED",
      `${topic} partition ${partition} holds offsets ${mark.low} to ${mark.high}, but ${offset} is to be read next.`,
      { ...facts, low: mark.low, high: mark.high },
    );
  }
}
