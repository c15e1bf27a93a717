import kafkajs, { type Admin, type ITopicConfig } from "kafkajs";
import type { Logger } from "pino";
import { createLogger } from "../service/logger.js";
import type { Settings } from "../service/settings.js";
import { kafkaClient, logError } from "./connection.js";
import { openJournal } from "./genesis.js";
import { connectLog } from "./kafka.js";
import { connectCodec } from "./registry.js";
import { auditTopic, deliveriesTopic, entities, eventsTopic, journalTopic } from "./schemas.js";
import { createTopics } from "./topic-creation.js";

export { readJournalId } from "./genesis.js";

const clientId = "tributary-topics";

/** What a record of the journal holds beside the unit's own limit: record batch, wire format, positions. */
const journalMargin = 65_536;

/** A topic as it is to be. */
export interface TopicDefinition {
  /** Without the installation's prefix. */
  readonly topic: string;
  readonly partitions: number;
  readonly replication: number;
  readonly configs: Readonly<Record<string, string>>;
}

/** A difference between a topic and its definition. */
export interface TopicDifference {
  /** Without the installation's prefix. */
  readonly topic: string;
  /** `topic`, `partitions`, `replication`, or the name of a configuration entry. */
  readonly setting: string;
  readonly expected: string;
  readonly found: string;
}

/** Every topic of an installation. Partitions are fixed at birth: keys would move. */
export function topicDefinitions(settings: Settings): readonly TopicDefinition[] {
  const replication = settings.TOPIC_REPLICATION;
  const configs = {
    "cleanup.policy": "delete",
    "retention.ms": "-1",
    "retention.bytes": "-1",
    "message.timestamp.type": "LogAppendTime",
    "min.insync.replicas": String(replication >= 3 ? 2 : 1),
  };
  const topics = [...entities.map(eventsTopic), auditTopic, deliveriesTopic];
  const definition = (topic: string, own: Record<string, string> = {}): TopicDefinition => ({
    topic,
    partitions: settings.TOPIC_PARTITIONS,
    replication,
    configs: { ...configs, ...own },
  });
  const journalBytes = String(settings.INTAKE_UNIT_LIMIT + journalMargin);
  return [...topics.map((topic) => definition(topic)), definition(journalTopic, { "max.message.bytes": journalBytes })];
}

/** Entries of which more is as good: a topic made with a larger limit needs no change. */
const atLeast: ReadonlySet<string> = new Set(["max.message.bytes"]);

function fits(setting: string, expected: string, found: string): boolean {
  return found === expected || (atLeast.has(setting) && Number(found) >= Number(expected));
}

async function differences(admin: Admin, settings: Settings): Promise<TopicDifference[]> {
  const found: TopicDifference[] = [];
  const existing = new Set(await admin.listTopics());
  for (const { topic, partitions, replication, configs } of topicDefinitions(settings)) {
    const name = `${settings.TOPIC_PREFIX}${topic}`;
    const differ = (setting: string, expected: string, actual: string): void => {
      if (!fits(setting, expected, actual)) found.push({ topic, setting, expected, found: actual });
    };
    if (!existing.has(name)) {
      differ("topic", "there", "missing");
      continue;
    }
    const { topics } = await admin.fetchTopicMetadata({ topics: [name] });
    const actual = topics[0]?.partitions ?? [];
    differ("partitions", String(partitions), String(actual.length));
    differ("replication", String(replication), String(actual[0]?.replicas.length ?? 0));
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: [{ type: kafkajs.ConfigResourceTypes.TOPIC, name, configNames: Object.keys(configs) }],
    });
    const entries = resources[0]?.configEntries ?? [];
    for (const [setting, expected] of Object.entries(configs)) {
      differ(setting, expected, entries.find(({ configName }) => configName === setting)?.configValue ?? "");
    }
  }
  return found;
}

async function create(admin: Admin, settings: Settings): Promise<void> {
  const existing = new Set(await admin.listTopics());
  const topics: ITopicConfig[] = topicDefinitions(settings)
    .map(({ topic, partitions, replication, configs }) => ({
      topic: `${settings.TOPIC_PREFIX}${topic}`,
      numPartitions: partitions,
      replicationFactor: replication,
      configEntries: Object.entries(configs).map(([name, value]) => ({ name, value })),
    }))
    .filter(({ topic }) => !existing.has(topic));
  await createTopics(admin, topics);
}

/** Kafka's number for an entry that was set on the topic itself. */
const setOnTopic = 1;

/** Sets entries that differ. The call replaces all entries of a topic, so what an operator added is kept by repeating it. */
async function correct(admin: Admin, settings: Settings): Promise<void> {
  const wrong = (await differences(admin, settings)).filter(({ setting }) => setting.includes("."));
  for (const { topic, configs } of topicDefinitions(settings)) {
    const settingsToMend = wrong.filter((difference) => difference.topic === topic).map(({ setting }) => setting);
    if (settingsToMend.length === 0) continue;
    const resource = { type: kafkajs.ConfigResourceTypes.TOPIC, name: `${settings.TOPIC_PREFIX}${topic}` };
    const { resources } = await admin.describeConfigs({ includeSynonyms: false, resources: [resource] });
    const entries = new Map<string, string>();
    for (const { configName, configValue, configSource } of resources[0]?.configEntries ?? []) {
      if (Number(configSource) === setOnTopic) entries.set(configName, configValue);
    }
    for (const name of settingsToMend) entries.set(name, configs[name] ?? "");
    const configEntries = [...entries].map(([name, value]) => ({ name, value }));
    await admin.alterConfigs({ validateOnly: false, resources: [{ ...resource, configEntries }] });
  }
}

async function withAdmin<Result>(
  settings: Settings,
  doing: string,
  work: (admin: Admin) => Promise<Result>,
): Promise<Result> {
  const admin = kafkaClient(settings, clientId, quietLogger()).admin();
  try {
    await admin.connect();
    return await work(admin);
  } catch (error) {
    throw logError(error, doing);
  } finally {
    await admin.disconnect();
  }
}

/** What goes wrong here is thrown; the library's own retries are no news to the caller. */
const quietLogger = (): Logger => createLogger(clientId, "error");

/** Compares the topics with their definitions; changes nothing. @throws TRIB_LOG_UNAVAILABLE */
export function checkTopics(settings: Settings): Promise<readonly TopicDifference[]> {
  return withAdmin(settings, "check the topics", (admin) => differences(admin, settings));
}

/**
 * Makes the topics that are missing, sets configuration entries that differ, and gives the journal its id.
 * Partitions and replication of a topic that is there are left alone: `checkTopics` tells. Idempotent.
 * Schemas must be registered before: the journal's first entries are records like all others.
 * @returns the journal's id, and what still differs.
 * @throws TRIB_LOG_UNAVAILABLE, TRIB_LOG_SCHEMA_NOT_REGISTERED, TRIB_LOG_JOURNAL_UNMADE
 */
export async function applyTopics(
  settings: Settings,
): Promise<{ readonly journal: string; readonly differences: readonly TopicDifference[] }> {
  const remaining = await withAdmin(settings, "make the topics", async (admin) => {
    await create(admin, settings);
    await correct(admin, settings);
    return differences(admin, settings);
  });
  const codec = await connectCodec(settings);
  const log = connectLog(settings, { clientId, logger: quietLogger() });
  try {
    return { journal: await openJournal(log, codec), differences: remaining };
  } finally {
    await log.close();
  }
}
