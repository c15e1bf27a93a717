import type { Logger } from "pino";
import type { Settings } from "../service/settings.js";
import { kafkaClient, logError } from "./connection.js";
import { memberClientId } from "./dead-members.js";
import { type Cluster, createCluster } from "./kafkajs-internals.js";
import type { Log, LogProducer } from "./log.js";
import { connectProducer } from "./producer.js";
import { replay } from "./replay.js";
import { subscribe } from "./subscription.js";
import { offsetsAfter, topicWatermarks } from "./watermarks.js";

export interface LogConnection {
  /** Name in the brokers' logs and quotas, e.g. `tributary.hl7v2`. */
  readonly clientId: string;
  readonly logger: Logger;
}

/**
 * The log on the brokers that settings name. Topics and groups get the installation's prefix here and nowhere else.
 * Connects on first use.
 */
export function connectLog(settings: Settings, { clientId, logger }: LogConnection): Log {
  const prefix = settings.TOPIC_PREFIX;
  const kafka = kafkaClient(settings, clientId, logger);
  const members = kafkaClient(settings, memberClientId(clientId), logger);
  const admin = kafka.admin();
  const producers = new Set<LogProducer>();
  let closed = false;
  let connected: Promise<void> | undefined;
  let cluster: Promise<Cluster> | undefined;

  const connectedAdmin = async (): Promise<typeof admin> => {
    connected ??= admin.connect().catch((error: unknown) => {
      connected = undefined;
      throw logError(error, "connect to the log");
    });
    await connected;
    return admin;
  };

  /** Connections of replays: apart from those of consumers, whose fetches wait on theirs. */
  const connectedCluster = (): Promise<Cluster> => {
    cluster ??= (async () => {
      const created = createCluster(kafka);
      await created.connect();
      return created;
    })().catch((error: unknown) => {
      cluster = undefined;
      throw logError(error, "connect to the log");
    });
    return cluster;
  };

  return {
    async producer(keyed) {
      const producer = await connectProducer(kafka, await connectedAdmin(), prefix, keyed);
      producers.add(producer);
      return {
        append: (records) => producer.append(records),
        close: () => {
          producers.delete(producer);
          return producer.close();
        },
      };
    },
    async subscribe(options) {
      const parts = { kafka: members, admin: await connectedAdmin(), cluster: connectedCluster, prefix, logger };
      return subscribe(options, parts);
    },
    async watermarks(topic) {
      return topicWatermarks(await connectedAdmin(), `${prefix}${topic}`);
    },
    async offsetsAfter(topic, instant) {
      return offsetsAfter(await connectedAdmin(), `${prefix}${topic}`, instant);
    },
    async *read(topic, partition, from, to) {
      if (from >= to) return;
      const parts = { admin: await connectedAdmin(), cluster: await connectedCluster(), isClosed: () => closed };
      yield* replay(`${prefix}${topic}`, partition, from, to, parts);
    },
    async close() {
      closed = true;
      await Promise.allSettled([...producers].map((producer) => producer.close()));
      producers.clear();
      await (await cluster?.catch(() => undefined))?.disconnect();
      await connected?.catch(() => undefined);
      await admin.disconnect();
    },
  };
}
