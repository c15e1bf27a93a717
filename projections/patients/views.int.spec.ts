import { expect, it } from "vitest";
import { DerivedTables } from "../../engine/projector/derived.js";
import { freshDatabase } from "../../engine/testing/database.js";
import { recorded } from "../../engine/testing/events.js";
import { ProjectionBench } from "../../engine/testing/projection-bench.js";
import patients from "./projection.js";

type Given = Parameters<typeof recorded>[0][number];
const id = (letter: string, number: number) => `00000000-0000-0000-000${letter}-${String(number).padStart(12, "0")}`;

/** A record whose own identifier is its id, and what else it is known by. */
const told = (number: number, ...others: number[]): Given =>
  ({
    type: "PatientUpdated",
    key: id("a", number),
    fields: {
      facility: "LAKE",
      identifiers: [id("a", number), ...others.map((other) => id("b", other))].map((identifierId) => {
        return { identifierId, authority: "LAKE", type: "MR", strong: identifierId === id("b", 9) };
      }),
    },
  }) as unknown as Given;

it("patients_by_identifier leads from a number to the one record, or person, that has it", async () => {
  const database = await freshDatabase();
  try {
    const bench = await ProjectionBench.create(patients, database.pool);
    // 1 has a number of its own; 7 is on records of two persons; 9, which is strong, makes one person of 3 and 4.
    bench.append(recorded([told(1, 1, 7), told(2, 7), told(4, 9), told(3, 9)]));
    await bench.run({});
    const named = async () =>
      (await database.pool.query("SELECT * FROM projections.patients_by_identifier ORDER BY 1")).rows;
    const one = { identifier_id: id("b", 1), patient_id: id("a", 1) };
    // Until persons are derived nobody can say that 3 and 4 are one.
    expect(await named()).toEqual([one]);
    const derived = new DerivedTables(database.pool, bench.build, bench.layout, "spec");
    await derived.takeOver();
    await derived.refresh();
    expect(await named()).toEqual([one, { identifier_id: id("b", 9), patient_id: id("a", 3) }]);
  } finally {
    await database.drop();
  }
});
