import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { impuritiesOf } from "./purity.js";

const folder = mkdtempSync(join(tmpdir(), "tributary-purity-"));
afterAll(() => rmSync(folder, { recursive: true }));

function found(code: string, beside: Readonly<Record<string, string>> = {}): string[] {
  const path = join(folder, "entry.ts");
  writeFileSync(path, code);
  for (const [name, content] of Object.entries(beside)) writeFileSync(join(folder, name), content);
  return impuritiesOf([path]).map(({ what }) => what);
}

describe("purity", () => {
  it.each([
    "const at = Date.now();",
    "const at = new Date();",
    "const at = Date();",
    "const clock = Date;",
    "const at = new Date(2026, 1, 1);",
    "const day = new Date(0).getDate();",
    "const chance = Math.random();",
    "const { random } = Math;",
    'const id = crypto["randomUUID"]();',
    'import { randomUUID } from "node:crypto";',
    'import { createHash as hash, randomBytes } from "crypto";',
    'import * as all from "node:crypto";',
    'import { readFileSync } from "node:fs";',
    'import "node:fs";',
    'export * from "node:os";',
    'import pg from "pg";',
    "const zone = process.env.TZ;",
    'const text = (12).toLocaleString("en");',
    "const format = new Intl.NumberFormat();",
    "const format = new Intl.NumberFormat([]);",
    "const format = Intl.DateTimeFormat(undefined, {});",
    'const order = "a".localeCompare("b");',
    "const answer = await fetch(url);",
    "setTimeout(() => {}, 1);",
    'const late = await import("./other.js");',
    'const late = globalThis["Da" + "te"];',
    "const now = { now: Date.now };",
    "const ago = performance.now();",
  ])("finds %s", (code) => {
    expect(found(code)).toHaveLength(1);
  });

  it.each([
    "const at = new Date(0).toISOString();",
    "const at = Date.UTC(2026, 1, 1) + Date.parse(text);",
    "const day = new Date(0).getUTCDate();",
    "const is = value instanceof Date;",
    "const least = Math.min(1, 2);",
    'import { createHash } from "node:crypto";',
    'import type { Stats } from "node:fs";',
    'import { type Stats } from "node:fs";',
    "let at: Date; let environment: NodeJS.Process; type Now = typeof Date.now;",
    "const of = (record: { process: string }) => record.process;",
    'const record = { process: "a", fetch: 1 };',
    "const use = (performance: { now(): number }) => performance.now();",
    'const format = new Intl.NumberFormat("en-US");',
    'const order = "a".localeCompare("b", "en");',
  ])("lets %s pass", (code) => {
    expect(found(code)).toEqual([]);
  });

  it("follows imports, not those of types, and names the place", () => {
    const beside = { "clock.ts": "\nexport const now = () => Date.now();\nexport type Clock = () => number;" };
    const path = join(folder, "entry.ts");
    expect(found('import { now } from "./clock.js";', beside)).toEqual(["Date.now reads a clock"]);
    expect(impuritiesOf([path])[0]?.place).toMatch(/clock\.ts:2$/);
    expect(found('import type { Clock } from "./clock.js";')).toEqual([]);
    expect(found('import { type Clock, now } from "./clock.js";')).toHaveLength(1);
    expect(found('import { a } from "./absent.js";')).toEqual(["imports ./absent.js, which isn't there"]);
  });
});
