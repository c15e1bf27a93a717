import { applyRights, loginRole } from "../store/login-role.js";
import type { Pool } from "../store/pool.js";

/** Postgres role of a connector: it makes data keys and looks into the ledger, nothing else. */
export const connectorRole = (connector: string): string => `tributary_connector_${connector.replaceAll("-", "_")}`;

/** Postgres role of the publisher: ledger, checkpoints and counts, and no key. */
export const publisherRole = "tributary_publisher";

/** An event type that doesn't exist: who has only this may ask which keys were destroyed, and open nothing. */
const seals = "(seals)";

/** Gives a connector's role exactly its own. Repeatable. @param pool as the owner of the database. */
export function applyConnectorGrants(pool: Pool, connector: string, password: string): Promise<void> {
  const role = connectorRole(connector);
  return applyRights(pool, [
    ...loginRole(role, password),
    `GRANT USAGE ON SCHEMA engine TO "${role}"`,
    `GRANT SELECT, INSERT ON engine.vault_keys TO "${role}"`,
    `GRANT SELECT ON engine.ledger, engine.ledger_latest, engine.topic_partitions TO "${role}"`,
    `GRANT EXECUTE ON FUNCTION engine.vault_destroyed(bigint) TO "${role}"`,
    `INSERT INTO engine.vault_grants (role, event_type) VALUES ('${role}', '${seals}') ON CONFLICT DO NOTHING`,
  ]);
}

/** Gives the publisher's role exactly its own. Repeatable. @param pool as the owner of the database. */
export function applyPublisherGrants(pool: Pool, password: string, role: string = publisherRole): Promise<void> {
  return applyRights(pool, [
    ...loginRole(role, password),
    `GRANT USAGE ON SCHEMA engine TO "${role}"`,
    `GRANT SELECT, INSERT, UPDATE ON engine.publisher_checkpoints, engine.intake_counts, engine.ledger,
       engine.ledger_latest, engine.control_ids TO "${role}"`,
    `GRANT SELECT, INSERT ON engine.topic_partitions TO "${role}"`,
  ]);
}
