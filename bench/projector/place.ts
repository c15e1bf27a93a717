import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Log } from "../../engine/log/log.js";
import { type OwnTopics, ownTopics } from "../../engine/log/own-topics.js";
import { registerSchemas } from "../../engine/log/registry.js";
import { applyTopics } from "../../engine/log/topics.js";
import { requireSetting, type Settings } from "../../engine/service/settings.js";
import { migrateUp } from "../../engine/store/migrate.js";
import { openPool, type Pool } from "../../engine/store/pool.js";
import { serverAt } from "./proc.js";

/** An installation of its own on somebody's Kafka, registry and Postgres: nothing of theirs is touched. */
export interface Place {
  readonly settings: Settings;
  readonly environment: Readonly<Record<string, string>>;
  /** As the owner of its database. */
  readonly pool: Pool;
  readonly log: Log;
  readonly topics: Pick<OwnTopics, "create" | "remove">;
  /** Process ids of the servers, where they run on this machine. */
  readonly servers: { readonly postgres: number | undefined; readonly kafka: number | undefined };
  /** Drops database, topics and folder. Roles belong to the server and stay, as those of the installation do. */
  remove(): Promise<void>;
}

/** What a bench stands on: the services of an installation. */
export interface Ground {
  readonly settings: Settings;
  readonly environment: Readonly<Record<string, string>>;
}

/** Partitions of every topic measured. */
export const partitions = 8;

async function onServer(url: string, statement: string): Promise<void> {
  const admin = openPool(url, { applicationName: "tributary bench", max: 1 });
  try {
    await admin.query(statement);
  } finally {
    await admin.end();
  }
}

/** Makes the installation: database with migrations, schemas, topics. Consumers are made by who starts them. */
export async function makePlace(ground: Ground): Promise<Place> {
  const server = requireSetting(ground.settings, "DATABASE_URL");
  const name = `tributary_bench_${randomBytes(5).toString("hex")}`;
  const home = mkdtempSync(join(tmpdir(), "tributary-bench-"));
  await onServer(server, `CREATE DATABASE ${name}`);
  const url = Object.assign(new URL(server), { pathname: `/${name}` });
  const own = await ownTopics({
    DATABASE_URL: url.href,
    TOPIC_PARTITIONS: partitions,
    TRIBUTARY_HOME: home,
  });
  const { settings, log } = own;
  const remove = async () => {
    await own.dispose();
    await pool.end();
    await onServer(server, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
    rmSync(home, { recursive: true, force: true });
  };
  const pool = openPool(url.href, { applicationName: "tributary bench", max: 4 });
  try {
    await migrateUp(url.href);
    await registerSchemas(settings);
    await applyTopics(settings);
  } catch (error) {
    await remove();
    throw error;
  }
  const [broker = ""] = requireSetting(settings, "KAFKA_BROKERS");
  const [host = "", port] = broker.split(":");
  return {
    settings,
    environment: {
      ...ground.environment,
      DATABASE_URL: url.href,
      TOPIC_PREFIX: settings.TOPIC_PREFIX,
      TOPIC_PARTITIONS: String(partitions),
      TRIBUTARY_HOME: home,
      LOG_LEVEL: "warn",
    },
    pool,
    log,
    topics: own,
    servers: {
      postgres: serverAt(url.hostname, Number(url.port || 5432), "postgres"),
      kafka: serverAt(host, Number(port), "java"),
    },
    remove,
  };
}

/** Does something in a place of its own, and removes it whatever happens. */
export async function inPlace<Result>(ground: Ground, work: (place: Place) => Promise<Result>): Promise<Result> {
  const place = await makePlace(ground);
  try {
    return await work(place);
  } finally {
    await place.remove();
  }
}
