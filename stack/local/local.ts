import { existsSync } from "node:fs";
import { join } from "node:path";
import { database } from "../configuration.js";
import { ensureSecrets, keepDatabaseUrl, readSecret } from "../secrets.js";
import { type ServiceName, type StackReport, type StackServices, serviceNames } from "../services.js";
import type { StackState } from "../state.js";
import { findJava } from "./java.js";
import { kafkaService } from "./kafka.js";
import { postgresService } from "./postgres.js";
import { registryService } from "./registry.js";
import { type LocalService, pidOf, requirePorts, startService, stopService } from "./service.js";
import { ensureSoftware } from "./software.js";

/** Where the services of a local stack are reached, whether they run or not. */
export function localServices(home: string, state: StackState): StackServices {
  const { secretFile, kekFile, notaryKeyFile, databasePasswordFile } = ensureSecrets(home);
  const { kafka, registry, postgres } = state.ports;
  const databaseUrl = `postgres://${database.user}:${readSecret(databasePasswordFile)}@127.0.0.1:${postgres}/${database.name}`;
  return {
    mode: "local",
    kafkaBrokers: `127.0.0.1:${kafka}`,
    registryUrl: `http://127.0.0.1:${registry}/apis/ccompat/v7`,
    databaseUrl,
    databaseUrlFile: keepDatabaseUrl(home, databaseUrl),
    secretFile,
    kekFile,
    notaryKeyFile,
  };
}

/**
 * Brings up what does not run yet of a local stack: downloads first, then all services at once.
 * @throws any TRIB_STACK_* error of its parts; the services that did start are left for the next try.
 */
export async function startLocal(
  home: string,
  state: StackState,
  environment: NodeJS.ProcessEnv,
  report: StackReport,
): Promise<StackServices> {
  const java = await findJava(environment);
  const cache = environment.TRIBUTARY_CACHE || join(home, "cache");
  const software = await ensureSoftware(cache, environment, report);
  const services = localServices(home, state);
  const clean = plainEnvironment(environment);
  const { databasePasswordFile } = ensureSecrets(home);
  const definitions = [
    await postgresService(home, software.postgres, state, databasePasswordFile, clean),
    kafkaService(home, software.kafka, java, state, clean),
    registryService(home, software.registry, java, state, clean),
  ];
  for (const definition of definitions) await requirePorts(home, definition);
  // One that cannot start is the reason that others wait for it in vain. All settle before the failure is told, so
  // that no start is still at work when the caller's lock is released.
  const failure = new AbortController();
  const start = async (definition: LocalService) => {
    try {
      await startService(home, definition, report, failure.signal);
    } catch (error) {
      failure.abort();
      throw error;
    }
  };
  const results = await Promise.allSettled(definitions.map(start));
  for (const result of results) if (result.status === "rejected") throw result.reason;
  return services;
}

/** Which services of a local stack run, by process id. */
export async function localProcesses(home: string): Promise<Partial<Record<ServiceName, number>>> {
  const found: Partial<Record<ServiceName, number>> = {};
  for (const name of serviceNames) {
    const pid = existsSync(home) ? await pidOf(home, name) : undefined;
    if (pid !== undefined) found[name] = pid;
  }
  return found;
}

/** Ends the services of a local stack. Kafka goes last, for the registry writes to it. */
export async function stopLocal(home: string, report: StackReport): Promise<void> {
  await Promise.all([
    stopService(home, { name: "postgres", stopSignal: "SIGINT" }, report),
    stopService(home, { name: "registry", stopSignal: "SIGTERM" }, report),
  ]);
  await stopService(home, { name: "kafka", stopSignal: "SIGTERM" }, report);
}

/** What a service needs of the caller's environment; settings of other programs must not reach it. */
function plainEnvironment(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const kept = ["PATH", "HOME", "JAVA_HOME", "TMPDIR", "LANG"];
  return Object.fromEntries(
    kept.flatMap((name) => (environment[name] === undefined ? [] : [[name, environment[name]]])),
  );
}
