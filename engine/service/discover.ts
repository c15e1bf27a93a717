import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { ConnectorDefinition } from "../intake/connector.js";
import type { AnyProjection } from "../projector/definition.js";
import type { ConsumerDefinition } from "./consumer.js";
import { TributaryError } from "./errors.js";
import { codeRoot, repositoryRoot } from "./root.js";

/** Folders of `room` that hold `file`: nothing registers them, being there is enough. */
function foldersWith(room: string, file: string): string[] {
  const path = join(codeRoot, room);
  if (!existsSync(path)) return [];
  const extension = codeRoot === repositoryRoot ? ".ts" : ".js";
  const sources = join(repositoryRoot, room);
  // What is built of a folder that was removed is not there any more.
  const isThere = (name: string) => !existsSync(sources) || existsSync(join(sources, name, `${file}.ts`));
  return readdirSync(path, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && existsSync(join(path, entry.name, `${file}${extension}`)))
    .filter((entry) => isThere(entry.name))
    .map((entry) => entry.name)
    .sort();
}

async function load<Definition>(room: string, name: string, file: string): Promise<Definition> {
  const names = foldersWith(room, file);
  if (!names.includes(name)) {
    throw new TributaryError(
      "TRIB_SERVICE_NOT_FOUND",
      `There is no folder ${room}/${name} with a ${file}.ts. There are: ${names.join(", ") || "none"}.`,
    );
  }
  const extension = codeRoot === repositoryRoot ? ".ts" : ".js";
  const module = (await import(pathToFileURL(join(codeRoot, room, name, `${file}${extension}`)).href)) as {
    default?: Definition;
  };
  if (module.default === undefined) {
    throw new TributaryError("TRIB_SERVICE_NOT_FOUND", `${room}/${name}/${file}.ts has no default export.`);
  }
  return module.default;
}

/** Names of the connectors found in `producers/`. */
export const connectorNames = (): string[] => foldersWith("producers", "connector");
/** Names of the consumers found in `consumers/`. */
export const consumerNames = (): string[] => foldersWith("consumers", "consumer");

/** @throws TRIB_SERVICE_NOT_FOUND naming the folders there are. */
export const loadConnector = (name: string): Promise<ConnectorDefinition<unknown>> =>
  load<ConnectorDefinition<unknown>>("producers", name, "connector");
/** @throws TRIB_SERVICE_NOT_FOUND naming the folders there are. */
export const loadConsumer = (name: string): Promise<ConsumerDefinition> =>
  load<ConsumerDefinition>("consumers", name, "consumer");

/** Every projection that a consumer in `consumers/` keeps. */
export async function allProjections(): Promise<AnyProjection[]> {
  const consumers = await Promise.all(consumerNames().map(loadConsumer));
  return consumers.flatMap(({ project }) => project);
}

/**
 * The consumer that has parked keys under a name: that of a projection, or its own where it delivers.
 * @throws TRIB_SERVICE_NOT_FOUND naming both kinds there are.
 */
export async function keeperNamed(name: string): Promise<ConsumerDefinition> {
  const consumers = await Promise.all(consumerNames().map(loadConsumer));
  const delivering = consumers.find((consumer) => consumer.name === name && consumer.deliver !== undefined);
  if (delivering) return delivering;
  const keeper = consumers.find(({ project }) => project.some((projection) => projection.name === name));
  if (keeper) return keeper;
  const projections = consumers.flatMap(({ project }) => project.map((projection) => projection.name));
  const deliveries = consumers.filter(({ deliver }) => deliver !== undefined).map((consumer) => consumer.name);
  throw new TributaryError(
    "TRIB_SERVICE_NOT_FOUND",
    `There is no projection or delivering consumer ${name}. Projections: ${projections.join(", ") || "none"}; delivering consumers: ${deliveries.join(", ") || "none"}.`,
  );
}

/** The consumer that keeps a projection, and the projection. @throws TRIB_SERVICE_NOT_FOUND naming those there are. */
export async function projectionNamed(
  name: string,
): Promise<{ readonly consumer: ConsumerDefinition; readonly projection: AnyProjection }> {
  const consumers = await Promise.all(consumerNames().map(loadConsumer));
  for (const consumer of consumers) {
    const projection = consumer.project.find((one) => one.name === name);
    if (projection) return { consumer, projection };
  }
  const names = consumers.flatMap(({ project }) => project.map((projection) => projection.name));
  throw new TributaryError(
    "TRIB_SERVICE_NOT_FOUND",
    `No consumer keeps a projection ${name}. There are: ${names.join(", ") || "none"}.`,
  );
}
