import { describe, expect, it } from "vitest";
import { databaseAddress } from "./database-address.js";

describe("the database's address as commands print it", () => {
  const told = (url: string, file: string | null, ...given: string[]) => databaseAddress(url, file, new Set(given));

  it("has no password, and says where the whole of it is", () => {
    expect(told("postgres://a:s@db:5432/a", "/home/ada's/database-url", "DATABASE_URL")).toEqual({
      shown: "postgres://a:…@db:5432/a",
      psql: `"$(cat '/home/ada'\\''s/database-url')"`,
      whole: "the whole address is in /home/ada's/database-url",
    });
    expect(told("postgres://a:s@db/a?sslmode=require&password=s", null, "DATABASE_URL")).toEqual({
      shown: "postgres://a:…@db/a?sslmode=require&password=_",
      psql: '"$DATABASE_URL"',
      whole: "the whole address is what DATABASE_URL says",
    });
    expect(told("postgres://a:s@db:5432/a", null, "PGPASSWORD")).toMatchObject({
      shown: "postgres://a:…@db:5432/a",
      psql: "",
    });
    expect(told("postgres://a@db:5432/a", null).shown).toBe("postgres://a@db:5432/a");
    expect(told("a:s@nowhere", null).shown).not.toContain("s@");
  });
});
