import { eventCatalog } from "../../schemas/events.generated.js";
import { topicsOfDelivery } from "../delivery/definition.js";
import { auditTopic, deliveriesTopic } from "../log/schemas.js";
import type { ConsumerDefinition } from "../service/consumer.js";
import { applyRights, loginRole } from "../store/login-role.js";
import type { Pool } from "../store/pool.js";
import { listBuilds } from "./build.js";
import type { AnyProjection } from "./definition.js";
import { layOut } from "./layout.js";
import { buildSchema, consumerRole, literal, quoted } from "./names.js";

/**
 * Event types whose sealed content the consumer may open: those its projections with restricted columns fold, and those
 * that its delivery says it opens.
 */
export function openedEventTypes(consumer: ConsumerDefinition): readonly string[] {
  const catalog: Readonly<Record<string, { readonly sealed: string | null }>> = eventCatalog;
  const types = consumer.project
    .filter(({ topic }) => topic === undefined)
    .map(layOut)
    .filter(({ readsSealed }) => readsSealed)
    .flatMap(({ eventTypes }) => eventTypes);
  const all: readonly string[] = [...types, ...(consumer.deliver?.opens ?? [])];
  return [...new Set(all.filter((type) => catalog[type]?.sealed))].sort();
}

/** Topics that a consumer reads, without the installation's prefix. */
const topicsOf = ({ project, deliver }: ConsumerDefinition): readonly string[] =>
  deliver ? topicsOfDelivery(deliver) : topicsOfProjections(project);

/** Topics that projections read, without the installation's prefix: those of the event types they fold. */
export function topicsOfProjections(projections: readonly AnyProjection[]): readonly string[] {
  const topics = projections.flatMap(({ fold, topic }) => {
    if (topic !== undefined) return [topic];
    const all = (Object.keys(fold) as (keyof typeof eventCatalog)[]).map(
      (type): readonly string[] => eventCatalog[type].topics,
    );
    // What is in several topics comes with the others.
    return all.flatMap((each) => (each.length === 1 ? each : []));
  });
  return [...new Set(topics)].sort();
}

/** Statements that give a consumer's role what it needs on these builds, and take nothing for granted. */
function grantStatements(consumer: ConsumerDefinition, schemas: readonly string[], password?: string): string[] {
  const role = consumerRole(consumer.name);
  const name = quoted(role);
  const opened = openedEventTypes(consumer);
  const further = consumer.deliver ? "engine.deliveries" : "engine.derived_tables";
  return [
    ...loginRole(role, password),
    `GRANT USAGE ON SCHEMA engine TO ${name}`,
    `GRANT SELECT ON engine.builds TO ${name}`,
    `GRANT SELECT, INSERT, UPDATE ON engine.checkpoints, engine.parked_keys, ${further}, engine.lane_requests TO ${name}`,
    ...schemas.flatMap((schema) => [
      `GRANT USAGE ON SCHEMA ${quoted(schema)} TO ${name}`,
      `GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ${quoted(schema)} TO ${name}`,
    ]),
    `DELETE FROM engine.vault_grants WHERE role = ${literal(role)}`,
    ...(opened.length === 0
      ? []
      : [
          `INSERT INTO engine.vault_grants (role, event_type) VALUES ${opened
            .map((type) => `(${literal(role)}, ${literal(type)})`)
            .join(", ")}`,
          `GRANT EXECUTE ON FUNCTION engine.vault_open(text, uuid[], integer[]) TO ${name}`,
          `GRANT EXECUTE ON FUNCTION engine.vault_destroyed(bigint) TO ${name}`,
        ]),
  ];
}

/**
 * Gives a consumer's role exactly its own: DML in the schemas of its builds, its rows of the engine's tables (by row-level
 * security), and the vault's function for the event types it may open. Repeatable; any number of callers at once.
 *
 * @param pool as the owner of the database.
 * @param options.password of the role; without it the role keeps the one it has.
 */
export async function applyConsumerGrants(
  pool: Pool,
  consumer: ConsumerDefinition,
  options: { readonly password?: string } = {},
): Promise<void> {
  const schemas = (await listBuilds(pool))
    .filter((build) => build.consumer === consumer.name)
    .map(({ schema }) => schema);
  await applyRights(pool, grantStatements(consumer, schemas, options.password));
}

/** The same as text, for who must review or run it by hand, with the Kafka ACLs of the consumer's principal. */
export function printGrants(
  consumer: ConsumerDefinition,
  options: {
    /** Schemas of the consumer's builds; default: the first build of each projection. */
    readonly schemas?: readonly string[];
    readonly topicPrefix?: string;
  } = {},
): string {
  const schemas = options.schemas ?? consumer.project.map(({ name }) => buildSchema(name, 1));
  const prefix = options.topicPrefix ?? "";
  const principal = `--allow-principal 'User:${consumerRole(consumer.name)}'`;
  return [
    ...grantStatements(consumer, schemas).map((statement) => `${statement};`),
    ...topicsOf(consumer).map(
      (topic) => `-- kafka-acls --add ${principal} --operation Read --operation Describe --topic '${prefix}${topic}'`,
    ),
    // Decisions of operators are read before any event, and recorded by who carries them out.
    `-- kafka-acls --add ${principal} --operation Read --operation Write --operation Describe --topic '${prefix}${auditTopic}'`,
    ...(consumer.deliver
      ? [
          `-- kafka-acls --add ${principal} --operation Write --operation Describe --topic '${prefix}${deliveriesTopic}'`,
        ]
      : []),
    `-- kafka-acls --add ${principal} --operation Read --group '${prefix}tributary.${consumer.name}'`,
    "",
  ].join("\n");
}
