import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { startConnectorBench } from "../../engine/testing/connector-bench.js";
import connector from "./connector.js";
import { corpus, profiles, sample } from "./testing/corpus.js";
import { profileOf } from "./testing/rows.js";
import { bytesOf, type Taken, take } from "./testing/take.js";

const remit = profiles.get("journeys-remit")!;
const members = profiles.get("journeys-members")!;
const expectedFacts = () => JSON.parse(readFileSync(join(corpus!, "expected", "csv.json"), "utf8")).files;
const profileText = (name: string): object =>
  JSON.parse(readFileSync(new URL(`partners/${name}.json`, import.meta.url), "utf8"));
const decimal = (cents: number) => `${Math.trunc(cents / 100)}.${String(cents % 100).padStart(2, "0")}`;

const eventsOf = ({ units }: Taken) => units.flatMap(({ events }) => events);
function fieldsOf(taken: Taken, type: string): readonly Record<string, unknown>[] {
  return eventsOf(taken)
    .filter((event) => event.type === type)
    .map(({ fields }) => fields as unknown as Record<string, unknown>);
}
function countBy(all: readonly Record<string, unknown>[], name: string): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const one of all) counts[String(one[name])] = (counts[String(one[name])] ?? 0) + 1;
  return counts;
}
const sealedOf = (taken: Taken) => eventsOf(taken).map(({ sealed }) => sealed as unknown as Record<string, unknown>);

describe.skipIf(corpus === null)("the sample files", () => {
  it("journeys/remit.csv: every payment, denial and reversal, to the cent", async () => {
    const facts = expectedFacts()["journeys/remit.csv"].remit;
    const bytes = sample("csv", "journeys", "remit.csv");
    const taken = await take(bytes, remit);
    expect(taken.summary).toEqual({
      rows: facts.rows,
      accepted: facts.rows,
      rejected: 0,
      duplicates: 0,
      blank: 0,
      totals: [],
    });
    expect(bytesOf(taken.entries).equals(bytes)).toBe(true);
    const payments = [...fieldsOf(taken, "ClaimAdjudicated"), ...fieldsOf(taken, "ClaimPaymentReversed")];
    const paid = payments.reduce((sum, { paidAmount }) => sum + (paidAmount as number), 0);
    expect(decimal(paid)).toBe(facts.paid);
    const { PAYMENT, DENIAL, REVERSAL } = facts.by_kind;
    expect(countBy(payments, "statusCode")).toEqual({ 1: PAYMENT, 4: DENIAL, 22: REVERSAL });
    expect(fieldsOf(taken, "ClaimPaymentReversed")).toHaveLength(facts.by_kind.REVERSAL);
    expect(new Set(eventsOf(taken).map(({ subject }) => subject)).size).toBe(facts.claims);
    expect(sealedOf(taken)[0]).toMatchObject({ patientControlNumber: "NC000002", patientName: "Lind, Aron" });
  });

  it("journeys/members.csv: every member, with the record numbers of both hospitals", async () => {
    const taken = await take(sample("csv", "journeys", "members.csv"), members);
    expect(taken.summary).toMatchObject({ rows: expectedFacts()["journeys/members.csv"].rows, rejected: 0 });
    expect(new Set(eventsOf(taken).map(({ subject }) => subject)).size).toBe(60);
    expect(sealedOf(taken)[1]).toEqual({
      identifierValues: ["M4DB659C74", "N000002", "S000002", "S000003"],
      familyName: "Funk",
      givenNames: ["Stasia"],
      birthDate: "2005-02-06",
      address: "02126",
      telecom: [],
    });
  });

  it.each(["synthea", "dbt-synthea"])("%s/encounters.csv: every visit by class, with its patient", async (folder) => {
    const facts = expectedFacts()[`${folder}/encounters.csv.gz`];
    const profile = profileOf({
      rows: "visits",
      facility: "SYNTHEA",
      identifiers: [{ column: "PATIENT", type: "PI" }],
      columns: { visit: "Id", startedAt: "START", endedAt: "STOP", class: "ENCOUNTERCLASS", location: "ORGANIZATION" },
    });
    const taken = await take(sample("csv", folder, "encounters.csv.gz"), profile);
    expect(taken.summary).toMatchObject({ rows: facts.rows, accepted: facts.rows });
    const started = fieldsOf(taken, "VisitStarted");
    expect(countBy(started, "class")).toEqual(facts.encounters.by_class);
    expect(new Set(started.map(({ patientId }) => patientId)).size).toBe(facts.encounters.patients);
    expect(fieldsOf(taken, "VisitEnded")).toHaveLength(facts.rows);
  });

  it.each(["synthea", "dbt-synthea"])("%s/patients.csv: every patient by sex", async (folder) => {
    const facts = expectedFacts()[`${folder}/patients.csv.gz`];
    const profile = profileOf({
      facility: "SYNTHEA",
      identifiers: [
        { column: "Id", type: "PI" },
        { column: "SSN", authority: "SSA", type: "SS", strong: true },
      ],
      columns: {
        familyName: "LAST",
        givenNames: "FIRST",
        birthDate: "BIRTHDATE",
        sex: "GENDER",
        deceased: "DEATHDATE",
      },
    });
    const taken = await take(sample("csv", folder, "patients.csv.gz"), profile);
    expect(taken.summary).toMatchObject({ rows: facts.rows, accepted: facts.rows });
    const patients = fieldsOf(taken, "PatientUpdated");
    expect(new Set(eventsOf(taken).map(({ subject }) => subject)).size).toBe(facts.patients.count);
    for (const [sex, count] of Object.entries(facts.patients.by_gender)) {
      expect(patients.filter((fields) => fields.sex === sex)).toHaveLength(count as number);
    }
  });
});

