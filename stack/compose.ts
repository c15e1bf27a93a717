import { createHash } from "node:crypto";
import { join } from "node:path";
import { TributaryError } from "../engine/service/errors.js";
import { repositoryRoot } from "../engine/service/root.js";
import { run, tail } from "./commands.js";
import { database } from "./configuration.js";
import { ensureSecrets, keepDatabaseUrl, readSecret } from "./secrets.js";
import { type StackReport, type StackServices, serviceNames } from "./services.js";
import type { StackState } from "./state.js";

const composeFile = join(repositoryRoot, "docker-compose.yml");

/** Whether a Docker engine answers within three seconds and has Compose. */
export async function dockerAnswers(environment: NodeJS.ProcessEnv): Promise<boolean> {
  const engine = await run("docker", ["info", "--format", "{{.ServerVersion}}"], { environment, limit: 3000 });
  if (engine.exitCode !== 0) return false;
  return (await run("docker", ["compose", "version"], { environment, limit: 3000 })).exitCode === 0;
}

/** Where the services of a Compose stack are reached, whether they run or not. */
export function composeServices(home: string, state: StackState): StackServices {
  const { secretFile, kekFile, notaryKeyFile, databasePasswordFile } = ensureSecrets(home);
  const { kafka, registry, postgres } = state.ports;
  const databaseUrl = `postgres://${database.user}:${readSecret(databasePasswordFile)}@127.0.0.1:${postgres}/${database.name}`;
  return {
    mode: "compose",
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
 * Brings the services up with Docker Compose and waits until all are healthy.
 * @throws TRIB_STACK_DOCKER_FAILED with the last lines of Docker.
 */
export async function startCompose(
  home: string,
  state: StackState,
  environment: NodeJS.ProcessEnv,
  report: StackReport,
): Promise<StackServices> {
  const services = composeServices(home, state);
  const startedAt = performance.now();
  // Images are fetched by a step of their own, so that their download is told apart from the start.
  report({ kind: "downloading", what: "container images" });
  await compose(home, state, environment, ["pull", "--quiet", "--policy", "missing"]);
  const pulledAt = performance.now();
  // Docker does not tell how many bytes it fetched.
  report({ kind: "downloaded", what: "container images", bytes: 0, milliseconds: pulledAt - startedAt });
  for (const service of serviceNames) report({ kind: "starting", service });
  await compose(home, state, environment, ["up", "--detach", "--wait", "--wait-timeout", "180"]);
  for (const service of serviceNames) report({ kind: "ready", service, milliseconds: performance.now() - pulledAt });
  return services;
}

/** Stops the services; their volumes are kept. */
export async function stopCompose(
  home: string,
  state: StackState,
  environment: NodeJS.ProcessEnv,
  report: StackReport,
): Promise<void> {
  const startedAt = performance.now();
  for (const service of serviceNames) report({ kind: "stopping", service });
  await compose(home, state, environment, ["down"]);
  for (const service of serviceNames) report({ kind: "stopped", service, milliseconds: performance.now() - startedAt });
}

async function compose(
  home: string,
  state: StackState,
  environment: NodeJS.ProcessEnv,
  parameters: readonly string[],
): Promise<void> {
  // A project a home, so that two homes on one machine never share a volume.
  const project = `tributary-${createHash("sha256").update(home).digest("hex").slice(0, 8)}`;
  const answer = await run("docker", ["compose", "--project-name", project, "--file", composeFile, ...parameters], {
    environment: {
      ...environment,
      TRIBUTARY_KAFKA_PORT: String(state.ports.kafka),
      TRIBUTARY_REGISTRY_PORT: String(state.ports.registry),
      TRIBUTARY_POSTGRES_PORT: String(state.ports.postgres),
      TRIBUTARY_POSTGRES_PASSWORD: readSecret(ensureSecrets(home).databasePasswordFile),
    },
  });
  if (answer.exitCode === 0) return;
  throw new TributaryError(
    "TRIB_STACK_DOCKER_FAILED",
    `\`docker compose ${parameters[0]}\` of project ${project} failed:\n${tail(answer.output)}`,
  );
}
