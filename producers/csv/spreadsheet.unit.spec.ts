import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { recordingIntake } from "../../engine/testing/recording-intake.js";
import type { Profile } from "./profile.js";
import { lines, paymentProfile, profileOf } from "./testing/rows.js";
import { bytesOf, type Taken, take } from "./testing/take.js";

const semicolons = profileOf({ writing: { delimiter: ";" } });
const file = (...rows: string[]) => lines("patient_id;family_name;sex", ...rows);
const kinds = ({ entries }: Taken) => entries.map(({ format }) => format);

describe("a first line that tells a spreadsheet the delimiter", () => {
  it.each(["sep=;", "SEP=;", '"sep=;"'])("%s is no header and no row", async (line) => {
    const bytes = Buffer.concat([Buffer.from(`\uFEFF${line}\r\n`), file("P1;Okafor;F")]);
    const taken = await take(bytes, semicolons);
    expect(taken.summary).toMatchObject({ rows: 1, accepted: 1 });
    expect(taken.rows[0]).toMatchObject({ line: 3, controlId: "P1" });
    expect(kinds(taken).slice(0, 3)).toEqual(["CSV mark", "CSV separator", "CSV header"]);
    expect(bytesOf(taken.entries).equals(bytes)).toBe(true);
  });

  it("is understood in UTF-16, and where there is no header", async () => {
    const profile = profileOf({
      writing: { delimiter: "\t", charset: "utf-16le", header: false },
      identifiers: [{ column: 1 }],
      columns: { familyName: 2 },
    });
    const taken = await take(Buffer.from("sep=\t\r\nP1\tOkafor\r\n", "utf16le"), profile);
    expect(taken.summary).toMatchObject({ rows: 1, accepted: 1 });
  });

  it("and tells another than was agreed makes no row a fact", async () => {
    const taken = await take(Buffer.concat([Buffer.from("sep=,\r\n"), file("P1;Okafor;F")]), semicolons);
    expect(taken.summary).toMatchObject({ accepted: 0, code: "CSV_OTHER_DELIMITER", location: "line 1" });
  });

  it("is a line like any other further down, and one that is skipped where lines are", async () => {
    const taken = await take(file("P1;Okafor;F", "sep=;"), semicolons);
    expect(taken.rows.map(({ code }) => code)).toEqual([undefined, "CSV_ROW_WIDTH"]);
    const skipping = profileOf({ writing: { delimiter: ";", skipLines: 1 } });
    const skipped = await take(Buffer.concat([Buffer.from("sep=,\r\n"), file("P1;Okafor;F")]), skipping);
    expect(skipped.summary.accepted).toBe(1);
  });
});

it("rows with nothing but delimiters, as below a spreadsheet's last, are counted and are no rows", async () => {
  const totals = { marker: "END", count: 2 };
  const rows = ["P1;Okafor;F", ";;", "P2;Berg;M", "", ";;;;;", ";;", "END;2;"];
  const taken = await take(file(...rows), profileOf({ writing: { delimiter: ";" }, totals }));
  expect(taken.summary).toMatchObject({ rows: 2, accepted: 2, rejected: 0, blank: 4, totals: [{ agrees: true }] });
  expect(taken.accepted).toBe(true);
  expect(kinds(taken).filter((kind) => kind === "CSV blank")).toHaveLength(2);
  // Something in a row is a row that lacks something.
  expect((await take(file(";;F", '"";;'), semicolons)).summary).toMatchObject({ rows: 2, rejected: 2, blank: 0 });
});

describe("Ctrl-Z at the end of a file", () => {
  it.each([
    ["on a line of its own", "P1;Okafor;F\r\n\x1a"],
    ["after the last row", "P1;Okafor;F\x1a"],
    ["as padding", `P1;Okafor;F\r\n${"\x1a".repeat(90)}`],
  ])("%s is part of no row, however the bytes arrive", async (_, end) => {
    for (const charset of ["utf-8", "utf-16le"] as const) {
      const profile = profileOf({ writing: { delimiter: ";", charset } });
      const text = `patient_id;family_name;sex\r\n${end}`;
      const bytes = Buffer.from(text, charset === "utf-8" ? "utf8" : "utf16le");
      for (const chunk of [1, 7, bytes.length]) {
        const taken = await take(bytes, profile, recordingIntake(), chunk);
        expect(taken.summary).toMatchObject({ rows: 1, accepted: 1 });
        expect(taken.units[0]?.events[0]?.fields).toMatchObject({ sex: "F" });
        expect(kinds(taken).at(-2)).toBe("CSV end");
        expect(bytesOf(taken.entries).equals(bytes)).toBe(true);
      }
    }
  });

  it("is none where the file ends in half a character", async () => {
    const profile = profileOf({ writing: { delimiter: ";", charset: "utf-16le" } });
    const text = Buffer.from("patient_id;family_name;sex\r\nP1;Okafor;F\r\n", "utf16le");
    const taken = await take(Buffer.concat([text, Buffer.from([0, 0x1a, 0])]), profile);
    expect(taken.summary).toMatchObject({ rows: 2, accepted: 1 });
    expect(kinds(taken)).not.toContain("CSV end");
  });

  it("comes after the trailer of control totals, and is itself no file", async () => {
    const profile = profileOf({ writing: { delimiter: ";" }, totals: { marker: "END", count: 2 } });
    const taken = await take(Buffer.concat([file("P1;Okafor;F", "END;1;"), Buffer.from("\x1a")]), profile);
    expect(taken.accepted).toBe(true);
    expect((await take(Buffer.from("\x1a"), semicolons)).summary).toMatchObject({ rows: 0, code: "CSV_EMPTY" });
  });
});

