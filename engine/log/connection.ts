import { readFileSync } from "node:fs";
import kafkajs, { type Kafka, type KafkaConfig, type LogEntry, type SASLOptions } from "kafkajs";
import type { Logger } from "pino";
import { TributaryError } from "../service/errors.js";
import { requireSetting, type Settings } from "../service/settings.js";
import { registerCompression } from "./compression.js";
import { shareConnecting } from "./kafkajs-connect.js";
import { decodeFetchesOurselves } from "./kafkajs-fetch.js";
import { quietIdleConnections } from "./kafkajs-idle.js";

/** Written out, since the library has other defaults under NODE_ENV=test. */
const retry = { retries: 8, initialRetryTime: 200, maxRetryTime: 5_000, factor: 0.2, multiplier: 2 } as const;

const requestMilliseconds = 15_000;

function sasl(settings: Settings): SASLOptions | undefined {
  const mechanism = settings.KAFKA_SASL_MECHANISM;
  if (!mechanism) return undefined;
  const username = requireSetting(settings, "KAFKA_SASL_USERNAME");
  const password = requireSetting(settings, "KAFKA_SASL_PASSWORD");
  return { mechanism, username, password } as SASLOptions;
}

function ssl(settings: Settings): KafkaConfig["ssl"] {
  if (!settings.KAFKA_SSL) return false;
  const file = (path: string | undefined): string | undefined => (path ? readFileSync(path, "utf8") : undefined);
  const [ca, cert, key] = [settings.KAFKA_SSL_CA_FILE, settings.KAFKA_SSL_CERT_FILE, settings.KAFKA_SSL_KEY_FILE].map(
    file,
  );
  return { ...(ca ? { ca: [ca] } : {}), ...(cert ? { cert } : {}), ...(key ? { key } : {}) };
}

/** The library reports every retry as an error; to us it is an error when a call of ours fails. */
function relay(logger: Logger): (entry: LogEntry) => void {
  const { ERROR, WARN } = kafkajs.logLevel;
  return ({ level, log }) => {
    const fields = { topic: log.topic, partition: log.partition, group: log.groupId, kind: "kafka" };
    if (level === ERROR) logger.warn(fields, log.message);
    else if (level === WARN) logger.info(fields, log.message);
    else logger.debug(fields, log.message);
  };
}

/**
 * A client of the brokers that settings name; nothing is connected yet.
 * @param clientId name in the brokers' logs and quotas.
 */
export function kafkaClient(settings: Settings, clientId: string, logger: Logger): Kafka {
  quietIdleConnections();
  shareConnecting();
  decodeFetchesOurselves();
  registerCompression();
  const credentials = sasl(settings);
  return new kafkajs.Kafka({
    brokers: [...requireSetting(settings, "KAFKA_BROKERS")],
    clientId,
    connectionTimeout: 3_000,
    requestTimeout: requestMilliseconds,
    retry,
    ssl: ssl(settings) ?? false,
    ...(credentials ? { sasl: credentials } : {}),
    logLevel: kafkajs.logLevel.WARN,
    logCreator: () => relay(logger),
  });
}

/** What the library's error is about: the innermost cause has the broker's error type. */
export function kafkaErrorType(error: unknown): string {
  let type = "";
  for (let at = error; at instanceof Error; at = at.cause ?? (at as { originalError?: unknown }).originalError) {
    const own = (at as { type?: unknown }).type;
    type = typeof own === "string" ? own : type || at.name;
    if (at.cause === at) break;
  }
  return type;
}

/** A coded error for a failed call. @param doing what was tried, for the message: "append to the log". */
export function logError(error: unknown, doing: string): TributaryError {
  if (error instanceof TributaryError) return error;
  const type = kafkaErrorType(error);
  if (type === "MESSAGE_TOO_LARGE" || type === "RECORD_LIST_TOO_LARGE") {
    return new TributaryError("TRIB_LOG_RECORD_TOO_LARGE", `Could not ${doing}: the broker refused the size.`);
  }
  if (type === "UNKNOWN_TOPIC_OR_PARTITION" || type === "KafkaJSTopicMetadataNotLoaded") {
    return new TributaryError(
      "TRIB_LOG_TOPIC_MISSING",
      `Could not ${doing}: the topic isn't there. Run \`tributary topics apply\`.`,
    );
  }
  return new TributaryError("TRIB_LOG_UNAVAILABLE", `Could not ${doing} (${type || "unknown reason"}).`, {
    reason: type,
  });
}
