import { createHmac, scryptSync } from "node:crypto";
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

/** Where a delivering consumer has its secrets, and how long it waits. */
const delivery = ["DELIVERY_CREDENTIALS", "DELIVERY_PATIENCE_SECONDS", "DELIVERY_WINDOW"];

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
    readonly delivers?: boolean;
  },
  given: Readonly<Record<string, string>>,
  overrides: Readonly<Record<string, string>> = {},
): Record<string, string> {
  const { notarizes, delivers } = process;
  const own = [...byKind[process.kind], ...(notarizes ? notary : []), ...(delivers ? delivery : [])];
  const names = new Set([...shared, ...own]);
  const prefixes =
    process.kind === "connector" ? [...sharedPrefixes, "CONNECTOR_", settingPrefix(process.name)] : sharedPrefixes;
  const environment: Record<string, string> = {};
  for (const [name, value] of Object.entries(given)) {
    if (process.kind === "consumer" && !process.opensSealed && name.startsWith("TRIBUTARY_KEK")) continue;
    if (names.has(name) || prefixes.some((prefix) => name.startsWith(prefix))) environment[name] = value;
  }
  return { ...environment, ...overrides };
}

const ownersKeys = new Map<string, Buffer>();

/** A key that only who owns the database can make: slow, so that its password is not found by trying from what is derived. */
function ownersKey({ databaseUrl, secret }: OwnersSecrets): Buffer {
  const known = `${databaseUrl}\0${secret}`;
  const key = ownersKeys.get(known) ?? scryptSync(new URL(databaseUrl).password, `tributary\0${secret}`, 32);
  ownersKeys.set(known, key);
  return key;
}

const derived = (owner: OwnersSecrets, purpose: string, name: string): Buffer =>
  createHmac("sha256", ownersKey(owner)).update(`${purpose}\0${name}`).digest();

/** What only the owner of an installation has together. */
export interface OwnersSecrets {
  /** Address of the database with the owner's name and password. No process that runs is given it. */
  readonly databaseUrl: string;
  /** The secret of the surrogate ids, which connectors have, too. */
  readonly secret: string;
}

/**
 * Password of a process's own Postgres role: derived, so that it is stored nowhere. Neither another role's password nor the
 * secret of the surrogate ids leads to it. It changes with the owner's password.
 */
export const rolePassword = (owner: OwnersSecrets, role: string): string =>
  derived(owner, "postgres-role", role).toString("base64url");

/** Key with which one connector signs access tokens, 64 hexadecimal digits: no other connector can make them. */
export const tokenKey = (owner: OwnersSecrets, connector: string): string =>
  derived(owner, "access-tokens", connector).toString("hex");

/** The same database as another role. */
export function asRole(databaseUrl: string, role: string, password: string): string {
  const url = new URL(databaseUrl);
  url.username = role;
  url.password = password;
  return url.href;
}
