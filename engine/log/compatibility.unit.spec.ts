import { describe, expect, it } from "vitest";
import type { AvroField, AvroRecord, AvroSchema } from "./avro.js";
import { evolutionProblems } from "./compatibility.js";

const kind = { type: "enum", name: "Kind", symbols: ["UNKNOWN", "A", "B"], default: "UNKNOWN" } as const;
const money = { type: "bytes", logicalType: "decimal", precision: 14, scale: 2 } as const;
const line: AvroRecord = {
  type: "record",
  name: "Line",
  namespace: "health.test",
  fields: [{ name: "amount", type: money }],
};
const fields: readonly AvroField[] = [
  { name: "text", type: "string" },
  { name: "optional", type: ["null", "string"], default: null },
  { name: "kind", type: kind, default: "UNKNOWN" },
  { name: "amount", type: money },
  { name: "day", type: { type: "int", logicalType: "date" } },
  { name: "at", type: { type: "long", logicalType: "timestamp-millis" } },
  { name: "lines", type: { type: "array", items: line }, default: [] },
  { name: "other", type: ["null", "Line"], default: null },
  { name: "sealed", type: ["null", "bytes"], default: null, sealedRecord: "health.test.Details" },
];

const record = (own: readonly AvroField[] = fields, name = "Thing", namespace = "health.test"): AvroRecord => ({
  type: "record",
  name,
  namespace,
  fields: own,
});

const without = (name: string): AvroRecord => record(fields.filter((field) => field.name !== name));
const changed = (name: string, change: Partial<AvroField>): AvroRecord =>
  record(fields.map((field) => (field.name === name ? { ...field, ...change } : field)));
const typed = (name: string, type: AvroSchema): AvroRecord => changed(name, { type });

describe("evolution of a schema", () => {
  it.each<[string, AvroRecord]>([
    ["nothing changed", record()],
    ["another doc", changed("text", { doc: "Said better." })],
    ["a field with a default more", record([...fields, { name: "more", type: "int", default: 0 }])],
    ["a field with a default less", without("optional")],
    ["fields in another order", record([fields[8], ...fields.slice(0, 8)].filter((field) => field !== undefined))],
    ["an enum symbol more", typed("kind", { ...kind, symbols: [...kind.symbols, "C"] })],
    [
      "a nested field with a default more",
      typed("lines", {
        type: "array",
        items: { ...line, fields: [...line.fields, { name: "unit", type: "string", default: "" }] },
      }),
    ],
  ])("allows %s, in both directions", (_, newer) => {
    expect(evolutionProblems(record(), newer)).toEqual([]);
  });

  it.each<[string, AvroRecord, string]>([
    ["a field without a default removed", without("text"), "Thing.text: the field is gone"],
    [
      "a field without a default added",
      record([...fields, { name: "more", type: "int" }]),
      "Thing.more: the field is new",
    ],
    ["a field renamed", changed("text", { name: "words" }), "Thing.text: the field is gone"],
    ["a type changed", typed("text", "int"), "Thing.text: the type changed from string to int"],
    ["a type promoted", typed("text", "bytes"), "Thing.text: the type changed from string to bytes"],
    ["a field made optional", typed("text", ["null", "string"]), "Thing.text: the type changed from string to union"],
    ["a branch added", typed("optional", ["null", "string", "int"]), "Thing.optional: the union now has int"],
    ["a branch removed", typed("optional", ["null"]), "Thing.optional: the union no longer has string"],
    [
      "an enum symbol removed",
      typed("kind", { ...kind, symbols: ["UNKNOWN", "A"] }),
      "Thing.kind: the symbol B is gone",
    ],
    [
      "an enum default removed",
      typed("kind", { type: "enum", name: "Kind", symbols: kind.symbols }),
      "Thing.kind: the enum lost its default",
    ],
    [
      "an enum renamed",
      typed("kind", { ...kind, name: "Sort" }),
      "Thing.kind: the type changed from enum health.test.Kind",
    ],
    ["a scale changed", typed("amount", { ...money, scale: 3 }), "bytes/decimal(14, 2) to bytes/decimal(14, 3)"],
    ["a precision changed", typed("amount", { ...money, precision: 12 }), "Thing.amount: the type changed"],
    ["a logical type dropped", typed("at", "long"), "Thing.at: the type changed from long/timestamp-millis to long"],
    ["a date made an instant", typed("day", "int"), "Thing.day: the type changed"],
    ["a record renamed", record(fields, "Item"), "the type changed from record health.test.Thing"],
    ["a namespace changed", record(fields, "Thing", "health.other"), "the type changed"],
    ["another sealed record", changed("sealed", { sealedRecord: "health.test.Other" }), "the sealed record changed"],
    [
      "a nested record renamed",
      record(
        fields.map((field) =>
          field.name === "lines"
            ? { ...field, type: { type: "array" as const, items: { ...line, name: "Row" } } }
            : field.name === "other"
              ? { ...field, type: ["null", "Row"] }
              : field,
        ),
      ),
      "Thing.lines[]: the type changed from record health.test.Line",
    ],
    [
      "a nested field without a default added",
      typed("lines", { type: "array", items: { ...line, fields: [...line.fields, { name: "unit", type: "string" }] } }),
      "Thing.lines[].unit: the field is new",
    ],
  ])("refuses %s", (_, newer, problem) => {
    expect(evolutionProblems(record(), newer).join("\n")).toContain(problem);
  });

  it("refuses an enum symbol more when the old enum has no default", () => {
    const bare = { type: "enum", name: "Kind", symbols: ["A"] } as const;
    const older = record([{ name: "kind", type: bare }]);
    const newer = record([{ name: "kind", type: { ...bare, symbols: ["A", "B"] } }]);
    expect(evolutionProblems(older, newer).join("\n")).toContain("has no default to read them as");
  });
});
