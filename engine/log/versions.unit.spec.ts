import { cpSync, existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { AvroField, AvroRecord } from "./avro.js";
import { rootRecords, schemasFolder } from "./schemas.js";
import { checkSchemas, committedVersions, commitVersions } from "./versions.js";

let root: string;
const file = (): string => join(root, "patient", "PatientUpdated.avsc");

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "schemas-"));
  cpSync(schemasFolder, root, { recursive: true });
});
afterEach(() => rmSync(root, { recursive: true }));

function edit(change: (fields: AvroField[]) => AvroField[]): void {
  const schema = JSON.parse(readFileSync(file(), "utf8")) as AvroRecord;
  writeFileSync(file(), JSON.stringify({ ...schema, fields: change([...schema.fields]) }));
}

describe("the committed schemas", () => {
  it("are all committed as versions and compatible with every one of them", () => {
    expect(checkSchemas()).toEqual([]);
  });

  it("have a doc on every record and every field", () => {
    for (const { schema } of rootRecords().values()) {
      expect(schema.doc, schema.name).toBeTruthy();
      for (const field of schema.fields) expect(field.doc, `${schema.name}.${field.name}`).toBeTruthy();
    }
  });
});

describe("versions of schemas", () => {
  it("writes the next version of what changed, once", () => {
    edit((fields) => [...fields, { name: "more", doc: "More.", type: ["null", "string"], default: null }]);
    expect(checkSchemas(root)).toMatchObject([
      { code: "TRIB_LOG_SCHEMA_UNCOMMITTED", record: "health.patient.PatientUpdated" },
    ]);
    const before = committedVersions(root).get("health.patient.PatientUpdated")?.length ?? 0;
    expect(commitVersions(root)).toEqual([`patient/versions/PatientUpdated.v${before + 1}.avsc`]);
    expect(commitVersions(root)).toEqual([]);
    expect(checkSchemas(root)).toEqual([]);
  });

  it("writes nothing when any change is not compatible", () => {
    edit((fields) => fields.filter((field) => field.name !== "facility"));
    const problems = checkSchemas(root).filter(({ code }) => code === "TRIB_LOG_SCHEMA_INCOMPATIBLE");
    expect(problems[0]?.problem).toContain("PatientUpdated.facility: the field is gone");
    expect(() => commitVersions(root)).toThrow(/facility/);
  });

  it("compares with every version, not only with the newest", () => {
    edit((fields) => fields.filter((field) => field.name !== "birthYear"));
    commitVersions(root);
    // The version without the field is the one that the change fits.
    const newest = committedVersions(root).get("health.patient.PatientUpdated")?.length;
    edit((fields) => [...fields, { name: "birthYear", doc: "Another.", type: ["null", "string"], default: null }]);
    const problems = checkSchemas(root).filter(({ code }) => code === "TRIB_LOG_SCHEMA_INCOMPATIBLE");
    expect(problems.map(({ problem }) => problem).join(" ")).toMatch(/birthYear.*\(against version 1\)/);
    expect(problems.map(({ problem }) => problem).join(" ")).not.toContain(`version ${newest}`);
  });

  it("misses a record that is gone", () => {
    renameSync(file(), join(root, "PatientUpdated.gone"));
    expect(existsSync(file())).toBe(false);
    expect(checkSchemas(root)).toContainEqual(
      expect.objectContaining({ code: "TRIB_LOG_SCHEMA_INCOMPATIBLE", record: "health.patient.PatientUpdated" }),
    );
  });
});
