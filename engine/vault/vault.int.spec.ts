import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openPool } from "../store/pool.js";
import { type FreshDatabase, freshDatabase } from "../testing/database.js";
import { type DataKey, keyText } from "./data-key.js";
import { erasedSince } from "./erased-since.js";
import { keysByKek, rotateKeys } from "./rotate.js";
import { sealEvent } from "./sealed-event.js";
import { sealedEventOpener } from "./sealed-event-opener.js";
import { openUnit, sealUnit } from "./sealed-unit.js";
import { openVault, type Vault } from "./vault.js";

const kek = "ab".repeat(32);
let database: FreshDatabase;
const vaults: Vault[] = [];
/** A vault as another process would have it: its own memory. */
function vaultOf(options: { interval?: number; blindLimit?: number; cacheLimit?: number } = {}): Vault {
  const vault = openVault({ pool: database.pool, kek, interval: 3_600_000, ...options });
  vaults.push(vault);
  return vault;
}
beforeAll(async () => {
  database = await freshDatabase();
});
afterAll(async () => {
  for (const vault of vaults) vault.close();
  await database?.drop();
});
const subjects = (count: number): string[] => Array.from({ length: count }, () => randomUUID());
const keyOf = (keys: Map<string, DataKey>, subject: string): DataKey => keys.get(subject) as DataKey;

describe("keysFor", () => {
  it("gives the same key to all processes that ask at once, in any order", async () => {
    const asked = subjects(200);
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, index) => vaultOf().keysFor(index % 2 ? asked : [...asked].reverse())),
    );
    for (const subject of asked) {
      const keys = new Set(answers.map((answer) => keyOf(answer, subject).key.toString("hex")));
      expect(keys.size).toBe(1);
    }
    const { rows } = await database.pool.query(
      "SELECT count(*) AS keys FROM engine.vault_keys WHERE subject = ANY ($1)",
      [asked],
    );
    expect(rows[0].keys).toBe(200);
  });

  it("asks for a key once, also where it is asked for again before the answer", async () => {
    const vault = vaultOf();
    const asked = subjects(60);
    const some = [...asked.slice(20, 40), ...subjects(5)];
    const [all, again] = await Promise.all([vault.keysFor(asked), vault.keysFor(some)]);
    for (const subject of asked.slice(20, 40)) expect(keyOf(again, subject)).toEqual(keyOf(all, subject));
    expect([...(await vaultOf().keysFor([...asked, ...some])).values()].map(({ generation }) => generation)).toEqual(
      Array(65).fill(1),
    );
    for (const [subject, key] of await vaultOf().keysFor(some)) expect(keyOf(again, subject)).toEqual(key);
  });

  it("keeps no key in the clear: the row opens only with the key-encryption key", async () => {
    const [subject] = subjects(1) as [string];
    const { key } = keyOf(await vaultOf().keysFor([subject]), subject);
    const { rows } = await database.pool.query("SELECT wrapped FROM engine.vault_keys WHERE subject = $1", [subject]);
    expect(rows[0].wrapped.includes(key)).toBe(false);
    const stranger = openVault({ pool: database.pool, kek: "cd".repeat(32) });
    vaults.push(stranger);
    await expect(stranger.keysFor([subject])).rejects.toMatchObject({ code: "TRIB_VAULT_KEK_UNKNOWN" });
  });

  it("lets known patients flow when Postgres is down, and only those", async () => {
    const [known, unknown] = subjects(2) as [string, string];
    const pool = openPool(database.url, { applicationName: "spec", connectionTimeout: 500 });
    const vault = openVault({ pool, kek });
    vaults.push(vault);
    const before = await vault.keysFor([known]);
    await pool.end();
    expect(await vault.keysFor([known])).toEqual(before);
    await expect(vault.keysFor([known, unknown])).rejects.toThrow();
  });
});

