import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import type { ConnectorDefinition } from "../intake/connector.js";
import { TributaryError } from "../service/errors.js";
import { loadProfiles } from "../service/profiles.js";
import { repositoryRoot } from "../service/root.js";
import { connectorLaws, type Samples } from "./connector-laws.js";
import { impuritiesOf } from "./purity.js";

type AnyConnector = ConnectorDefinition<unknown>;

/**
 * Specs of one folder in `producers/`, whatever it speaks.
 * @param root folder that holds `producers/`; default: the checkout.
 */
export function exerciseConnector(name: string, connector: AnyConnector, root: string = repositoryRoot): void {
  const folder = join(root, "producers", name);
  describe(`producers/${name}`, () => {
    it("says who it is: name of its folder, version, README", () => {
      expect(connector.name).toBe(name);
      expect(connector.version).toMatch(/^\S+$/);
      expect(existsSync(join(folder, "README.md"))).toBe(true);
    });

    it("translates purely: no clock, chance, input, output, locale or time zone", () => {
      const translations = readdirSync(folder).filter((file) => /^translate.*(?<!\.spec)\.ts$/.test(file));
      expect(translations.length, "files translate*.ts").toBeGreaterThan(0);
      expect(impuritiesOf(translations.map((file) => join(folder, file)))).toEqual([]);
    });

    exerciseProfiles(connector, root);
    for (const [law, holds] of Object.entries(connectorLaws))
      it(law, () => holds({ connector, root, samples: samplesIn(folder) }));
  });
}

/** Files `samples/accepted*` and `samples/rejected*`. */
function samplesIn(folder: string): Samples {
  const samples = join(folder, "samples");
  const files = existsSync(samples) ? readdirSync(samples) : [];
  const named = (start: string) =>
    new Map(
      files.filter((file) => file.startsWith(start)).map((file) => [file, readFileSync(join(samples, file))] as const),
    );
  return { accepted: named("accepted"), rejected: named("rejected") };
}

function exerciseProfiles(connector: AnyConnector, root: string): void {
  it("reads its profiles, and does without `generic` in production", () => {
    expect(loadProfiles(connector, false, root).has("generic")).toBe(true);
    expect(loadProfiles(connector, true, root).has("generic")).toBe(false);
  });

  it("takes a profile of nothing but defaults, so that a new partner is one short file", () => {
    expect(refusalOf(connector, "{}")).toBeUndefined();
  });

  it("refuses a profile that is no JSON, has an unknown field or a value of another type, naming file and field", () => {
    expect(refusalOf(connector, "{")).toContain(`producers/${connector.name}/partners/mercy.json`);
    expect(refusalOf(connector, '{ "notAField": 1 }')).toMatch(/mercy\.json.*notAField/);
    const fields = Object.entries(fieldsOf(connector));
    expect(fields.length).toBeGreaterThan(0);
    for (const [field, { type }] of fields) {
      const other = type === "object" || type === "array" ? 7 : { of: "another type" };
      expect(refusalOf(connector, JSON.stringify({ [field]: other })), field).toMatch(
        new RegExp(`mercy\\.json: (.*; )?${field}\\b`),
      );
    }
  });

  it("says what each field of a profile means", () => {
    for (const [field, about] of Object.entries(fieldsOf(connector))) {
      const inner = Object.entries(about.properties ?? {});
      const said = inner.length > 0 ? inner.every(([, { description }]) => description) : about.description;
      expect(said, `description of ${field}`).toBeTruthy();
    }
  });
}

interface FieldSchema {
  readonly type?: string;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, FieldSchema>>;
}

function fieldsOf(connector: AnyConnector): Readonly<Record<string, FieldSchema>> {
  const schema = z.toJSONSchema(connector.profile, { io: "input", unrepresentable: "any" }) as FieldSchema;
  return schema.properties ?? {};
}

/** @returns the message with which the only profile of a connector is refused. */
function refusalOf(connector: AnyConnector, content: string): string | undefined {
  const root = mkdtempSync(join(tmpdir(), "tributary-profiles-"));
  const folder = join(root, "producers", connector.name, "partners");
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "mercy.json"), content);
  try {
    loadProfiles(connector, false, root);
    return undefined;
  } catch (error) {
    expect(error).toBeInstanceOf(TributaryError);
    expect((error as TributaryError).code).toBe("TRIB_SERVICE_PROFILE_INVALID");
    return (error as Error).message;
  } finally {
    rmSync(root, { recursive: true });
  }
}
