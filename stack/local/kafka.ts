import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { TributaryError } from "../../engine/service/errors.js";
import { run, tail } from "../commands.js";
import { javaOptions, kafkaProperties } from "../configuration.js";
import { ask } from "../ports.js";
import type { StackState } from "../state.js";
import { draftOf } from "./draft.js";
import { markOf, pathsOf } from "./paths.js";
import type { LocalService } from "./service.js";

/** `ApiVersions` version 0, the request that every broker answers: length, key 18, version, correlation id, no client id. */
const apiVersions = Buffer.from("0000000a0012000000000000ffff", "hex");

const logging = `status = error
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d %p %c{1} %m%n
rootLogger.level = warn
rootLogger.appenderRef.out.ref = out
logger.server.name = kafka.server.KafkaRaftServer
logger.server.level = info
`;

/** What a node of several differs in from the lone one of a local stack. */
export interface KafkaNode {
  readonly id: number;
  /** Every controller, `id@host:port`, separated by commas. */
  readonly voters: string;
  /** Server properties of its own, over the shared ones. */
  readonly properties: Readonly<Record<string, string>>;
  readonly javaOptions: readonly string[];
  /** Port at which clients are told to reach it, where a proxy stands before it; default its own. */
  readonly advertisedPort?: number;
}

/** Kafka as a process that is both broker and controller: alone, or one node of several. */
export function kafkaService(
  home: string,
  software: string,
  java: string,
  state: Pick<StackState, "ports" | "clusterId">,
  environment: NodeJS.ProcessEnv,
  node?: KafkaNode,
): LocalService {
  const paths = pathsOf(home);
  const data = paths.data("kafka");
  const properties = paths.configuration("kafka.properties");
  const log4j = paths.configuration("kafka-log4j2.properties");
  const { kafka: port, controller } = state.ports;
  const write = (folder: string, file = properties) => {
    mkdirSync(dirname(file), { recursive: true });
    const listeners = {
      listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controller}`,
      "advertised.listeners": `PLAINTEXT://127.0.0.1:${node?.advertisedPort ?? port}`,
      "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
      "controller.quorum.voters": node?.voters ?? `1@127.0.0.1:${controller}`,
      "log.dirs": folder,
    };
    const own = node ? { ...node.properties, "node.id": String(node.id) } : {};
    const lines = Object.entries({ ...kafkaProperties, ...own, ...listeners }).map(
      ([name, value]) => `${name}=${value}\n`,
    );
    writeFileSync(file, lines.join(""));
    writeFileSync(log4j, logging);
  };
  return {
    name: "kafka",
    ports: [port, controller],
    command: java,
    parameters: [
      markOf(home, "kafka").trim(),
      ...(node?.javaOptions ?? [...javaOptions.kafka, "-XX:+UseG1GC"]),
      "-XX:+ExitOnOutOfMemoryError",
      "-Djava.awt.headless=true",
      `-Dlog4j2.configurationFile=${log4j}`,
      "-cp",
      `${software}/*`,
      "kafka.Kafka",
      properties,
    ],
    folder: home,
    environment,
    prepare: async () => {
      if (!existsSync(data)) {
        const draft = draftOf(data);
        const settings = `${draft}.properties`;
        mkdirSync(dirname(log4j), { recursive: true });
        write(draft, settings);
        const classes = [
          "-Xshare:auto",
          "-XX:TieredStopAtLevel=1",
          `-Dlog4j2.configurationFile=${log4j}`,
          "-cp",
          `${software}/*`,
        ];
        // With an equals sign: an id may begin with a dash, and would be taken for an option.
        const format = ["kafka.tools.StorageTool", "format", `--cluster-id=${state.clusterId}`, "-c", settings];
        const answer = await run(java, [...classes, ...format], { environment });
        if (answer.exitCode !== 0) {
          throw new TributaryError(
            "TRIB_STACK_START_FAILED",
            `Kafka's storage cannot be formatted:\n${tail(answer.output)}`,
          );
        }
        renameSync(draft, data);
        rmSync(settings);
      }
      write(data);
    },
    probe: async () => (await ask(port, apiVersions)) !== undefined,
    stopSignal: "SIGTERM",
  };
}
