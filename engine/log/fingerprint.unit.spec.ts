import { describe, expect, it } from "vitest";
import type { AvroSchema } from "./avro.js";
import { fingerprintOf } from "./fingerprint.js";

describe("the fingerprint of a schema", () => {
  it.each<[string, AvroSchema, string]>([
    ["of Avro's own test suite", "int", "3f2b87a9fe7cc9b13835598c3981cd45e3e355309e5090aa0933d7becb6fba45"],
    [
      "of Avro's own test suite, without what a reader does not need",
      { type: "int", logicalType: "date" },
      "3f2b87a9fe7cc9b13835598c3981cd45e3e355309e5090aa0933d7becb6fba45",
    ],
  ])("is %s", (_, schema, wanted) => expect(fingerprintOf(schema)).toBe(wanted));

  const record = (fields: readonly object[]): AvroSchema =>
    ({ type: "record", name: "Stay", namespace: "lake", fields }) as AvroSchema;
  const kind = { type: "enum", name: "Kind", symbols: ["A", "B"] };

  it("is the same whatever is said beside names and types, and another for other names, types or order", () => {
    const plain = record([
      { name: "kind", type: kind },
      { name: "other", type: ["null", "Kind"] },
    ]);
    const told = {
      doc: "A stay.",
      fields: [
        { type: { ...kind, namespace: "lake", default: "A", doc: "Of two." }, name: "kind", default: "A" },
        { name: "other", type: ["null", "lake.Kind"], default: null },
      ],
      name: "lake.Stay",
      type: "record",
    } as AvroSchema;
    expect(fingerprintOf(told)).toBe(fingerprintOf(plain));
    const others = [
      record([{ name: "kind", type: kind }]),
      record([
        { name: "other", type: ["null", kind] },
        { name: "kind", type: "Kind" },
      ]),
      record([
        { name: "kind", type: { ...kind, symbols: ["B", "A"] } },
        { name: "other", type: ["null", "Kind"] },
      ]),
    ];
    expect(new Set([plain, ...others].map(fingerprintOf)).size).toBe(4);
  });
});
