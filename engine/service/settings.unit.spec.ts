import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readSettings, readSettingsLike, requireSetting } from "./settings.js";

describe("settings", () => {
  it("reports all mistakes at once, without the values", () => {
    const read = () =>
      readSettings({ TRIBUTARY_SECRET: "not-hexadecimal", HL7V2_PORT: "99999", KAFKA_BROKERS: "a,,b" });
    expect(read).toThrow(/TRIBUTARY_SECRET.*HL7V2_PORT|HL7V2_PORT.*TRIBUTARY_SECRET/);
    expect(read).toThrow(/KAFKA_BROKERS/);
    expect(read).not.toThrow(/not-hexadecimal/);
    for (const DATABASE_URL of ["no-address", "http://secret@db"])
      expect(() => readSettings({ DATABASE_URL })).toThrow(
        /^Settings to correct: DATABASE_URL: postgres:\/\/user:\S+$/,
      );
  });

  it("takes a secret from a file, trimmed", () => {
    const file = join(mkdtempSync(join(tmpdir(), "tributary-settings-")), "secret");
    writeFileSync(file, `${"ab".repeat(32)}\n`);
    expect(readSettings({ TRIBUTARY_SECRET_FILE: file }).TRIBUTARY_SECRET).toBe("ab".repeat(32));
    expect(() => readSettings({ TRIBUTARY_SECRET_FILE: `${file}.missing` })).toThrow(
      /TRIBUTARY_SECRET_FILE: cannot be read/,
    );
  });

  it("makes DATABASE_URL of the PG* variables, escaping what has to be", () => {
    const url = readSettings({
      PGHOST: "db",
      PGPORT: "5433",
      PGUSER: "u",
      PGPASSWORD: "p@ss/word",
      PGDATABASE: "d",
    }).DATABASE_URL;
    expect(url).toBe("postgres://u:p%40ss%2Fword@db:5433/d");
  });

  it("reads ports of connectors by name", () => {
    const read = (CONNECTOR_PORTS: string) => readSettings({ CONNECTOR_PORTS }).CONNECTOR_PORTS;
    expect(read("lab-csv=7001, fhir=0")).toEqual({ "lab-csv": 7001, fhir: 0 });
    expect(() => read("lab-csv")).toThrow(/CONNECTOR_PORTS/);
    expect(() => read("fhir=70000")).toThrow(/CONNECTOR_PORTS/);
  });

  it("says which setting is missing and how to get it", () => {
    expect(() => requireSetting(readSettings({}), "KAFKA_BROKERS")).toThrow(/KAFKA_BROKERS: is not set.*tributary up/);
  });
});

describe("the settings of a connector made like another", () => {
  it("carry its own name, and none of the other's is taken over", () => {
    const given = { HL7V2_PORT: "2575", HL7V2_INBOX: "/theirs", ACME_LAB_PORT: "2600", LOG_LEVEL: "warn" };
    const settings = readSettingsLike("acme-lab", "hl7v2", given);
    expect(settings).toMatchObject({ HL7V2_PORT: 2600, LOG_LEVEL: "warn" });
    expect(settings.HL7V2_INBOX).toBeUndefined();
  });
});
