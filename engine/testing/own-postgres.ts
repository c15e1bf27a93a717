import { mkdtempSync, rmSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { postgresService } from "../../stack/local/postgres.js";
import { type LocalService, startService, stopService } from "../../stack/local/service.js";
import { ensureSoftware } from "../../stack/local/software.js";
import { freePorts } from "../../stack/ports.js";
import { ensureSecrets, readSecret } from "../../stack/secrets.js";
import type { StackState } from "../../stack/state.js";
import { migrateUp } from "../store/migrate.js";

/** A Postgres server of one spec's own, to be broken. */
export interface OwnPostgres {
  /** A database with all migrations applied. */
  readonly url: string;
  start(): Promise<void>;
  /** As after a power cut: sessions and shared memory are gone at once, the next start recovers from the log. */
  stopAtOnce(): Promise<void>;
  /** Ends it and removes its data. */
  remove(): Promise<void>;
}

/** Makes a server with the local stack's software and settings, in a temporary folder, on a free port. */
export async function ownPostgres(): Promise<OwnPostgres> {
  const home = mkdtempSync(join(tmpdir(), "tributary-postgres-"));
  const quiet = () => {};
  const environment = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(PG|DATABASE_)/.test(name)));
  const cache = process.env.TRIBUTARY_CACHE ?? join(homedir(), ".tributary", "cache");
  const { postgres: software } = await ensureSoftware(cache, environment, quiet);
  const { databasePasswordFile } = ensureSecrets(home);
  const state: StackState = { format: 1, mode: "local", ports: await freePorts(), clusterId: "none" };
  const service: LocalService = await postgresService(home, software, state, databasePasswordFile, environment);
  const start = () => startService(home, service, quiet, new AbortController().signal);
  const stopAtOnce = () => stopService(home, { name: "postgres", stopSignal: "SIGQUIT" }, quiet);
  const url = `postgres://tributary:${readSecret(databasePasswordFile)}@127.0.0.1:${state.ports.postgres}/tributary`;
  const remove = async () => {
    await stopAtOnce();
    rmSync(home, { recursive: true, force: true });
  };
  try {
    await start();
    await migrateUp(url);
  } catch (error) {
    await remove();
    throw error;
  }
  return { url, start, stopAtOnce, remove };
}
