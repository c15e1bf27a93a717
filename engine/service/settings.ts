import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { TributaryError } from "./errors.js";

const port = z.coerce.number().int().min(0).max(65535);
const flag = z.enum(["true", "false"]).transform((value) => value === "true");
const list = z
  .string()
  .transform((value) => value.split(",").map((part) => part.trim()))
  .pipe(z.array(z.string().min(1)).min(1));

/**
 * Every setting of the engine. The description of each is its documentation: `docs/settings.md` is generated from here.
 * A setting `X` may be given as a file by `X_FILE`; the file's content is trimmed of white space.
 */
export const settingsSchema = z.object({
  TRIBUTARY_ENV: z
    .enum(["development", "production"])
    .default("development")
    .describe("`production` refuses the `generic` partner profiles and unknown senders."),
  TRIBUTARY_HOME: z
    .string()
    .default(join(homedir(), ".tributary"))
    .describe("Folder of the local stack: downloads, data, logs, secrets, dropped files."),
  TRIBUTARY_CACHE: z
    .string()
    .optional()
    .describe("Folder of the local stack's downloads; default `cache` under `TRIBUTARY_HOME`."),
  TRIBUTARY_SECRET: z
    .string()
    .regex(/^[0-9a-fA-F]{64}$/, "64 hexadecimal digits")
    .optional()
    .describe("Key of the surrogate ids. Given as a file: `TRIBUTARY_SECRET_FILE`."),
  TRIBUTARY_KEK: z
    .string()
    .regex(/^[0-9a-fA-F]{64}$/, "64 hexadecimal digits")
    .optional()
    .describe("Key-encryption key of the vault. Given as a file: `TRIBUTARY_KEK_FILE`."),
  TRIBUTARY_KEK_PREVIOUS: z
    .string()
    .regex(/^[0-9a-fA-F]{64}$/, "64 hexadecimal digits")
    .optional()
    .describe(
      "Key-encryption key before `TRIBUTARY_KEK`, until `vault rotate` has rewrapped every data key. Given as a file: `TRIBUTARY_KEK_PREVIOUS_FILE`.",
    ),
  TRIBUTARY_NOTARY_KEY: z
    .string()
    .regex(/^[0-9a-fA-F]{64}$/, "64 hexadecimal digits")
    .optional()
    .describe("Ed25519 key with which the notary signs. Given as a file: `TRIBUTARY_NOTARY_KEY_FILE`."),
  TRIBUTARY_TOKEN_KEY: z
    .string()
    .regex(/^[0-9a-fA-F]{64}$/, "64 hexadecimal digits")
    .optional()
    .describe(
      "Key with which one connector signs its access tokens; `run` makes one for each. Default `TRIBUTARY_SECRET`.",
    ),
  KAFKA_BROKERS: list.optional().describe("Kafka brokers, `host:port`, separated by commas."),
  KAFKA_SASL_MECHANISM: z.enum(["plain", "scram-sha-256", "scram-sha-512"]).optional().describe("SASL mechanism."),
  KAFKA_SASL_USERNAME: z.string().optional().describe("SASL user name."),
  KAFKA_SASL_PASSWORD: z.string().optional().describe("SASL password."),
  KAFKA_SSL: flag.default(false).describe("Connect to Kafka over TLS."),
  KAFKA_SSL_CA_FILE: z.string().optional().describe("Certificate authority of the brokers, a PEM file."),
  KAFKA_SSL_CERT_FILE: z.string().optional().describe("Client certificate for Kafka, a PEM file."),
  KAFKA_SSL_KEY_FILE: z.string().optional().describe("Key of the client certificate, a PEM file."),
  TOPIC_PREFIX: z
    .string()
    .regex(/^[a-z0-9._-]*$/)
    .default("")
    .describe("Put before every topic name and consumer group, so that several installations can share one cluster."),
  TOPIC_PARTITIONS: z.coerce
    .number()
    .int()
    .min(1)
    .max(1000)
    .default(6)
    .describe("Partitions of a topic, fixed at birth."),
  TOPIC_REPLICATION: z.coerce
    .number()
    .int()
    .min(1)
    .default(1)
    .describe("Replicas of a topic; 3 outside a single machine, where `min.insync.replicas` is then 2."),
  SCHEMA_REGISTRY_URL: z.url().optional().describe("Base address of a registry that speaks the Confluent API."),
  DATABASE_URL: z
    .url({ protocol: /^postgres(ql)?$/, error: "postgres://user:password@host:port/database" })
    .optional()
    .describe("Postgres, `postgres://user:password@host:port/database`; else the PG* variables."),
  DATABASE_POOL: z.coerce
    .number()
    .int()
    .min(1)
    .max(100)
    .default(6)
    .describe("Most connections of one process to Postgres."),
  DATABASE_SILENCE_SECONDS: z.coerce
    .number()
    .positive()
    .max(3600)
    .default(60)
    .describe(
      "Longest time in seconds that Postgres may say nothing to a consumer or the publisher while it owes an answer. Then the connection is given up, and what was asked is in doubt: it is found out before work goes on. A single statement that takes longer is not lost, but asked about again.",
    ),
  LOG_LEVEL: z
    .enum(["trace", "debug", "info", "warn", "error", "fatal", "silent"])
    .default("info")
    .describe("Least severe level logged."),
  ADMIN_HOST: z
    .string()
    .default("127.0.0.1")
    .describe("Address on which a process serves /livez, /readyz and /metrics."),
  ADMIN_PORT: port.default(0).describe("Port of the same; 0 takes a free one."),
  INTAKE_UNIT_LIMIT: z.coerce
    .number()
    .int()
    .min(1024)
    .default(10_000_000)
    .describe(
      "Largest journal record in bytes; a unit above it is rejected. `topics check` compares it with the topics.",
    ),
  PROJECTION_PARKED_LIMIT: z.coerce
    .number()
    .int()
    .min(0)
    .default(10_000)
    .describe("Most keys that a build of a read model holds back; before one more its consumer stops."),
  REBUILD_MEMORY_MB: z.coerce
    .number()
    .int()
    .min(1)
    .default(400)
    .describe(
      "Memory in megabytes for rows that a rebuild folds before it writes them; what does not fit is updated in Postgres.",
    ),
  CLOCK_SKEW_SECONDS: z.coerce
    .number()
    .min(0)
    .max(3600)
    .default(2)
    .describe(
      "Longest difference in seconds between the clocks of brokers, of the database and of who asks or receives: an as-of is of a moment older than that, and a unit received less than that after an erasure counts as older where no key tells.",
    ),
  FOLD_SECONDS: z.coerce
    .number()
    .positive()
    .max(3600)
    .default(30)
    .describe("Longest time in seconds that folding one event may take; then the consumer's process ends."),
  NOTARY_FOLDER: z
    .string()
    .optional()
    .describe(
      "Second place of what the notary signs, outside of the database: a folder, best on a bucket that keeps what is written; default `notary` under `TRIBUTARY_HOME`.",
    ),
  NOTARY_SECONDS: z.coerce
    .number()
    .positive()
    .max(86_400)
    .default(60)
    .describe("Longest time in seconds that a record in the log stays without the notary's signature."),
  DELIVERY_CREDENTIALS: z
    .string()
    .optional()
    .describe(
      "Folder of the secrets and addresses that delivering consumers name, one file each; default `credentials` under `TRIBUTARY_HOME`.",
    ),
  DELIVERY_PATIENCE_SECONDS: z.coerce
    .number()
    .min(0)
    .default(0)
    .describe(
      "Time in seconds after which an event that its partner does not take, for a reason that may pass, parks its key; 0: it is tried for ever.",
    ),
  DELIVERY_WINDOW: z.coerce
    .number()
    .int()
    .min(1)
    .max(100_000)
    .default(1000)
    .describe(
      "Most events of a partition that are delivered beyond its checkpoint, while an event before them waits for its partner.",
    ),
  CONNECTOR_HOST: z
    .string()
    .default("127.0.0.1")
    .describe("Address on which connectors without a setting of their own listen."),
  CONNECTOR_PORTS: list
    .pipe(z.array(z.string().regex(/^[a-z][a-z0-9-]*=\d{1,5}$/, "`connector=port`")))
    .transform((pairs) => Object.fromEntries(pairs.map((pair) => pair.split("="))))
    .pipe(z.record(z.string(), port))
    .optional()
    .describe("Their ports, `connector=port`, separated by commas; a connector not named takes a free one."),
  CONNECTOR_URLS: list
    .pipe(z.array(z.string().regex(/^[a-z][a-z0-9-]*=https?:\/\/\S+[^/]$/, "`connector=https://host`")))
    .transform((pairs) =>
      Object.fromEntries(pairs.map((pair) => [pair.split("=", 1)[0], pair.slice(pair.indexOf("=") + 1)])),
    )
    .pipe(z.record(z.string(), z.url()))
    .optional()
    .describe("Their addresses as partners know them, where a proxy stands before, `connector=https://host`."),
  CONNECTOR_TLS_CERT_FILE: z
    .string()
    .optional()
    .describe("Certificate of the connectors' HTTP servers, a PEM file; without it HTTP is plain."),
  CONNECTOR_TLS_KEY_FILE: z.string().optional().describe("Key of that certificate, a PEM file."),
  CONNECTOR_TLS_CA_FILE: z.string().optional().describe("Authority of partners' client certificates, a PEM file."),
  CONNECTOR_CREDENTIALS: z
    .string()
    .optional()
    .describe(
      "Folder of the credentials that partner profiles name, one file each; default `credentials` under `TRIBUTARY_HOME`.",
    ),
  CONNECTOR_BODY_LIMIT: z.coerce
    .number()
    .int()
    .min(1024)
    .default(50_000_000)
    .describe("Largest body in bytes as sent that the connectors' HTTP servers take."),
  CONNECTOR_DECODED_LIMIT: z.coerce
    .number()
    .int()
    .min(1024)
    .default(200_000_000)
    .describe("Largest body in bytes after decompression that they take."),
  CONNECTOR_BYTES_IN_HAND: z.coerce
    .number()
    .int()
    .min(1024)
    .default(256_000_000)
    .describe("Most bytes of bodies that a connector holds at once; above it senders get 503 and come again."),
  CONNECTOR_REQUESTS_IN_HAND: z.coerce
    .number()
    .int()
    .min(1)
    .default(256)
    .describe("Most requests that a connector handles at once; above it senders get 503 and come again."),
  CONNECTOR_REQUEST_SECONDS: z.coerce
    .number()
    .int()
    .min(1)
    .default(60)
    .describe("Longest time in seconds that a request may take to arrive."),
  CONNECTOR_STILL_SECONDS: z.coerce
    .number()
    .min(0.01)
    .max(3_600)
    .default(0.5)
    .describe("How long in seconds a dropped file must stand still before it is taken: longer than its sender pauses."),
  HL7V2_HOST: z.string().default("127.0.0.1").describe("Address of the MLLP server."),
  HL7V2_PORT: port.default(0).describe("Port of the MLLP server; 0 takes a free one."),
  HL7V2_TLS_CERT_FILE: z
    .string()
    .optional()
    .describe("Certificate of the MLLP server, a PEM file; without it MLLP is plain."),
  HL7V2_TLS_KEY_FILE: z.string().optional().describe("Key of that certificate, a PEM file."),
  HL7V2_TLS_CA_FILE: z
    .string()
    .optional()
    .describe("Authority of client certificates; when given, clients must present one."),
  HL7V2_IDLE_SECONDS: z.coerce
    .number()
    .int()
    .min(1)
    .default(300)
    .describe("An MLLP connection idle for longer is closed."),
  HL7V2_BLOCK_SECONDS: z.coerce
    .number()
    .int()
    .min(1)
    .default(60)
    .describe("Longest time in seconds from the first byte of an MLLP block to its last."),
  HL7V2_CONNECTIONS: z.coerce
    .number()
    .int()
    .min(1)
    .default(1000)
    .describe("Most MLLP connections at once; a further one is closed."),
  HL7V2_BYTES_IN_HAND: z.coerce
    .number()
    .int()
    .min(1_000_000)
    .default(128_000_000)
    .describe(
      "Most bytes of all MLLP connections in memory at once; above it no partner is read until the log has taken some.",
    ),
  HL7V2_INBOX: z
    .string()
    .optional()
    .describe("Folder of dropped HL7 v2 files, one sub-folder a partner; default `hl7v2` under `TRIBUTARY_HOME`."),
  HL7V2_FILE_LIMIT: z.coerce
    .number()
    .int()
    .min(1024)
    .default(200_000_000)
    .describe("Largest dropped HL7 v2 file in bytes."),
  FHIR_INBOX: z
    .string()
    .optional()
    .describe("Folder of dropped FHIR bulk files, one sub-folder a partner; default `fhir` under `TRIBUTARY_HOME`."),
  X12_HOST: z.string().default("127.0.0.1").describe("Address of the X12 HTTP server."),
  X12_PORT: port.default(0).describe("Port of the X12 HTTP server; 0 takes a free one."),
  X12_BODY_LIMIT: z.coerce
    .number()
    .int()
    .min(1024)
    .default(100_000_000)
    .describe("Largest body in bytes that the X12 HTTP server takes."),
  X12_INBOX: z
    .string()
    .optional()
    .describe("Folder of dropped X12 files, one sub-folder a partner; default `x12` under `TRIBUTARY_HOME`."),
  CSV_INBOX: z
    .string()
    .optional()
    .describe("Folder of dropped CSV files, one sub-folder a partner; default `csv` under `TRIBUTARY_HOME`."),
});

