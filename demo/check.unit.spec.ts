import { describe, expect, it } from "vitest";
import { compareTruth, withoutOthers } from "./check.js";
import { cents, type Query } from "./read-models.js";
import { generateRegion, type RegionTruth } from "./region.js";

const truth = generateRegion({ seed: "check", patients: 120 }).truth();

const id = (name: string): string => `id of ${name}`;
const amount = (value: number | undefined): string | null => {
  if (value === undefined) return null;
  const size = Math.abs(value);
  return `${value < 0 ? "-" : ""}${Math.floor(size / 100)}.${String(size % 100).padStart(2, "0")}`;
};

/** Read models as Postgres would give them if the engine were right about `truth`, under surrogate ids. */
function database(of: RegionTruth): Record<string, Record<string, unknown>[]> {
  return {
    patients: of.patients.map((row) => ({
      patient_id: id(row.patient),
      status: row.status,
      merged_into: row.mergedInto === null ? null : id(row.mergedInto),
      sex: row.sex,
      birth_year: row.birthYear === null ? null : `${row.birthYear}`,
      family_name: row.familyName,
      given_names: JSON.stringify(row.givenNames?.split(" ") ?? null),
      birth_date: row.birthDate,
    })),
    patient_identifiers: of.patientIdentifiers.map(({ patient, ...rest }) => ({ patient_id: id(patient), ...rest })),
    persons: of.persons.map((members) => ({ patient_ids: JSON.stringify([...members].reverse().map(id)) })),
    visits: of.visits.map((row) => ({
      patient_id: id(row.patient),
      authority: row.visit.split("|")[0],
      visit_number: row.visit.split("|")[1],
      status: row.status,
      class: row.class,
      location: row.location,
      started_at: row.startedAt,
      ended_at: row.endedAt,
      cancelled_at: row.cancelledAt,
    })),
    claims: of.claims.map((row) => ({
      claim_id: id(row.claim),
      patient_control_number: row.claim,
      provider_npi: row.provider,
      status: row.status,
      frequency_code: row.frequencyCode ?? null,
      billed_amount: amount(row.billed),
      paid_amount: amount(row.paid),
      patient_amount: amount(row.patientAmount),
      adjusted_amount: amount(row.adjusted),
      balanced: row.balanced ?? null,
      replaces_claim_id: row.replaces === null ? null : id(row.replaces),
      submitted_at: row.submittedAt ?? null,
      adjudicated_at: row.adjudicatedOn === undefined ? null : `${row.adjudicatedOn}T00:00:00Z`,
    })),
    claim_lines: of.claimLines.map((row) => ({
      claim_id: id(row.claim),
      line: JSON.stringify({ line_number: row.line, procedure_code: row.procedure, charge_amount: row.charge / 100 }),
    })),
    remittances: of.remittances.map((row) => ({
      trace_number: row.trace,
      paid_at: `${row.paidOn}T00:00:00Z`,
      paid_amount: amount(row.paid),
      claims_amount: amount(row.claims),
      provider_adjustment_amount: amount(row.providerAdjustment),
      balanced: row.balanced,
      difference: amount(row.difference),
    })),
  };
}

const queryOf =
  (tables: Record<string, Record<string, unknown>[]>): Query =>
  async (sql) => {
    const name = /FROM projections_restricted\.(\w+)/.exec(sql)?.[1] ?? "";
    return tables[name] ?? Promise.reject(new Error(`no table in ${sql}`));
  };

type Change = (tables: Record<string, Record<string, unknown>[]>) => void;
async function differencesAfter(change: Change): Promise<string[]> {
  const tables = database(truth);
  change(tables);
  const found = await compareTruth(truth, queryOf(tables));
  return found.map(({ table, column }) => `${table} ${column}`);
}

const row = (tables: Record<string, Record<string, unknown>[]>, table: string): Record<string, unknown> => {
  const found = tables[table]?.at(3);
  if (found === undefined) throw new Error(`${table} has no fourth row`);
  return found;
};

/** Sets one column of the fourth row of a table. */
const set =
  (table: string, column: string, value: unknown): Change =>
  (tables) => {
    row(tables, table)[column] = value;
  };

