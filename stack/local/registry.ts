import { javaOptions, registryEnvironment } from "../configuration.js";
import type { StackState } from "../state.js";
import { versions } from "../versions.js";
import { markOf } from "./paths.js";
import type { LocalService } from "./service.js";

/** Apicurio Registry, which keeps its schemas in Kafka. */
export function registryService(
  home: string,
  software: string,
  java: string,
  state: StackState,
  environment: NodeJS.ProcessEnv,
): LocalService {
  const { kafka, registry: port } = state.ports;
  const base = `http://127.0.0.1:${port}`;
  return {
    name: "registry",
    ports: [port],
    command: java,
    parameters: [
      markOf(home, "registry").trim(),
      ...javaOptions.registry,
      "-XX:+ExitOnOutOfMemoryError",
      "-jar",
      `apicurio-registry-app-${versions.apicurio}-runner.jar`,
    ],
    folder: software,
    environment: {
      ...environment,
      ...registryEnvironment,
      APICURIO_KAFKASQL_BOOTSTRAP_SERVERS: `127.0.0.1:${kafka}`,
      QUARKUS_HTTP_HOST: "127.0.0.1",
      QUARKUS_HTTP_PORT: String(port),
    },
    prepare: async () => {},
    // Ready is not enough: it must have read its journal, or a schema that exists would be unknown for a moment.
    probe: async () => (await answers(`${base}/health/ready`)) && (await answers(`${base}/apis/ccompat/v7/subjects`)),
    stopSignal: "SIGTERM",
  };
}

async function answers(address: string): Promise<boolean> {
  try {
    const answer = await fetch(address, { signal: AbortSignal.timeout(5000) });
    await answer.arrayBuffer();
    return answer.ok;
  } catch {
    return false;
  }
}