export type Settings = Readonly<z.output<typeof settingsSchema>>;
export type SettingName = keyof Settings;

/** PG* variables make a DATABASE_URL, as libpq would. */
function databaseUrlOf(environment: NodeJS.ProcessEnv): string | undefined {
  if (!environment.PGHOST) return undefined;
  const url = new URL("postgres://localhost");
  url.hostname = environment.PGHOST;
  url.port = environment.PGPORT ?? "5432";
  url.username = encodeURIComponent(environment.PGUSER ?? "postgres");
  url.password = encodeURIComponent(environment.PGPASSWORD ?? "");
  url.pathname = `/${environment.PGDATABASE ?? environment.PGUSER ?? "postgres"}`;
  return url.href;
}

/**
 * Reads all settings at once.
 * @param environment defaults to the process's own.
 * @throws TRIB_CONFIG_INVALID naming every mistake, never the value of a secret.
 */
export function readSettings(environment: NodeJS.ProcessEnv = process.env): Settings {
  const given: Record<string, string> = {};
  const mistakes: string[] = [];
  for (const name of Object.keys(settingsSchema.shape)) {
    const value = environment[name];
    const file = name.endsWith("_FILE") ? undefined : environment[`${name}_FILE`];
    if (value !== undefined && value !== "") given[name] = value;
    else if (file) {
      try {
        given[name] = readFileSync(file, "utf8").trim();
      } catch {
        mistakes.push(`${name}_FILE: cannot be read`);
      }
    }
  }
  const databaseUrl = databaseUrlOf(environment);
  if (given.DATABASE_URL === undefined && databaseUrl) given.DATABASE_URL = databaseUrl;
  const parsed = settingsSchema.safeParse(given);
  if (!parsed.success) {
    for (const issue of parsed.error.issues) mistakes.push(`${issue.path.join(".")}: ${issue.message}`);
  }
  if (!parsed.success || mistakes.length > 0) {
    throw new TributaryError("TRIB_CONFIG_INVALID", `Settings to correct: ${mistakes.join("; ")}.`);
  }
  return parsed.data;
}

