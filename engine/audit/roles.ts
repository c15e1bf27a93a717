import { consumerRole, quoted } from "../projector/names.js";
import type { ConsumerDefinition, NotaryDefinition } from "../service/consumer.js";
import { applyRights, loginRole } from "../store/login-role.js";
import type { Pool } from "../store/pool.js";

/** Statements that give the notary's role its own: it adds to the chain and can't change what is there. */
function notaryGrantStatements(consumer: string, password?: string): string[] {
  const role = consumerRole(consumer);
  return [
    ...loginRole(role, password),
    `GRANT USAGE ON SCHEMA engine TO ${quoted(role)}`,
    `GRANT SELECT, INSERT, UPDATE ON engine.notary_lanes TO ${quoted(role)}`,
    `GRANT SELECT, INSERT ON engine.notary_chain, engine.notary_checkpoints, engine.notary_subtrees TO ${quoted(role)}`,
  ];
}

/** Gives a notary's role exactly its own. Repeatable. @param pool as the owner of the database. */
export const applyNotaryGrants = (pool: Pool, consumer: string, password?: string): Promise<void> =>
  applyRights(pool, notaryGrantStatements(consumer, password));

/** The same as text, with the Kafka ACLs of the notary's principal: it reads, and writes nothing. */
export function printNotaryGrants(
  { name, notarize }: ConsumerDefinition & { readonly notarize: NotaryDefinition },
  topicPrefix: string,
): string {
  const principal = `--allow-principal 'User:${consumerRole(name)}'`;
  return [
    ...notaryGrantStatements(name).map((statement) => `${statement};`),
    ...notarize.topics.map(
      (topic) =>
        `-- kafka-acls --add ${principal} --operation Read --operation Describe --topic '${topicPrefix}${topic}'`,
    ),
    `-- kafka-acls --add ${principal} --operation Read --group '${topicPrefix}tributary.${name}'`,
    "",
  ].join("\n");
}
