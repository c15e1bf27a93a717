import { setTimeout as pause } from "node:timers/promises";
import type { Admin, ITopicConfig } from "kafkajs";
import { TributaryError } from "../service/errors.js";
import { kafkaErrorType } from "./connection.js";
import { topicWatermarks } from "./watermarks.js";

const readyMilliseconds = 30_000;

/**
 * Makes topics and waits until every partition can be read. One that is there already is no error.
 *
 * The library's own wait gives up when a broker hasn't heard of the topic yet, which is usual right after its birth.
 * @throws TRIB_LOG_TOPIC_MISSING or TRIB_LOG_UNAVAILABLE when a topic isn't ready in time.
 */
export async function createTopics(admin: Admin, topics: readonly ITopicConfig[]): Promise<void> {
  for (const topic of topics) {
    try {
      await admin.createTopics({ topics: [topic], waitForLeaders: false, timeout: readyMilliseconds });
    } catch (error) {
      // Another installer was faster.
      if (kafkaErrorType(error) !== "TOPIC_ALREADY_EXISTS") throw error;
    }
  }
  const deadline = Date.now() + readyMilliseconds;
  for (const { topic } of topics) {
    for (;;) {
      try {
        await topicWatermarks(admin, topic);
        break;
      } catch (error) {
        if (!(error instanceof TributaryError) || Date.now() >= deadline) throw error;
        await pause(100);
      }
    }
  }
}
