import { applyNotaryGrants } from "../audit/roles.js";
import { isDelivering, prepareDelivery } from "../delivery/registration.js";
import { applyConnectorGrants, applyPublisherGrants, connectorRole, publisherRole } from "../intake/roles.js";
import { registerSchemas } from "../log/registry.js";
import { applyTopics } from "../log/topics.js";
import { consumerRole } from "../projector/names.js";
import { openedEventTypes } from "../projector/roles.js";
import { prepareConsumer } from "../projector/runner.js";
import { beginVersion } from "../replay/new-version.js";
import { migrateUp } from "../store/migrate.js";
import { openPool, type Pool } from "../store/pool.js";
import type { ConsumerDefinition } from "./consumer.js";
import { connectorNames, consumerNames, loadConsumer } from "./discover.js";
import { asRole, environmentFor, type OwnersSecrets, rolePassword, tokenKey } from "./environment.js";
import { requireSetting, type Settings } from "./settings.js";
import type { ProcessSpec } from "./supervisor.js";

/** An installation as its owner sees it. */
export interface OwnedInstallation {
  readonly settings: Settings;
  readonly environment: Readonly<Record<string, string>>;
}

/**
 * Applies migrations, topics, schemas, and the builds and roles of every consumer. Idempotent; any number at once.
 * @param report told each step when it is done.
 */
export async function prepareInstallation(
  installation: OwnedInstallation,
  report: (step: string) => void,
): Promise<void> {
  const { settings } = installation;
  await Promise.all([
    migrateUp(requireSetting(settings, "DATABASE_URL")).then(() => report("migrations")),
    registerSchemas(settings)
      .then(() => report("schemas"))
      .then(() => applyTopics(settings))
      .then(() => report("topics")),
  ]);
  await Promise.all([
    preparePublisherRole(installation),
    ...connectorNames().map((name) => prepareConnectorRole(installation, name)),
    ...consumerNames().map(async (name) => prepareConsumerRole(installation, await loadConsumer(name))),
  ]);
  report("read models");
}

const ownersSecrets = (settings: Settings): OwnersSecrets => ({
  databaseUrl: requireSetting(settings, "DATABASE_URL"),
  secret: requireSetting(settings, "TRIBUTARY_SECRET"),
});

/** Gives a role its rights, as the owner of the database; gives the address of the database as that role. */
async function prepareRole(
  { settings }: OwnedInstallation,
  role: string,
  grant: (admin: Pool, password: string) => Promise<unknown>,
): Promise<string> {
  const databaseUrl = requireSetting(settings, "DATABASE_URL");
  const password = rolePassword(ownersSecrets(settings), role);
  const admin = openPool(databaseUrl, { applicationName: "tributary prepare", max: 2 });
  try {
    await grant(admin, password);
  } finally {
    await admin.end();
  }
  return asRole(databaseUrl, role, password);
}

/** Makes builds and role of one consumer; gives the address of the database as that role. */
export const prepareConsumerRole = (installation: OwnedInstallation, definition: ConsumerDefinition): Promise<string> =>
  prepareRole(installation, consumerRole(definition.name), (admin, password) => {
    if (definition.notarize) return applyNotaryGrants(admin, definition.name, password);
    if (isDelivering(definition)) return prepareDelivery(admin, definition, { password });
    return prepareConsumer(admin, definition, { password });
  });

/** Makes the role of one connector; gives the address of the database as that role. */
export const prepareConnectorRole = (installation: OwnedInstallation, connector: string): Promise<string> =>
  prepareRole(installation, connectorRole(connector), (admin, password) =>
    applyConnectorGrants(admin, connector, password),
  );

/** Makes the builds of versions that are not shown yet, to be filled by rebuilds, before lanes would: see `beginVersion`. */
export async function beginVersions(
  { settings }: OwnedInstallation,
  consumers: readonly ConsumerDefinition[],
): Promise<void> {
  const owner = openPool(requireSetting(settings, "DATABASE_URL"), { applicationName: "tributary prepare", max: 2 });
  try {
    for (const { name, project } of consumers)
      for (const projection of project) await beginVersion(owner, projection, name);
  } finally {
    await owner.end();
  }
}

const preparePublisherRole = (installation: OwnedInstallation): Promise<string> =>
  prepareRole(installation, publisherRole, applyPublisherGrants);

/** The environment in which one consumer runs: its own role, and the key-encryption key only where it opens sealed content. */
export async function consumerSpec(installation: OwnedInstallation, name: string): Promise<ProcessSpec> {
  const definition = await loadConsumer(name);
  const url = await prepareConsumerRole(installation, definition);
  const opensSealed = openedEventTypes(definition).length > 0;
  const notarizes = definition.notarize !== undefined;
  const delivers = isDelivering(definition);
  return {
    kind: "consumer",
    name,
    environment: environmentFor(
      { kind: "consumer", name, opensSealed, notarizes, delivers },
      installation.environment,
      {
        DATABASE_URL: url,
      },
    ),
  };
}

/**
 * Every process of an installation, or those named.
 * @throws TRIB_SERVICE_NOT_FOUND for a name that is neither connector, consumer nor `publisher`.
 */
export async function processSpecs(
  installation: OwnedInstallation,
  names: readonly string[] = [],
): Promise<ProcessSpec[]> {
  const { environment } = installation;
  const connectors = connectorNames();
  const wanted = names.length > 0 ? names : ["publisher", ...connectors, ...consumerNames()];
  const specs: ProcessSpec[] = [];
  for (const name of wanted) {
    if (name === "publisher") {
      const DATABASE_URL = await preparePublisherRole(installation);
      specs.push({
        kind: "publisher",
        name,
        environment: environmentFor({ kind: "publisher", name }, environment, { DATABASE_URL }),
      });
    } else if (connectors.includes(name)) {
      const DATABASE_URL = await prepareConnectorRole(installation, name);
      specs.push({
        kind: "connector",
        name,
        environment: environmentFor({ kind: "connector", name }, environment, {
          DATABASE_URL,
          TRIBUTARY_TOKEN_KEY: tokenKey(ownersSecrets(installation.settings), name),
        }),
      });
    } else specs.push(await consumerSpec(installation, name));
  }
  return specs;
}
