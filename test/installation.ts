import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectLog } from "../engine/log/kafka.js";
import type { Log } from "../engine/log/log.js";
import { awaitProjections } from "../engine/projector/await.js";
import { consumerNames, loadConsumer } from "../engine/service/discover.js";
import { createLogger } from "../engine/service/logger.js";
import { prepareInstallation, processSpecs } from "../engine/service/prepare.js";
import { type Registration, registered } from "../engine/service/registration.js";
import { readSettings, type Settings } from "../engine/service/settings.js";
import { type Supervisor, type SupervisorOptions, startSupervisor } from "../engine/service/supervisor.js";
import { openPool, type Pool } from "../engine/store/pool.js";
import { freshDatabase } from "../engine/testing/database.js";

/** A whole installation for an end-to-end test: its own database, topics and home; real processes, as `run` starts them. */
export interface TestInstallation {
  readonly home: string;
  readonly settings: Settings;
  readonly environment: Readonly<Record<string, string>>;
  readonly pool: Pool;
  readonly log: Log;
  readonly supervisor: Supervisor;
  /** The running process of a name. */
  process(name: string): Registration | undefined;
  /** Waits until every process is ready. */
  untilReady(): Promise<void>;
  /** Waits until all that was accepted is applied. @param derived also to the tables that are derived from whole ones. */
  applied(seconds?: number, derived?: boolean): Promise<{ parkedKeys: number }>;
  query(sql: string): Promise<Record<string, unknown>[]>;
  stop(): Promise<void>;
}

/** The settings of an installation of its own on the services of the tests: nothing is prepared, nothing runs. */
export interface TestPlace {
  readonly home: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly databaseUrl: string;
  remove(): Promise<void>;
}

/** @param settings beside those of the services. */
export async function makePlace(settings: Readonly<Record<string, string>> = {}): Promise<TestPlace> {
  const home = mkdtempSync(join(tmpdir(), "tributary-e2e-"));
  const database = await freshDatabase({ empty: true });
  const environment: Record<string, string> = {};
  for (const [name, value] of Object.entries(process.env)) if (value !== undefined) environment[name] = value;
  Object.assign(environment, {
    TRIBUTARY_HOME: home,
    DATABASE_URL: database.url,
    TOPIC_PREFIX: `e2e-${randomBytes(4).toString("hex")}.`,
    TOPIC_PARTITIONS: "4",
    LOG_LEVEL: "info",
    ...settings,
  });
  return {
    home,
    environment,
    databaseUrl: database.url,
    async remove() {
      await database.drop();
      rmSync(home, { recursive: true, force: true });
    },
  };
}

/** @param options.names processes to start; all of them by default. `watch` is told about their starts and ends. */
export async function startInstallation(
  options: {
    readonly names?: readonly string[];
    readonly settings?: Readonly<Record<string, string>>;
    readonly watch?: Pick<SupervisorOptions, "onStarted" | "onEnded">;
    /** Port of 127.0.0.1 through which the processes reach Postgres; this test itself goes there directly. */
    readonly postgresPort?: number;
  } = {},
): Promise<TestInstallation> {
  const place = await makePlace(options.settings);
  const { home } = place;
  const environment = { ...place.environment };
  if (options.postgresPort !== undefined) {
    const proxied = new URL(place.databaseUrl);
    proxied.hostname = "127.0.0.1";
    proxied.port = String(options.postgresPort);
    environment.DATABASE_URL = proxied.href;
  }
  const settings = readSettings(environment);
  const installation = { settings, environment };
  await prepareInstallation(installation, () => {});
  const logger = createLogger("e2e", "silent");
  const supervisor = startSupervisor({ home, logger, firstPauseMilliseconds: 50, ...options.watch });
  const specs = await processSpecs(installation, options.names);
  for (const spec of specs) supervisor.add(spec);
  const pool = openPool(place.databaseUrl, { applicationName: "tributary e2e", max: 4 });
  const log = connectLog(settings, { clientId: "e2e", logger });
  const names = specs.map(({ name }) => name);
  return {
    home,
    settings,
    environment,
    pool,
    log,
    supervisor,
    process: (name) => registered(home).find((process) => process.name === name),
    async untilReady() {
      const until = Date.now() + 60_000;
      for (;;) {
        const ready = new Set<string>();
        for (const { name, admin } of registered(home)) {
          if ((await fetch(`${admin}/readyz`).catch(() => undefined))?.ok) ready.add(name);
        }
        const missing = names.filter((name) => !ready.has(name));
        if (missing.length === 0) return;
        if (Date.now() > until) throw new Error(`not ready: ${missing.join(", ")}; logs in ${home}/logs`);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    },
    async applied(seconds = 60, derived = true) {
      const consumers = await Promise.all(consumerNames().map(loadConsumer));
      const running = consumers.filter(({ name }) => names.includes(name)).flatMap(({ project }) => project);
      return awaitProjections({
        log,
        pool,
        projections: derived ? running : running.map((projection) => ({ ...projection, derived: {} })),
        timeout: seconds * 1000,
      });
    },
    async query(sql) {
      return (await pool.query<Record<string, unknown>>(sql)).rows;
    },
    async stop() {
      await supervisor.stop();
      await log.close();
      await pool.end();
      await place.remove();
    },
  };
}
