import { type Build, locked, rowsOf } from "../projector/build.js";
import { consumerRole } from "../projector/names.js";
import { applyConsumerGrants } from "../projector/roles.js";
import type { ConsumerDefinition } from "../service/consumer.js";
import { TributaryError } from "../service/errors.js";
import type { Pool } from "../store/pool.js";
import { type AnyDelivery, validateDelivery } from "./definition.js";

/** A definition that delivers. */
export type DeliveringConsumer = ConsumerDefinition & { readonly deliver: AnyDelivery };

export const isDelivering = (consumer: ConsumerDefinition): consumer is DeliveringConsumer =>
  consumer.deliver !== undefined;

/** What a delivering consumer has its checkpoints, parked keys and requests under: see `engine.builds.feed`. */
export const buildOfDelivery = (name: string): Build => ({
  projection: name,
  build: 1,
  version: 1,
  schema: `delivery:${name}`,
  state: "current",
  consumer: name,
  feed: "delivery",
  indexed: true,
  currentSince: null,
});

/**
 * What a delivering consumer needs before it runs: its place among the builds, its role with its grants. Idempotent.
 * @param admin as the owner of the database.
 * @throws TRIB_DELIVERY_DEFINITION_INVALID
 */
export async function prepareDelivery(
  admin: Pool,
  definition: DeliveringConsumer,
  options: { readonly password?: string } = {},
): Promise<void> {
  const { name, deliver } = definition;
  validateDelivery(name, deliver);
  const { projection, build, version, schema, state, consumer, feed } = buildOfDelivery(name);
  await locked(admin, async (client) => {
    const others = (await rowsOf(client, name)).filter((row) => row.feed !== feed);
    if (others.length > 0)
      throw new TributaryError("TRIB_DELIVERY_DEFINITION_INVALID", `Consumer ${name}: a read model has this name.`);
    await client.query(
      `INSERT INTO engine.builds
         (projection, build, version, layout_hash, views_hash, schema_name, state, consumer, consumer_role, feed, current_since)
       VALUES ($1, $2, $3, '', '', $4, $5, $6, $7, $8, pg_catalog.now()) ON CONFLICT (projection, build) DO NOTHING`,
      [projection, build, version, schema, state, consumer, consumerRole(consumer), feed],
    );
  });
  await applyConsumerGrants(admin, definition, options);
}
