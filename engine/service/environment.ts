import { createHmac } from "node:crypto";
import type { ProcessKind } from "./registration.js";
import { settingPrefix } from "./settings.js";

/** What every process may know: how to reach the log and where to write about itself. */
const shared = [
  "PATH",
  "HOME",
  "NODE_OPTIONS",
  "NODE_EXTRA_CA_CERTS",
  "TRIBUTARY_ENV",
  "TRIBUTARY_HOME",
  "LOG_LEVEL",
  "ADMIN_HOST",
  "TOPIC_PREFIX",
  "TOPIC_PARTITIONS",
  "TOPIC_REPLICATION",
  "SCHEMA_REGISTRY_URL",
  "DATABASE_POOL",
];
const sharedPrefixes = ["KAFKA_"];

/** What a kind of process needs beside it; a connector also gets the settings that carry its own name. */
const byKind: Readonly<Record<ProcessKind, readonly string[]>> = {
  connector: [
    "DATABASE_URL",
    "TRIBUTARY_SECRET",
    "TRIBUTARY_SECRET_FILE",
    "TRIBUTARY_KEK",
    "TRIBUTARY_KEK_FILE",
    "TRIBUTARY_KEK_PREVIOUS",
    "TRIBUTARY_KEK_PREVIOUS_FILE",
    "INTAKE_UNIT_LIMIT",
  ],
  publisher: ["DATABASE_URL", "INTAKE_UNIT_LIMIT"],
  consumer: [
    "DATABASE_URL",
    "TRIBUTARY_KEK",
    "TRIBUTARY_KEK_FILE",
    "TRIBUTARY_KEK_PREVIOUS",
    "TRIBUTARY_KEK_PREVIOUS_FILE",
    "PROJECTION_PARKED_LIMIT",
    "FOLD_SECONDS",
  ],
  console: ["DATABASE_URL"],
  supervisor: [],
};

/** The signing key is the notary's alone. */
const notary = ["TRIBUTARY_NOTARY_KEY", "TRIBUTARY_NOTARY_KEY_FILE", "NOTARY_FOLDER", "NOTARY_SECONDS"];

/**
 * The environment of one process: least privilege. A consumer without restricted columns gets no key-encryption key,
 * and no consumer gets the secret of the surrogate ids.
 * @param given the installation's whole environment.
 * @param overrides for instance the process's own database role.
 */
export function environmentFor(
  process: {
    readonly kind: ProcessKind;
    readonly name: string;
    readonly opensSealed?: boolean;
    readonly notarizes?: boolean;
  },
  given: Readonly<Record<string, string>>,
  overrides: Readonly<Record<string, string>> = {},
): Record<string, string> {
  const names = new Set([...shared, ...byKind[process.kind], ...(process.notarizes ? notary : [])]);
  const prefixes =
    process.kind === "connector" ? [...sharedPrefixes, "CONNECTOR_", settingPrefix(process.name)] : sharedPrefixes;
  const environment: Record<string, string> = {};
  for (const [name, value] of Object.entries(given)) {
    if (process.kind === "consumer" && !process.opensSealed && name.startsWith("TRIBUTARY_KEK")) continue;
    if (names.has(name) || prefixes.some((prefix) => name.startsWith(prefix))) environment[name] = value;
  }
  return { ...environment, ...overrides };
}

/** Password of a consumer's own Postgres role: derived, so that it is stored nowhere. */
export function rolePassword(secret: string, role: string): string {
  return createHmac("sha256", Buffer.from(secret, "hex")).update(`postgres-role\0${role}`).digest("base64url");
}

/** The same database as another role. */
export function asRole(databaseUrl: string, role: string, password: string): string {
  const url = new URL(databaseUrl);
  url.username = role;
  url.password = password;
  return url.href;
}
