import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ConnectorDefinition } from "../../engine/intake/connector.js";
import { TributaryError } from "../../engine/service/errors.js";
import { startConnectorBench } from "../../engine/testing/connector-bench.js";
import { recordingIntake } from "../../engine/testing/recording-intake.js";
import connector from "./connector.js";
import { profileSchema } from "./profile.js";
import { lines, payment, paymentHeader, paymentProfile, profileOf } from "./testing/rows.js";
import { bytesOf, take } from "./testing/take.js";

describe("control totals", () => {
  const totals = { marker: "TRAILER", count: 2, sums: [{ column: "paid", position: 3 }] };
  const file = (count: string, sum: string) =>
    lines(paymentHeader, payment("C1", "10.10"), payment("C2", "-3.05", "22"), `TRAILER,${count},${sum}`);

  it("that agree let the file in", async () => {
    const taken = await take(file("2", "7.05"), paymentProfile({ totals }));
    expect(taken.summary).toMatchObject({ rows: 2, accepted: 2 });
    expect(taken.summary.totals).toEqual([
      { name: "count", agrees: true },
      { name: "paid", agrees: true },
    ]);
    expect(taken.entries.map(({ format }) => format)).toContain("CSV trailer");
    expect((await take(file("000002", "7.05"), paymentProfile({ totals }))).summary).toMatchObject({ accepted: 2 });
  });

  it.each([
    ["a wrong count", "3", "7.05", "count"],
    ["a wrong sum", "2", "7.04", "paid"],
    ["a sum that is no amount", "2", "seven", "paid"],
  ])("with %s reject it whole: no row of it is a fact", async (_, count, sum, name) => {
    const taken = await take(file(count, sum), paymentProfile({ totals }));
    expect([taken.accepted, taken.summary.accepted, taken.summary.code]).toEqual([false, 0, "CSV_TOTALS"]);
    expect(taken.summary.location).toBe(`line 4 ${name}`);
    expect(taken.units.flatMap(({ events }) => events)).toEqual([]);
  });

  it.each([
    ["cut off", lines(paymentHeader, payment("C1"))],
    ["with a row after its trailer", lines(paymentHeader, "TRAILER,0,0", payment("C1"))],
  ])("reject a file that is %s", async (_, bytes) => {
    const taken = await take(bytes, paymentProfile({ totals }));
    expect([taken.summary.accepted, taken.summary.code]).toEqual([0, "CSV_TRAILER_MISSING"]);
  });

  it("only flag the rows where the partner's profile says so", async () => {
    const taken = await take(file("9", "7.05"), paymentProfile({ totals: { ...totals, mismatch: "flag" } }));
    expect([taken.summary.accepted, taken.summary.code]).toEqual([2, "CSV_TOTALS"]);
    expect(taken.units.every(({ flags }) => flags?.includes("CONTROL_TOTALS_DIFFER"))).toBe(true);
  });
});

describe("rows of one claim in one remittance", () => {
  const identities = (units: readonly { readonly identity?: unknown }[]) =>
    units.map(({ identity }) => JSON.stringify(identity));

  it("are so many payments as tell something else than the one before", async () => {
    const [pay, back, again] = [payment("C1", "10.00"), payment("C1", "-10.00", "22"), payment("C1", "10.00")];
    const taken = await take(
      lines(paymentHeader, pay, pay, back, again, payment("C1", "10.00", "1", "T2")),
      paymentProfile(),
    );
    const occurrences = taken.units.map(({ events }) => events[0]?.fields);
    expect(occurrences).toMatchObject([1, 1, 2, 3, 1].map((occurrence) => ({ occurrence })));
    expect(taken.rows.map(({ duplicate }) => duplicate === true)).toEqual([false, true, false, false, false]);
  });

  it("have the same identities when the file comes again, and others when one row differs", async () => {
    const bytes = lines(paymentHeader, payment("C1"), payment("C1", "-10.00", "22"));
    const [first, again] = [await take(bytes, paymentProfile()), await take(bytes, paymentProfile())];
    expect(identities(again.units)).toEqual(identities(first.units));
    expect(again.rows).toEqual(first.rows);
    const other = await take(lines(paymentHeader, payment("C1", "11.00")), paymentProfile());
    expect(other.units[0]?.identity?.resource).toEqual(first.units[0]?.identity?.resource);
    expect(identities(other.units)[0]).not.toBe(identities(first.units)[0]);
  });
});