describe("destroy", () => {
  it("makes exactly that patient's units unreadable, also those shared with another, and no other", async () => {
    const vault = vaultOf();
    const [anna, ben, carl] = subjects(3) as [string, string, string];
    const keys = await vault.keysFor([anna, ben, carl]);
    const sealedFor = [[anna], [ben], [carl], [anna, ben], [ben, anna], [ben, carl]];
    const units = sealedFor.map((owners, index) => {
      const chain = owners.map((owner) => keyOf(keys, owner));
      return { chain, sealed: sealUnit(`r${index}`, chain, { bytes: Buffer.from(`unit ${index}`), controlId: null }) };
    });
    await vault.destroy([anna]);

    const reader = vaultOf();
    const opened = [];
    for (const [index, { chain, sealed }] of units.entries()) {
      const found = await reader.openKeys(chain);
      const complete = chain.flatMap((name) => found.get(keyText(name)) ?? []);
      if (complete.length < chain.length) opened.push(null);
      else opened.push(openUnit(`r${index}`, complete, sealed).bytes.toString());
    }
    expect(opened).toEqual([null, "unit 1", "unit 2", null, null, "unit 5"]);
    const { rows } = await database.pool.query("SELECT wrapped FROM engine.vault_keys WHERE subject = $1", [anna]);
    expect(rows).toEqual([{ wrapped: null }]);
  });

  it("is followed by a new generation, and the old one never comes back", async () => {
    const [subject] = subjects(1) as [string];
    const vault = vaultOf();
    const generations = [];
    for (let time = 0; time < 3; time += 1) {
      generations.push(keyOf(await vault.keysFor([subject]), subject).generation);
      await vault.destroy([subject]);
    }
    expect(generations).toEqual([1, 2, 3]);
    const both = await Promise.all([vaultOf(), vaultOf(), vaultOf()].map((one) => one.keysFor([subject])));
    expect(
      new Set(both.map((keys) => `${keyOf(keys, subject).generation} ${keyOf(keys, subject).key.toString("hex")}`))
        .size,
    ).toBe(1);
    expect(keyOf(both[0] as Map<string, DataKey>, subject).generation).toBe(4);
  });

  it("is known of what came before it, whatever the clocks say, and where there was nothing to destroy", async () => {
    const vault = vaultOf();
    const [gone, back, bare, other] = subjects(4) as [string, string, string, string];
    await vault.keysFor([gone, back]);
    await vault.destroy([gone, back]);
    const later = keyOf(await vault.keysFor([back]), back);
    await database.pool.query(
      "INSERT INTO engine.erasures (id, patient, reason, requested_by) VALUES (gen_random_uuid(), $1, 'asked for', 'officer')",
      [bare],
    );
    const since = async (receivedAt: number, sealedFor: readonly { subject: string; generation: number }[], skew = 0) =>
      [...(await erasedSince(database.pool, [back, bare, other], { receivedAt, sealedFor }, skew))].sort();
    const [now, hour] = [Date.now(), 3_600_000];
    // The clock of who received it goes ahead.
    expect(await since(now + hour, [{ subject: gone, generation: 1 }])).toEqual([gone]);
    expect(await since(now + hour, [], 2 * hour)).toEqual([back, bare].sort());
    expect(await since(now + hour, [])).toEqual([]);
    // Sealed under the key of a later time it came afterwards.
    expect(await since(now - hour, [later])).toEqual([bare]);
  });

  it("reaches the memory of other processes within the interval", async () => {
    const [subject, spared] = subjects(2) as [string, string];
    const other = vaultOf({ interval: 20 });
    const before = await other.keysFor([subject, spared]);
    await vaultOf().destroy([subject]);
    await expect
      .poll(async () => keyOf(await other.keysFor([subject]), subject).generation, { timeout: 5_000, interval: 10 })
      .toBe(2);
    expect(await other.keysFor([spared])).toEqual(new Map([[spared, keyOf(before, spared)]]));
  });

  it("forgets everything when it could not look for too long", async () => {
    const [subject] = subjects(1) as [string];
    const pool = openPool(database.url, { applicationName: "spec", connectionTimeout: 500 });
    const vault = openVault({ pool, kek, interval: 10, blindLimit: 30 });
    vaults.push(vault);
    await vault.keysFor([subject]);
    await pool.end();
    await expect
      .poll(
        () =>
          vault.keysFor([subject]).then(
            () => "known",
            () => "forgotten",
          ),
        { timeout: 5_000, interval: 10 },
      )
      .toBe("forgotten");
  });

  it("names a key that the vault never had", async () => {
    const [subject] = subjects(1) as [string];
    await expect(vaultOf().openKeys([{ subject, generation: 1 }])).rejects.toMatchObject({
      code: "TRIB_VAULT_KEY_MISSING",
    });
  });
});

