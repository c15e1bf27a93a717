import { randomBytes, randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openPool, type Pool } from "../store/pool.js";
import { type FreshDatabase, freshDatabase } from "../testing/database.js";
import { openVault } from "../vault/vault.js";
import { knownIdentities } from "./ledger.js";
import { takeOver } from "./publisher-checkpoint.js";
import { applyConnectorGrants, applyPublisherGrants, connectorRole } from "./roles.js";

const kek = randomBytes(32).toString("hex");

describe("roles of the intake", () => {
  let database: FreshDatabase;
  let connector: Pool;
  let publisher: Pool;

  beforeAll(async () => {
    database = await freshDatabase();
    // Roles belong to the server, and other specs use it too: names of its own.
    const password = randomBytes(12).toString("hex");
    const name = `spec${randomBytes(4).toString("hex")}`;
    await applyConnectorGrants(database.pool, name, password);
    await applyConnectorGrants(database.pool, name, password);
    connector = openPool(database.urlAs(connectorRole(name), password), { applicationName: "spec connector" });
    await applyPublisherGrants(database.pool, password, `${name}_publisher`);
    publisher = openPool(database.urlAs(`${name}_publisher`, password), { applicationName: "spec publisher" });
  });

  afterAll(async () => {
    await connector?.end();
    await publisher?.end();
    await database?.drop();
  });

  it("a connector makes keys and asks the ledger", async () => {
    const vault = openVault({ pool: connector, kek });
    const subject = randomUUID();
    expect((await vault.keysFor([subject])).get(subject)?.generation).toBe(1);
    expect(await knownIdentities(connector, [])).toEqual([]);
    vault.close();
  });

  it.each([
    "SELECT count(*) FROM engine.builds",
    "SELECT count(*) FROM engine.checkpoints",
    "UPDATE engine.vault_keys SET wrapped = NULL",
    "SELECT * FROM engine.vault_open('PatientRegistered', '{}', '{}')",
    "INSERT INTO engine.ledger (identity, partition, journal_offset) VALUES (gen_random_uuid(), 0, 1)",
    "SELECT * FROM engine.vault_destroy('{}')",
  ])("a connector may not %s", async (sql) => {
    await expect(connector.query(sql)).rejects.toMatchObject({ code: "42501" });
  });

  it("the publisher keeps its checkpoint and sees no key", async () => {
    expect((await takeOver(publisher, "journal", 0, "spec")).nextOffset).toBe(1);
    await expect(publisher.query("SELECT count(*) FROM engine.vault_keys")).rejects.toMatchObject({ code: "42501" });
    await expect(publisher.query("SELECT count(*) FROM engine.builds")).rejects.toMatchObject({ code: "42501" });
  });
});
