import { registryEnvironment } from "../configuration.js";
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
  return {
    name: "registry",
    ports: [port],
    command: java,
    parameters: [
      markOf(home, "registry").trim(),
      "-Xms64m",
      "-Xmx384m",
      "-XX:+UseSerialGC",
      "-XX:TieredStopAtLevel=1",
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
    probe: async () => {
      try {
        const answer = await fetch(`http://127.0.0.1:${port}/apis/ccompat/v7/subjects`, {
          signal: AbortSignal.timeout(5000),
        });
        return answer.ok && Array.isArray(await answer.json());
      } catch {
        return false;
      }
    },
    stopSignal: "SIGTERM",
  };
}
