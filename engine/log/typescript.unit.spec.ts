import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { repositoryRoot } from "../service/root.js";
import { generateTypes } from "./typescript.js";

describe("generated types", () => {
  for (const [path, text] of generateTypes()) {
    it(`${path} is what the schemas say now (else run \`tributary schemas types\`)`, () => {
      expect(readFileSync(join(repositoryRoot, path), "utf8")).toBe(text);
    });
  }

  it("maps every kind of Avro type", () => {
    const text = generateTypes([
      {
        folder: "claim",
        fullName: "health.claim.Sample",
        schema: {
          type: "record",
          name: "Sample",
          namespace: "health.claim",
          doc: "A sample.",
          fields: [
            { name: "amount", type: { type: "bytes", logicalType: "decimal", precision: 14, scale: 2 } },
            { name: "day", type: ["null", { type: "int", logicalType: "date" }], default: null },
            { name: "at", type: { type: "long", logicalType: "timestamp-millis" } },
            { name: "kind", type: { type: "enum", name: "SampleKind", symbols: ["UNKNOWN", "GOOD"] } },
            { name: "raw", type: "bytes" },
            { name: "parts", type: { type: "array", items: ["null", "health.claim.Sample"] }, default: [] },
          ],
        },
      },
    ]).get("schemas/claim/claim.generated.ts");
    expect(text).toContain("  readonly amount: number;");
    expect(text).toContain("  readonly day: string | null;");
    expect(text).toContain("  readonly day?: string | null | undefined;");
    expect(text).toContain("  readonly at: number;");
    expect(text).toContain('export type SampleKind = "UNKNOWN" | "GOOD";');
    expect(text).toContain("  readonly raw: Buffer;");
    expect(text).toContain("  readonly parts: readonly (Sample | null)[];");
    expect(text).toContain("  readonly parts?: readonly (SampleInput | null)[] | undefined;");
  });
});
