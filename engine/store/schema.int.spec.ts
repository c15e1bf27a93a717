import { afterAll, beforeAll, expect, it } from "vitest";
import { type FreshDatabase, freshDatabase } from "../testing/database.js";
import { dumpSchema } from "./schema-dump.js";

let database: FreshDatabase;
beforeAll(async () => {
  database = await freshDatabase();
});
afterAll(() => database?.drop());

it("schema.sql is what the migrations make (`vitest -u` writes it anew)", async () => {
  await expect(await dumpSchema(database.pool)).toMatchFileSnapshot("schema.sql");
});