describe("a consumer's opener", () => {
  const role = `spec_${randomUUID().slice(0, 8)}`;
  beforeAll(async () => {
    await database.pool.query(`CREATE ROLE ${role} LOGIN PASSWORD 'spec'`);
    await database.pool.query(`GRANT USAGE ON SCHEMA engine TO ${role}`);
    await database.pool.query(
      `GRANT EXECUTE ON FUNCTION engine.vault_open(text, uuid[], integer[]), engine.vault_destroyed(bigint) TO ${role}`,
    );
    await database.pool.query("INSERT INTO engine.vault_grants VALUES ($1, 'PatientRegistered')", [role]);
  });
  afterAll(async () => {
    await database.pool.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
  });

  it("opens what it was granted, null where the key was destroyed, nothing of other types", async () => {
    const vault = vaultOf();
    const [anna, ben] = subjects(2) as [string, string];
    const keys = await vault.keysFor([anna, ben]);
    const sealedAs = (type: string, eventId: string, subject: string) => ({
      type,
      eventId,
      sealed: sealEvent({ type, eventId }, keyOf(keys, subject), Buffer.from(`${type} ${eventId}`)),
    });
    const events = [sealedAs("PatientRegistered", "1", anna), sealedAs("PatientRegistered", "2", ben)];
    const pool = openPool(database.urlAs(role, "spec"), { applicationName: "spec" });
    const opener = sealedEventOpener({ pool, kek, interval: 20 });
    try {
      expect((await opener.open(events)).map(String)).toEqual(["PatientRegistered 1", "PatientRegistered 2"]);
      // The key is in memory by now: still no permission for another type.
      await expect(opener.open([sealedAs("VisitStarted", "3", anna)])).rejects.toMatchObject({
        code: "TRIB_VAULT_FORBIDDEN",
        facts: { types: "VisitStarted" },
      });
      await expect(pool.query("SELECT wrapped FROM engine.vault_keys")).rejects.toThrow("permission denied");
      await vault.destroy([anna]);
      await expect
        .poll(async () => (await opener.open(events)).map((content) => content?.toString() ?? null), { timeout: 5_000 })
        .toEqual([null, "PatientRegistered 2"]);
      const changed = events[0] as (typeof events)[number];
      changed.sealed[1] = (changed.sealed[1] as number) ^ 1;
      await expect(opener.open(events)).rejects.toMatchObject({ code: "TRIB_VAULT_KEY_MISSING" });
    } finally {
      opener.close();
      await pool.end();
    }
  });
});

describe("opening long after the last look", () => {
  it("looks first, so that a key that was destroyed meanwhile opens nothing", async () => {
    const [subject] = subjects(1) as [string];
    const key = keyOf(await vaultOf().keysFor([subject]), subject);
    const event = { type: "VisitStarted", eventId: "event" };
    const sealed = sealEvent(event, key, Buffer.from("content"));
    // Its timer rests; only the bound of twice the interval is left.
    const opener = sealedEventOpener({ pool: database.pool, kek, interval: 3_600_000 });
    const quick = sealedEventOpener({ pool: database.pool, kek, interval: 20 });
    try {
      for (const one of [opener, quick])
        expect(await one.open([{ ...event, sealed }])).toEqual([Buffer.from("content")]);
      // Without its timer it has only its own look before opening.
      quick.close();
      await vaultOf().destroy([subject]);
      await new Promise((resolve) => setTimeout(resolve, 60));
      expect(await quick.open([{ ...event, sealed }])).toEqual([null]);
      expect(await opener.open([{ ...event, sealed }])).toEqual([Buffer.from("content")]);
    } finally {
      opener.close();
      quick.close();
    }
  });
});

describe("rotating the key-encryption key", () => {
  it("rewraps every living key, goes on where it stopped, and brings nothing destroyed back", async () => {
    const [old, next] = [kek, "cd".repeat(32)];
    const fresh = await freshDatabase();
    const { pool } = fresh;
    const open = (given: string | { current: string; previous?: string }) => openVault({ pool, kek: given });
    try {
      const all = subjects(25);
      const before = await open(old).keysFor(all);
      await open(old).destroy(all.slice(0, 5));
      let batches = 0;
      const ended = rotateKeys({
        pool,
        kek: { current: next, previous: old },
        batch: 4,
        progress: () => {
          if (++batches === 3) throw new Error("ended");
        },
      });
      await expect(ended).rejects.toThrow("ended");
      // Half-way every process that has both keys goes on, and one that has only one is told which it lacks.
      const living = all.slice(5);
      const both = await open({ current: next, previous: old }).keysFor(living);
      for (const subject of living) expect(keyOf(both, subject).key).toEqual(keyOf(before, subject).key);
      await expect(open(next).keysFor(living)).rejects.toMatchObject({ code: "TRIB_VAULT_KEK_UNKNOWN" });
      expect(await rotateKeys({ pool, kek: { current: next, previous: old }, batch: 4 })).toBe(8);
      expect((await keysByKek(pool)).map(({ keys }) => keys)).toEqual([20]);
      const after = await open(next).keysFor(living);
      for (const subject of living) expect(keyOf(after, subject).key).toEqual(keyOf(before, subject).key);
      const { rows } = await pool.query("SELECT FROM engine.vault_keys WHERE wrapped IS NULL");
      expect(rows).toHaveLength(5);
    } finally {
      await fresh.drop();
    }
  });
});
