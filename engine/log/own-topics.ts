import { randomBytes } from "node:crypto";
import type { Admin } from "kafkajs";
import { createLogger } from "../service/logger.js";
import { readSettings, type Settings } from "../service/settings.js";
import { kafkaClient } from "./connection.js";
import { connectLog } from "./kafka.js";
import type { Log } from "./log.js";
import { createTopics } from "./topic-creation.js";

/** A part of a shared Kafka that belongs to one spec file: everything in it begins with its own prefix. */
export interface OwnTopics {
  readonly settings: Settings;
  readonly admin: Admin;
  readonly log: Log;
  create(topic: string, partitions: number, configs?: Readonly<Record<string, string>>): Promise<void>;
  remove(topic: string): Promise<void>;
  /** Deletes every topic and group of the prefix, closes the log. */
  dispose(): Promise<void>;
}

/** For integration specs: a log under a random prefix. */
export async function ownTopics(settings: Partial<Settings> = {}): Promise<OwnTopics> {
  const prefix = `spec${randomBytes(4).toString("hex")}.`;
  const own: Settings = { ...readSettings(), TOPIC_PREFIX: prefix, TOPIC_PARTITIONS: 2, ...settings };
  const logger = createLogger("spec", "error");
  const admin = kafkaClient(own, "spec", logger).admin();
  await admin.connect();
  const log = connectLog(own, { clientId: "spec", logger });
  return {
    settings: own,
    admin,
    log,
    async create(topic, partitions, configs = {}) {
      const configEntries = Object.entries(configs).map(([name, value]) => ({ name, value }));
      await createTopics(admin, [
        {
          topic: `${prefix}${topic}`,
          numPartitions: partitions,
          replicationFactor: own.TOPIC_REPLICATION,
          configEntries,
        },
      ]);
    },
    async remove(topic) {
      await admin.deleteTopics({ topics: [`${prefix}${topic}`] });
    },
    async dispose() {
      await log.close();
      const topics = (await admin.listTopics()).filter((topic) => topic.startsWith(prefix));
      if (topics.length > 0) await admin.deleteTopics({ topics });
      const { groups } = await admin.listGroups();
      const left = groups.map(({ groupId }) => groupId).filter((group) => group.startsWith(prefix));
      if (left.length > 0) await admin.deleteGroups(left).catch(() => undefined);
      await admin.disconnect();
    },
  };
}