/** What the sample file's description asks for, as accepted and rejected rows with code and place. */
const malformed: Readonly<Record<string, readonly [accepted: number, rejected: readonly string[]]>> = {
  "made-bom-crlf": [8, []],
  "made-quotes-newlines": [8, []],
  "made-unclosed-quote": [7, ["CSV_QUOTE line 4 CLAIM_ID"]],
  "made-semicolon-decimal-comma": [0, Array(10).fill("CSV_OTHER_DELIMITER")],
  "made-missing-column": [0, Array(9).fill("CSV_COLUMN_MISSING PAID")],
  "made-short-and-long-rows": [3, ["CSV_ROW_WIDTH line 3", "CSV_ROW_WIDTH line 5"]],
  "made-duplicate-rows": [8, []],
  "made-bad-values": [1, ["CSV_AMOUNT line 2 CHARGE", "CSV_DATE line 3 PAID_DATE", "CSV_VALUE_MISSING line 4 ICN"]],
  "made-renamed-header": [8, []],
  "made-no-header": [0, Array(8).fill("CSV_HEADER_MISSING")],
  "made-latin1": [0, Array.from({ length: 8 }, (_, at) => `CSV_CHARACTER_SET line ${at + 2} MEMBER_NAME`)],
  "made-utf16": [0, ["CSV_OTHER_CHARSET line 1"]],
  "made-nul-bytes": [7, ["CSV_NUL line 3 column 11"]],
  "made-formula": [8, []],
  "made-empty": [0, []],
  "made-header-only": [0, []],
};