it("payments say the currency that the partner's profile names, beside what makes them the same ones", async () => {
  const told = async (amounts: object) => {
    const { units } = await take(lines(paymentHeader, payment("C1")), paymentProfile({ amounts }));
    const fields = units[0]?.events[0]?.fields as { currency?: string | null; contentHash?: string } | undefined;
    return [fields?.currency, fields?.contentHash];
  };
  const [named, unnamed] = [await told({ currencyCode: "CAD" }), await told({})];
  expect([named[0], unnamed[0]]).toEqual(["CAD", null]);
  expect(named[1]).toBe(unnamed[1]);
});

describe("a last row without a line end", () => {
  const header = "patient_id,family_name,sex";
  const cut = (text: string) => Buffer.from(`${header}\r\nP1,Okafor,F\r\n${text}`);
  const told = async (bytes: Buffer, profile = profileOf({})) => {
    const { units, summary, rows } = await take(bytes, profile);
    const codes = rows.map(({ accepted, code }) => accepted || code);
    return {
      codes,
      flags: units.map(({ flags }) => flags?.includes("NO_LINE_END") === true),
      unended: summary.unended,
    };
  };

  it("is a row like any other, and flagged: the file may be cut off in its last value", async () => {
    expect(await told(cut("P2,Berg,M"))).toEqual({ codes: [true, true], flags: [false, true], unended: true });
    expect(await told(cut("P2,Be"))).toEqual({ codes: [true, "CSV_ROW_WIDTH"], flags: [false, true], unended: true });
  });

  it.each([
    ["its line end", "P2,Berg,M\n"],
    ["a line end and blank lines", "P2,Berg,M\n\n,,"],
    ["Ctrl-Z, which says that the file ends there", "P2,Berg,M\x1a"],
  ])("is none where it has %s", async (_, text) => {
    expect(await told(cut(text))).toEqual({ codes: [true, true], flags: [false, false], unended: undefined });
  });

  it("is rejected where the partner ends every row, and comes again with the whole file", async () => {
    const profile = profileOf({ writing: { lastRow: "ended" } });
    expect((await told(cut("P2,Berg,M"), profile)).codes).toEqual([true, "CSV_ROW_UNENDED"]);
    expect((await told(cut("P2,Berg,M\n"), profile)).codes).toEqual([true, true]);
  });
});

describe("a quote in a line that is no row", () => {
  const rows = lines("patient_id,family_name,sex", "P1,Okafor,F", "P2,Berg,M");
  const told = async (text: string, writing: object, chunk?: number) => {
    const bytes = Buffer.concat([Buffer.from(text), rows]);
    const taken = await take(bytes, profileOf({ writing }), recordingIntake(), chunk);
    expect(bytesOf(taken.entries).equals(bytes)).toBe(true);
    return [taken.summary.accepted, taken.summary.rejected, taken.accepted];
  };

  it.each([1, 5, 1_000])(
    "ends with it, so no row is lost in a comment, however the bytes arrive: %s",
    async (chunk) => {
      const writing = { comment: "//" };
      expect(await told('// by Bob,"v2\r\n', writing, chunk)).toEqual([2, 0, true]);
      expect(await told('// a,"\r\n// b,"\n//\r\n', writing, chunk)).toEqual([2, 0, true]);
      expect(await told('"Report\r\nof,"it\n', { skipLines: 2 }, chunk)).toEqual([2, 0, true]);
    },
  );

  it("is read as one in a row that begins like a comment and is none", async () => {
    const bytes = lines("patient_id,family_name,sex", 'P1,"Okafor, Ada",F', "/P2,Berg,M");
    const { summary } = await take(bytes, profileOf({ writing: { comment: "//" } }));
    expect(summary).toMatchObject({ accepted: 2, rejected: 0 });
  });

  it("is no reason to take a comment over the limit for one: what follows is not read, and rejected", async () => {
    const writing = { comment: "#", rowLimit: 100 };
    const bytes = Buffer.concat([rows, Buffer.from(`#${"x".repeat(300)}\r\n`), lines("P3,Chan,F")]);
    const { summary, accepted } = await take(bytes, profileOf({ writing }), recordingIntake(), 50);
    expect([summary.accepted, summary.rejected, accepted]).toEqual([2, 1, false]);
  });
});