describe("comparing read models with the truth", () => {
  it("finds nothing where all is right, also with patients whom only the insurer knows", async () => {
    expect(await differencesAfter(() => {})).toEqual([]);
    const extra: Change = (tables) => {
      tables.patients?.push({ ...row(tables, "patients"), patient_id: "member" });
      tables.patient_identifiers?.push({ patient_id: "member", authority: "BAYPLAN", type: "MB", value: "M1" });
      tables.persons?.push({ patient_ids: JSON.stringify(["member"]) });
    };
    expect(await differencesAfter(extra)).toEqual([]);
  });

  it.each<[string, string, Change]>([
    ["patients status", "another status", set("patients", "status", "erased")],
    ["patients familyName", "another name", set("patients", "family_name", "Never")],
    ["patients mergedInto", "a merge too much", set("patients", "merged_into", "id of elsewhere")],
    ["visits endedAt", "an end a second late", set("visits", "ended_at", "2026-01-12T00:00:01Z")],
    [
      "visits patient",
      "a visit of another patient",
      set("visits", "patient_id", id(truth.patients.at(-1)?.patient ?? "")),
    ],
    ["visits row", "a lost visit", (tables) => void tables.visits?.pop()],
    ["visits row", "a visit twice", (tables) => void tables.visits?.push({ ...row(tables, "visits") })],
    ["claims status", "another claim status", set("claims", "status", "voided")],
    ["claims paid", "another payment", set("claims", "paid_amount", "123456.78")],
    ["claims replaces", "a replacement too much", set("claims", "replaces_claim_id", id(truth.claims[1]?.claim ?? ""))],
    [
      "claims row",
      "a claim too much",
      (tables) => void tables.claims?.push({ ...row(tables, "claims"), patient_control_number: "NC000001X" }),
    ],
    ["remittances difference", "a cent of difference", set("remittances", "difference", "0.01")],
    [
      "patient_identifiers row",
      "an identifier lost",
      (tables) => {
        const index = tables.patient_identifiers?.findIndex((one) => one.type === "PI") ?? 0;
        tables.patient_identifiers?.splice(index, 1);
      },
    ],
    [
      "persons row",
      "a person in two",
      (tables) => {
        const index = truth.persons.findIndex((members) => members.length > 1);
        const parts = truth.persons[index]?.map((one) => ({ patient_ids: JSON.stringify([id(one)]) })) ?? [];
        tables.persons?.splice(index, 1, ...parts);
      },
    ],
    [
      "claim_lines charge",
      "another charge of a line",
      set(
        "claim_lines",
        "line",
        JSON.stringify({ line_number: truth.claimLines[3]?.line, procedure_code: "", charge_amount: "1.00" }),
      ),
    ],
  ])("tells of %s after %s", async (difference, _what, change) => {
    expect(await differencesAfter(change)).toContain(difference);
  });

  it("tells rows of partners outside of the region apart, also where their names are the region's", async () => {
    const tables = database(truth);
    for (const name of ["visits", "claims"]) for (const one of tables[name] ?? []) one.partner = "north";
    for (const one of tables.patients ?? []) one.partners = JSON.stringify(["north"]);
    const first = row(tables, "claims");
    tables.claims?.unshift({
      ...first,
      claim_id: "own",
      partner: "lake",
      billed_amount: "1.00",
      replaces_claim_id: null,
    });
    tables.visits?.push({ ...row(tables, "visits"), visit_number: "LV1", partner: "generic" });
    tables.visits?.push({ ...row(tables, "visits"), visit_number: "V0", partner: "south" });
    tables.patients?.push({ ...row(tables, "patients"), patient_id: "own", partners: '["lake"]' });
    tables.patient_identifiers?.push({ patient_id: "own", authority: "NORTH", type: "MR", value: "L1" });
    const { differences, ofOthers } = withoutOthers(await compareTruth(truth, queryOf(tables)));
    expect(differences).toMatchObject([{ table: "visits", key: expect.stringMatching(/\|V0$/), partners: ["south"] }]);
    expect(ofOthers.map(({ table, partners }) => [table, partners])).toEqual([
      ["patients", ["lake"]],
      ["patient_identifiers", ["lake"]],
      ["visits", ["generic"]],
      ["claims", ["lake"]],
    ]);
  });

  it("tells of a row changed in the truth", async () => {
    const [first, ...rest] = truth.visits;
    const changed: RegionTruth = { ...truth, visits: [{ ...first!, location: "ICU^1^A^NORTH" }, ...rest] };
    const found = await compareTruth(changed, queryOf(database(truth)));
    expect(found).toEqual([
      { table: "visits", key: first?.visit, column: "location", expected: "ICU^1^A^NORTH", actual: first?.location },
    ]);
  });

  it("reads money exactly", () => {
    expect(cents("1234.50")).toBe(123450);
    expect(cents("-0.07")).toBe(-7);
    expect(cents("10")).toBe(1000);
    expect(cents(null)).toBe(null);
    expect(() => cents("1.005")).toThrow(/two decimals/);
  });
});