/** The vault's key-encryption keys, the current one and the one before it while keys are rewrapped. @throws TRIB_CONFIG_INVALID when there is none. */
export function kekSettings(settings: Settings): { readonly current: string; readonly previous: string | undefined } {
  return { current: requireSetting(settings, "TRIBUTARY_KEK"), previous: settings.TRIBUTARY_KEK_PREVIOUS };
}

/** Beginning of the settings that carry a process's name: `ACME_LAB_` of `acme-lab`. */
export const settingPrefix = (process: string): string => `${process.toUpperCase().replaceAll("-", "_")}_`;

/**
 * The settings of a connector that was made like another: each that carries the other's name is read under its own, and
 * the other's own is not taken over (two can't have one port, nor one folder of dropped files).
 * @throws TRIB_CONFIG_INVALID naming every mistake.
 */
export function readSettingsLike(name: string, like: string, environment: NodeJS.ProcessEnv = process.env): Settings {
  const own: NodeJS.ProcessEnv = {};
  for (const [setting, value] of Object.entries(environment)) {
    if (setting.startsWith(settingPrefix(like))) continue;
    const [mine, theirs] = [settingPrefix(name), settingPrefix(like)];
    own[setting.startsWith(mine) ? theirs + setting.slice(mine.length) : setting] = value;
  }
  return readSettings(own);
}

/** A setting that this process cannot do without. */
export function requireSetting<Name extends SettingName>(settings: Settings, name: Name): NonNullable<Settings[Name]> {
  const value = settings[name];
  if (value === undefined || value === null) {
    throw new TributaryError(
      "TRIB_CONFIG_INVALID",
      `Settings to correct: ${name}: is not set. \`tributary up\` starts a local stack and sets it.`,
    );
  }
  return value as NonNullable<Settings[Name]>;
}