describe("lines that say nothing", () => {
  it("are a record of the log many together, none lost, however many there are and however they arrive", async () => {
    const profile = profileOf({ writing: { comment: "#" } });
    const many = ["\n".repeat(300_000), "#\r\n".repeat(5_000), ",,\n".repeat(10)].join("");
    const bytes = Buffer.from(`patient_id,family_name,sex\n${many}P1,Okafor,F\n\n\nP2,Berg,M\n\n`);
    for (const chunk of [bytes.length, 65_536]) {
      const { entries, summary, rows } = await take(bytes, profile, recordingIntake(), chunk);
      expect(entries.map(({ format }) => format)).toEqual([
        ...["CSV header", "CSV blank", "CSV blank", "CSV comment", "CSV blank"],
        ...["CSV patients", "CSV blank", "CSV patients", "CSV blank", "CSV"],
      ]);
      expect(summary).toMatchObject({ rows: 2, accepted: 2, blank: 300_013 });
      expect(rows.map(({ line }) => line)).toEqual([305_012, 305_015]);
      expect(bytesOf(entries).equals(bytes)).toBe(true);
      expect(entries.slice(0, -1).map(({ transport }) => transport?.ordinal)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    }
  });
});

describe("a profile", () => {
  it("may do without a header, count columns, skip lines and comments, and have its own words for nothing", async () => {
    const profile = profileOf({
      writing: { header: false, delimiter: "|", skipLines: 1, comment: "#", empty: ["NULL"] },
      identifiers: [{ column: 2 }],
      columns: { familyName: 1, sex: { column: 3, values: { "1": "M", "2": "F" } }, city: 4 },
    });
    const bytes = lines("Report of 2026", "# a comment", "Okafor|P1|2|NULL", "", "Berg|P2|1|Boston");
    const taken = await take(bytes, profile);
    expect(taken.rows.map(({ line, accepted }) => [line, accepted])).toEqual([
      [3, true],
      [5, true],
    ]);
    expect(taken.units.map(({ events }) => events[0]?.sealed)).toMatchObject([
      { familyName: "Okafor", address: null },
      { familyName: "Berg", address: "Boston" },
    ]);
    expect(taken.units.map(({ events }) => events[0]?.fields)).toMatchObject([{ sex: "F" }, { sex: "M" }]);
    expect(bytesOf(taken.entries).equals(bytes)).toBe(true);
  });

  it("with names of columns and no header is refused", () => {
    const said = profileSchema.safeParse({ writing: { header: false }, identifiers: [{ column: "id" }] });
    expect(said.error?.issues[0]?.message).toBe("without a header columns are positions");
  });

  it("that names a column makes the file do so: a renamed one never empties its field in silence", async () => {
    const profile = profileOf({ columns: { familyName: "surname", sex: { column: "sex", required: false } } });
    const renamed = await take(lines("patient_id,lastname", "P1,Okafor"), profile);
    expect(renamed.summary).toMatchObject({ code: "CSV_COLUMN_MISSING", location: "surname", accepted: 0 });
    const aliased = await take(lines("patient_id,surname", "P1,Okafor"), profile);
    expect(aliased.summary.accepted).toBe(1);
  });

  it("meets a column that stands twice with a refusal: which one counts can't be known", async () => {
    const taken = await take(lines("patient_id,sex,SEX", "P1,F,M"), profileOf({}));
    expect(taken.summary).toMatchObject({ code: "CSV_COLUMN_TWICE", accepted: 0 });
  });

  it("with a table of values refuses one that isn't in it", async () => {
    const profile = profileOf({ columns: { sex: { column: "sex", values: { f: "F" } } } });
    const taken = await take(lines("patient_id,sex", "P1,f", "P2,x"), profile);
    expect(taken.rows.map(({ code, location }) => [code, location])).toEqual([
      [undefined, undefined],
      ["CSV_VALUE_UNKNOWN", "line 3 sex"],
    ]);
    expect(taken.rejected).toBe('line,column,code,row\r\n3,sex,CSV_VALUE_UNKNOWN,"P2,x"\r\n');
  });
});

describe("the journal", () => {
  it("has the last word: what it refuses is told, and what it can't take is no answer at all", async () => {
    const intake = recordingIntake();
    intake.refusal = { accepted: false, code: "UNIT_TOO_LARGE" };
    const taken = await take(lines("patient_id", "P1"), profileOf({}), intake);
    expect(taken.rows[0]).toMatchObject({ accepted: false, code: "UNIT_TOO_LARGE", location: "line 2" });
    intake.beforeSubmit = () => Promise.reject(new TributaryError("TRIB_INTAKE_UNAVAILABLE"));
    await expect(take(lines("patient_id", "P1"), profileOf({}), intake)).rejects.toThrow(TributaryError);
  });
});

/** Changes some bytes of a file: takes some out, puts others in. */
const changes = fc.array(
  fc.record({
    at: fc.nat({ max: 2_000 }),
    out: fc.nat({ max: 40 }),
    put: fc.oneof(
      fc.constantFrom('"', ",", "\r\n", "\n", "\r", "\0", "\uFEFF", "é", "-", "'").map((text) => Buffer.from(text)),
      fc.uint8Array({ maxLength: 12 }).map((bytes) => Buffer.from(bytes)),
    ),
  }),
  { minLength: 1, maxLength: 6 },
);

describe("a damaged file", () => {
  const good = lines(paymentHeader, ...Array.from({ length: 12 }, (_, at) => payment(`C${at}`, `${at}.10`)));

  it("is answered row by row, kept to the byte, and makes only whole facts", async () => {
    await fc.assert(
      fc.asyncProperty(changes, fc.integer({ min: 7, max: 3_000 }), async (many, chunk) => {
        let bytes = good;
        for (const { at, out, put } of many)
          bytes = Buffer.concat([bytes.subarray(0, at), put, bytes.subarray(at + out)]);
        const taken = await take(bytes, paymentProfile(), recordingIntake(), chunk);
        expect(bytesOf(taken.entries).equals(bytes)).toBe(true);
        expect(taken.rows).toHaveLength(taken.units.length);
        expect(taken.rows.filter(({ accepted }) => accepted)).toHaveLength(taken.summary.accepted);
        for (const { code, location, accepted } of taken.rows) expect(accepted || (code && location)).toBeTruthy();
        for (const { verdict, events } of taken.units) expect(events.length).toBe(verdict.accepted ? 1 : 0);
        expect(taken.entries.at(-1)).toMatchObject({ entry: "CLOSING", closing: { bytes: bytes.length } });
      }),
      { numRuns: 150 },
    );
  });

  it("is answered over HTTP, and the next file is taken as if nothing had been", async () => {
    const bench = await startConnectorBench(connector as unknown as ConnectorDefinition<unknown>);
    const next = lines("patient_id,family_name", "P1,Okafor");
    try {
      await fc.assert(
        fc.asyncProperty(changes, async (many) => {
          let bytes = Buffer.from('patient_id,family_name,sex\r\nP1,Okafor,F\r\nP2,"Berg, jr",M\r\n');
          for (const { at, out, put } of many) {
            bytes = Buffer.concat([bytes.subarray(0, at % 60), put, bytes.subarray((at % 60) + out)]);
          }
          const answered = await bench.send(bytes);
          expect(answered.length).toBeGreaterThan(0);
          expect(await bench.send(next)).toMatchObject([{ index: 0, controlId: "P1", accepted: true, answer: "200" }]);
        }),
        { numRuns: 30 },
      );
    } finally {
      await bench.close();
    }
  });
});
