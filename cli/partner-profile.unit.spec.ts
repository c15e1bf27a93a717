import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ConnectorDefinition } from "../engine/intake/connector.js";
import { connectorNames, loadConnector } from "../engine/service/discover.js";
import { jsonMistake } from "../engine/service/profile-mistakes.js";
import { addAuthentication, checkProfile, profileFields, setField, topFields } from "./partner-profile.js";

const folder = mkdtempSync(join(tmpdir(), "tributary-credentials-"));
afterAll(() => rmSync(folder, { recursive: true }));
let csv: ConnectorDefinition<unknown>;
beforeAll(async () => {
  csv = await loadConnector("csv");
});

const made = (fields: readonly string[]) => {
  const profile: Record<string, unknown> = {};
  for (const field of fields) setField(profile, field);
  return profile;
};

describe("a text that is no JSON", () => {
  it.each([
    ['{\n  "facility": LAKE\n}', /^line 2, column 15: Unexpected token 'L'$/],
    ['{\n  "facility": "LAKE",\n}', /^line 3, column 1: Expected double-quoted property name$/],
    ['{\n  "facility": "LAKE"\n', /^line 3, column 1: Expected/],
    ['{"match": [1, 2', /^line 1, column 16: Unexpected end|^line 1, column 16: Expected/],
    ['{"a": 1}\n}', /^line 2, column 1: Unexpected non-whitespace character$/],
  ])("%j is told by line and column", (text, told) => {
    expect(jsonMistake(text)).toMatch(told);
  });
});

describe("the profile of a new partner", () => {
  it("takes fields as JSON or as text, inside of others by a dot", () => {
    const profile = made(["facility=LAKE", "writing.delimiter=;", "writing.trim=false", 'dates=["DD.MM.YYYY"]']);
    expect(profile).toEqual({ facility: "LAKE", writing: { delimiter: ";", trim: false }, dates: ["DD.MM.YYYY"] });
    expect(() => checkProfile(csv, profile)).not.toThrow();
  });

  it("is refused by the connector's own schema, naming the field, and for what is no assignment", () => {
    const refusal = (fields: readonly string[]) => {
      try {
        checkProfile(csv, made(fields));
        return "";
      } catch (error) {
        return (error as Error).message;
      }
    };
    expect(refusal(["facility=7"])).toMatch(/^facility is 7: .*expected string/);
    expect(refusal(["Facility=LAKE"])).toMatch(
      /^Facility: there is no field of this name, but facility \(there are: .*\bdates,/,
    );
    expect(refusal(["writing.delimeter=;"])).toMatch(/^writing\.delimeter: .*\(there are: delimiter, quote,/);
    expect(refusal(["timeZone=Mars"])).toMatch(/^timeZone is "Mars": wanted is a time zone/);
    expect(refusal(['authentication=[{"method":"basic","user":"lake","password":"no file name"}]'])).toMatch(
      /^authentication\.0\.password: wanted is a file name/,
    );
    expect(refusal(['amounts={"decimal":",","grouping":","}'])).toBe("amounts: decimal and grouping must differ.");
    expect(refusal(["facility"])).toMatch(/field=value/);
    expect(refusal(["dates=[DD.MM.YYYY]"])).toMatch(/^dates is no JSON: line 1, column 2: Unexpected token 'D'/);
  });

  it("is told what a map takes, where only some names are", async () => {
    const profile = made(['ackPolicy.answers={"BAD_DAT":"AA"}']);
    const refused = expect.objectContaining({
      code: "TRIB_CLI_PROFILE_INVALID",
      message: expect.stringMatching(
        /^ackPolicy\.answers\.BAD_DAT: there is no field of this name \(there are: .*\bBAD_DATE,/,
      ),
    });
    const hl7v2 = await loadConnector("hl7v2");
    expect(() => checkProfile(hl7v2, profile)).toThrow(refused);
  });

  it("names its secrets, which are files that only their owner reads, and never writes one over", () => {
    const given = { connector: "csv", partner: "lake", auth: ["signature", "basic"] as const };
    const profile: Record<string, unknown> = {};
    const written = addAuthentication(profile, given, folder, topFields(csv));
    checkProfile(csv, profile);
    expect(profile.authentication).toEqual([
      { method: "signature", keys: ["csv-lake.whsec"] },
      { method: "basic", user: "lake", password: "csv-lake.password" },
    ]);
    expect(written.map(({ file }) => statSync(file).mode & 0o777)).toEqual([0o600, 0o600]);
    const before = readFileSync(join(folder, "csv-lake.whsec"), "utf8");
    expect(before).toMatch(/^whsec_[A-Za-z0-9+/=]{40,}\n$/);
    expect(() => addAuthentication({}, given, folder, {})).toThrow(/there already/);
    expect(readFileSync(join(folder, "csv-lake.whsec"), "utf8")).toBe(before);
  });

  it("takes public keys and no private one", () => {
    const given = { connector: "csv", partner: "keys", auth: ["private-key-jwt"] as const };
    const file = join(folder, "given.json");
    writeFileSync(file, JSON.stringify({ keys: [{ kty: "EC", crv: "P-384", x: "a", y: "b", d: "private" }] }));
    expect(() => addAuthentication({}, { ...given, jwks: file }, folder, {})).toThrow(/public keys/);
    expect(() => addAuthentication({}, given, folder, {})).toThrow(/--jwks/);
    expect(readdirSync(folder)).not.toContain("csv-keys.jwks");
  });

  it.each(connectorNames())("of %s can set what is listed, each with its meaning", async (name) => {
    const fields = profileFields(await loadConnector(name));
    expect(fields.length).toBeGreaterThan(3);
    for (const { field, meaning } of fields) expect(meaning, field).not.toBe("");
  });
});