describe("a number that a spreadsheet has rounded", () => {
  const rounded = ["1.23457E+11", "1,23E+11", "1e+15"];

  it.each(rounded)("%s names nothing: the next one may look the same", async (number) => {
    const writing = { delimiter: "|" };
    const said: readonly [Profile, string, string, string][] = [
      [profileOf({ writing }), "patient_id", number, "patient_id"],
      [profileOf({ writing, rows: "visits" }), "visit|started_at|patient_id", `${number}|2026-01-05|P1`, "visit"],
      [profileOf({ writing, rows: "visits" }), "visit|started_at|patient_id", `V1|2026-01-05|${number}`, "patient_id"],
    ];
    for (const [profile, head, row, column] of said) {
      const taken = await take(lines(head, row), profile);
      expect(taken.rows[0]).toMatchObject({ code: "CSV_NUMBER_ROUNDED", location: `line 2 ${column}` });
    }
    const cells: Readonly<Record<string, string>> = {
      claim: "C1",
      status: "1",
      payer: "PLAN",
      provider: "1234567893",
      trace: "T1",
      paid_on: "2026-01-05",
      charge: "25.00",
      paid: "10.00",
      member: "M-77",
      payer_claim: "ICN1",
    };
    for (const column of ["claim", "payer", "provider", "trace", "member", "payer_claim"]) {
      const row = Object.entries({ ...cells, [column]: number }).map(([, cell]) => cell);
      const taken = await take(lines(Object.keys(cells).join("|"), row.join("|")), paymentProfile({ writing }));
      expect(taken.rows[0]).toMatchObject({ code: "CSV_NUMBER_ROUNDED", location: `line 2 ${column}` });
      expect(taken.units[0]?.events).toEqual([]);
    }
  });

  it("is left alone where it names nothing, and what only looks like it is a number like any other", async () => {
    const named = await take(lines("patient_id,family_name", `P1,${rounded[0]}`), profileOf({}));
    expect(named.units[0]?.events[0]?.sealed).toMatchObject({ familyName: rounded[0] });
    const taken = await take(lines("patient_id", "1E5", "4E12", "E+11", "12E+11", "1.2E+1", "+1E+11"), profileOf({}));
    expect(taken.summary.rejected).toBe(0);
  });
});

/** Cells of rows in which a spreadsheet's ways have no part, but for looking a little like them. */
const cell = fc.oneof(
  fc.string({ unit: fc.constantFrom("a", "é", ";", '"', "\n", " ", "\x1a", "1", "=", "E+11"), maxLength: 6 }),
  fc.constantFrom("sep=;", "1.2E+11", "\x1a", ""),
);
const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`;

it("nothing else changes: what a spreadsheet adds to a file changes no verdict, no event and no identity of its rows", async () => {
  const facts = ({ units }: Taken) =>
    units.map(({ verdict, events, identity, flags }) => ({ accepted: verdict.accepted, events, identity, flags }));
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.constantFrom("P1", "P2", "7", ""), cell, cell), { minLength: 1, maxLength: 6 }),
      fc.array(fc.nat({ max: 6 }), { maxLength: 4 }),
      fc.integer({ min: 1, max: 60 }),
      async (rows, blanks, chunk) => {
        const written = rows.map(([id, name, city]) => `${quoted(id)};${quoted(name)};${quoted(city)}`);
        const head = "patient_id;family_name;city";
        const plain = await take(lines(head, ...written), semicolons);
        // Without its additions every row is read to the letter, as it was written.
        const names = plain.units.filter(({ verdict }) => verdict.accepted).map(({ events }) => events[0]?.sealed);
        const wanted = rows.filter(([id]) => id !== "").map(([, name]) => ({ familyName: name.trim() || null }));
        expect(names).toMatchObject(wanted);
        const among = [...written];
        for (const at of blanks) among.splice(at, 0, ";".repeat(at));
        const bytes = Buffer.concat([lines("sep=;", head, ...among), Buffer.from("\x1a")]);
        const added = await take(bytes, semicolons, recordingIntake(), chunk);
        expect(facts(added)).toEqual(facts(plain));
        expect(added.summary).toMatchObject({ ...plain.summary, blank: blanks.length });
        expect(bytesOf(added.entries).equals(bytes)).toBe(true);
      },
    ),
    { numRuns: 150 },
  );
});