describe.skipIf(corpus === null)("the malformed sample files", () => {
  it("are all told here", () => {
    const cases = JSON.parse(readFileSync(join(corpus!, "malformed", "CASES.json"), "utf8")) as { file: string }[];
    const names = cases.flatMap(({ file }) => /^malformed\/csv\/(.*)\.csv$/.exec(file)?.[1] ?? []);
    expect(names.length).toBeGreaterThan(10);
    expect(names.sort()).toEqual(Object.keys(malformed).sort());
  });

  it("are answered over HTTP with the same verdicts, one after the other, and none costs the next one its answer", async () => {
    const bench = await startConnectorBench(connector, undefined, { generic: profileText("journeys-remit") });
    try {
      for (const [name, [accepted, rejected]] of Object.entries(malformed)) {
        const lines = await bench.send(sample("malformed", "csv", `${name}.csv`));
        for (const line of lines) expect(line.answer, name).toBe(line.accepted ? "200" : "422");
        expect(
          lines.filter(({ duplicate }) => duplicate),
          name,
        ).toHaveLength(name === "made-duplicate-rows" ? 4 : 0);
        expect(lines.filter(({ index, accepted: isAccepted }) => index !== null && isAccepted).length, name).toBe(
          accepted,
        );
        if (rejected.length > 0)
          expect(lines.filter((line) => !line.accepted).map(({ code }) => code)[0], name).toBe(
            rejected[0]?.split(" ")[0],
          );
      }
      expect(bench.intake.units.filter(({ verdict, events }) => !verdict.accepted && events.length > 0)).toEqual([]);
    } finally {
      await bench.close();
    }
  });

  it.each(Object.entries(malformed))("%s", async (name, [accepted, rejected]) => {
    const bytes = sample("malformed", "csv", `${name}.csv`);
    const taken = await take(bytes, remit);
    expect(bytesOf(taken.entries).equals(bytes)).toBe(true);
    expect(taken.summary.accepted).toBe(accepted);
    const told = taken.rows.filter((row) => !row.accepted).map(({ code, location }) => `${code} ${location}`);
    for (const [index, want] of rejected.entries()) expect(told[index]).toMatch(new RegExp(`^${want}`));
    if (name !== "made-utf16") expect(told).toHaveLength(rejected.length);
    for (const { verdict, events } of taken.units) if (!verdict.accepted) expect(events).toEqual([]);
    expect(JSON.stringify(taken.units.map(({ events }) => events))).not.toContain("\uFFFD");
  });

  it("made-duplicate-rows: four facts, four duplicates reported, each under the identity of the first", async () => {
    const taken = await take(sample("malformed", "csv", "made-duplicate-rows.csv"), remit);
    expect(taken.summary.duplicates).toBe(4);
    expect(taken.rows.map(({ duplicate }) => duplicate === true)).toEqual([
      ...Array(4).fill(false),
      ...Array(4).fill(true),
    ]);
    const identities = taken.units.map(({ identity }) => JSON.stringify(identity));
    expect(identities.slice(4)).toEqual(identities.slice(0, 4));
  });

  it("made-empty is told from made-header-only: no file, and no rows", async () => {
    const empty = await take(sample("malformed", "csv", "made-empty.csv"), remit);
    expect([empty.accepted, empty.summary.code]).toEqual([false, "CSV_EMPTY"]);
    expect(empty.entries.map(({ entry }) => entry)).toEqual(["CLOSING"]);
    const none = await take(sample("malformed", "csv", "made-header-only.csv"), remit);
    expect([none.accepted, none.summary]).toEqual([
      true,
      { rows: 0, accepted: 0, rejected: 0, duplicates: 0, blank: 0, totals: [] },
    ]);
  });

  it.each([
    ["made-semicolon-decimal-comma", { delimiter: ";" }, { decimal: "," }, "Lind, Aron"],
    ["made-latin1", { charset: "iso-8859-1" }, {}, "Müller, Jörg"],
    ["made-utf16", { charset: "utf-16le" }, {}, "Lind, Aron"],
  ])(
    "%s is taken by a profile that says so, with the right amounts and names",
    async (name, writing, amounts, patientName) => {
      const profile = {
        ...remit,
        writing: { ...remit.writing, ...writing },
        amounts: { ...remit.amounts, ...amounts },
      } as typeof remit;
      const bytes = sample("malformed", "csv", `${name}.csv`);
      const taken = await take(bytes, profile);
      expect(bytesOf(taken.entries).equals(bytes)).toBe(true);
      expect(taken.summary).toMatchObject({ rows: 8, accepted: 8 });
      expect(fieldsOf(taken, "ClaimAdjudicated")[0]).toMatchObject({ chargeAmount: 70420, paidAmount: 70420 });
      expect(sealedOf(taken)[0]).toMatchObject({ patientName });
    },
  );

  it("made-formula: the text is kept as it is, and a formula no more where we write it", async () => {
    const bytes = sample("malformed", "csv", "made-formula.csv");
    const taken = await take(bytes, remit);
    expect(sealedOf(taken)[0]).toMatchObject({ patientName: '=HYPERLINK("http://example.org")' });
    const refused = await take(Buffer.from("CLAIM_ID,PAID\r\n=1+1,2\r\n"), remit);
    expect(refused.rejected).toContain(`,"'=1+1,2"\r\n`);
  });
});
