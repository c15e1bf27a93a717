import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { generateRegion, type Region } from "./region.js";
import { hospitals } from "./senders.js";

const region = generateRegion({ seed: "region" });
const truth = region.truth();

function bytesHash(of: Region): string {
  const hash = createHash("sha256");
  for (const sender of of.senderNames) for (const { bytes } of of.deliveries(sender)) hash.update(bytes).update("\0");
  return hash.digest("hex");
}

const small = (seed: string): Region => generateRegion({ seed, patients: 150 });
const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);

describe("a region", () => {
  it("is the same bytes and the same truth for the same seed, and others for another", () => {
    expect(bytesHash(small("a"))).toBe(bytesHash(small("a")));
    expect(bytesHash(small("b"))).not.toBe(bytesHash(small("a")));
    expect(small("a").truth()).toEqual(small("a").truth());
    // Pinned, so that a machine or a version of Node that makes other bytes is noticed.
    expect(bytesHash(small("pinned")).slice(0, 16)).toMatchInlineSnapshot(`"1bd2ebe3f3ebd568"`);
  });

  it("does not depend on what is asked for first, nor on asking twice", () => {
    const one = small("order");
    one.truth();
    [...one.deliveries("insurer")];
    expect(bytesHash(one)).toBe(bytesHash(small("order")));
  });

  it("has about 20,000 units by default", () => {
    expect(truth.counts.units).toBeGreaterThan(18_000);
    expect(truth.counts.units).toBeLessThan(22_500);
    expect(truth.patients.length).toBeGreaterThan(2_000);
  });

  it("counts as many refused and accepted units as it delivers", () => {
    let units = 0;
    let claims = 0;
    for (const sender of region.senderNames)
      for (const { bytes, protocol, expectation } of region.deliveries(sender)) {
        units += expectation.units;
        if (protocol === "mllp") expect(expectation.units).toBe(1);
        const told = bytes.toString("latin1").match(/~\n?(CLM|CLP|BPR)\*/g)?.length ?? 0;
        if (expectation.answer.startsWith("TA1")) expect(expectation.enclosed).toBe(told);
        else if (protocol === "x12" && told > 0) expect(expectation.units).toBe(told);
        claims += told;
      }
    expect(claims).toBeGreaterThan(3_500);
    expect(units).toBe(truth.counts.units);
    expect(truth.counts.accepted + sum(Object.values(truth.counts.rejectedByCode))).toBe(units);
  });

  it("refuses options that make no sense", () => {
    expect(() => generateRegion({ seed: "x", patients: 0 })).toThrow(/patients must be a whole number of at least 1/);
    expect(() => generateRegion({ seed: "x", from: "12.1.2026" })).toThrow(/from must be a day/);
  });

  it("gives numbers of their own to regions that are played into one engine", () => {
    const [one, other] = [0, 1000].map((firstNumber) => generateRegion({ seed: "s", patients: 50, firstNumber }));
    const idsOf = (region = one) =>
      (["north", "south", "practice"] as const).flatMap((sender) =>
        [...(region?.deliveries(sender) ?? [])].flatMap(({ bytes }) => {
          const id = bytes
            .toString("latin1")
            .split(/[\r\n]/)[0]
            ?.split("|")[9];
          return id ? [`${sender} ${id}`] : [];
        }),
      );
    const ids = new Set(idsOf(one));
    expect(ids.size).toBeGreaterThan(300);
    expect(idsOf(other).filter((id) => ids.has(id))).toEqual([]);
    const [first, second] = [one!.truth(), other!.truth()];
    const names = new Set([
      ...first.patients.map((p) => p.patient),
      ...first.claims.map((c) => c.claim),
      ...first.visits.map((v) => v.visit),
      ...first.remittances.map((r) => r.trace),
      ...first.patientIdentifiers.map((i) => `${i.authority}|${i.type}|${i.value}`),
    ]);
    for (const { patient } of second.patients) expect(names.has(patient)).toBe(false);
    for (const { claim } of second.claims) expect(names.has(claim)).toBe(false);
    for (const { visit } of second.visits) expect(names.has(visit)).toBe(false);
    for (const { trace } of second.remittances) expect(names.has(trace)).toBe(false);
    for (const { authority, type, value } of second.patientIdentifiers)
      expect(names.has(`${authority}|${type}|${value}`)).toBe(false);
  });
});

describe("what goes wrong in it", () => {
  const kinds = new Map<string, number>();
  const count = (kind: string): void => void kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  for (const sender of region.senderNames) {
    const seen = new Set<string>();
    const ids = new Map<string, string>();
    const ended = new Map<string, string>();
    const started = new Set<string>();
    for (const { bytes, protocol, expectation } of region.deliveries(sender)) {
      const content = bytes.toString("latin1");
      const again = seen.has(content);
      seen.add(content);
      expect(expectation.resend).toBe(again);
      if (again) count(`${protocol} resent`);
      if (!expectation.accepted) count(`${expectation.answer} ${expectation.code}`);
      if (protocol === "x12") {
        for (const clm of content.matchAll(/CLM\*\w+\*[^~]*?[:>]B[:>](\d)/g)) count(`frequency ${clm[1]}`);
        for (const clp of content.matchAll(/CLP\*\w+\*(\d+)/g)) count(`CLP02 ${clp[1]}`);
        for (const plb of content.matchAll(/PLB\*\d+\*\d+\*(..)/g)) count(`PLB ${plb[1]}`);
        continue;
      }
      const segments = content.split(/\r\n|\r|\n/).map((segment) => segment.split("|"));
      const [msh = []] = segments;
      const id = msh[9] ?? "";
      if (expectation.accepted && !again && ids.has(id)) {
        expect(expectation.reusedId).toBe(true);
        count("control id reused");
      }
      if (id !== "") ids.set(id, content);
      if (!expectation.accepted) continue;
      const type = (msh[8] ?? "").split("^").slice(0, 2).join("^");
      count(type);
      const visit = segments.find(([name]) => name === "PV1")?.[19] ?? "";
      const at = segments.find(([name]) => name === "EVN")?.[2]?.slice(0, 14) ?? "";
      if (type === "ADT^A03") {
        if (!started.has(visit)) count("A03 before A01 or A04");
        ended.set(visit, at);
      }
      if (type === "ADT^A01" || type === "ADT^A04") started.add(visit);
      if (type === "ADT^A08" && at < (ended.get(visit) ?? "")) count("A08 after the later A03");
      if (content.includes('|""|')) count("cleared field");
    }
  }

  it.each([
    ["mllp resent", 150],
    ["x12 resent", 3],
    ["control id reused", 50],
    ["A08 after the later A03", 50],
    ["A03 before A01 or A04", 15],
    ["cleared field", 50],
    ["ADT^A01", 300],
    ["ADT^A02", 200],
    ["ADT^A03", 2000],
    ["ADT^A04", 1500],
    ["ADT^A05", 100],
    ["ADT^A08", 300],
    ["ADT^A11", 50],
    ["ADT^A12", 40],
    ["ADT^A13", 40],
    ["ADT^A18", 10],
    ["ADT^A28", 300],
    ["ADT^A31", 150],
    ["ADT^A34", 10],
    ["ADT^A38", 25],
    ["ADT^A40", 25],
    ["ORU^R01", 1000],
    ["DFT^P03", 300],
    ["MFN^M02", 5],
    ["AR 101", 20],
    ["AE 101", 10],
    ["AE 102", 10],
    ["AE 100", 10],
    ["AR 201", 10],
    ["999:R,A 999", 1],
    ["999:R 999", 1],
    ["TA1:R:025 025", 3],
    ["TA1:R:001 001", 1],
    ["TA1:R:023 023", 1],
    ["none unreadable", 1],
    ["frequency 7", 40],
    ["frequency 8", 15],
    ["CLP02 4", 50],
    ["CLP02 22", 100],
    ["PLB FB", 2],
    ["PLB L6", 1],
    ["PLB WO", 1],
  ])("%s happens at least %i times", (kind, least) => {
    expect(kinds.get(kind) ?? 0).toBeGreaterThanOrEqual(least);
  });

  it("has merges in chains, of records never seen, and persons known in several places", () => {
    const into = new Map(truth.patients.map((row) => [row.patient, row.mergedInto]));
    const chained = truth.patients.filter((row) => row.mergedInto !== null && into.get(row.mergedInto) != null);
    expect(chained.length).toBeGreaterThan(5);
    expect(truth.patients.filter((row) => row.status === "merged" && row.familyName === null).length).toBeGreaterThan(
      5,
    );
    const places = (person: readonly string[]): number => new Set(person.map((name) => name.split("|")[0])).size;
    expect(truth.persons.filter((person) => places(person) === 3).length).toBeGreaterThan(50);
    expect(truth.persons.filter((person) => places(person) === 2).length).toBeGreaterThan(200);
  });

  it("has claims at every end, and remittances that do not balance", () => {
    for (const status of ["paid", "adjudicated", "denied", "reversed", "replaced", "submitted"])
      expect(truth.claims.filter((row) => row.status === status).length, status).toBeGreaterThan(20);
    expect(truth.claims.filter((row) => row.balanced === false).length).toBeGreaterThan(5);
    expect(truth.claims.filter((row) => row.billed === undefined).length).toBeGreaterThan(3);
    expect(truth.remittances.filter((row) => !row.balanced).length).toBeGreaterThan(1);
    for (const status of ["pre_admitted", "in_progress", "finished", "cancelled", "referenced"])
      expect(truth.visits.filter((row) => row.status === status).length, status).toBeGreaterThan(20);
  });
});

describe("its messages", () => {
  it("have a median of at least 700 bytes at each sender, in the sender's character set, ends and zone", () => {
    for (const name of ["north", "south", "practice"] as const) {
      const all = [...region.deliveries(name)];
      const sizes = all.map((one) => one.bytes.length).sort((a, b) => a - b);
      expect(sizes[sizes.length >> 1]).toBeGreaterThanOrEqual(700);
      const foreign = all.filter((one) => one.bytes.some((byte) => byte > 127)).length;
      if (name === "practice") expect(foreign).toBe(0);
      else expect(foreign).toBeGreaterThan(500);
      const whole = all.filter((one) => one.expectation.accepted).map((one) => one.bytes.toString("latin1"));
      const { terminator, offset, facility } = hospitals[name];
      for (const message of whole) {
        expect(message.endsWith(terminator)).toBe(true);
        expect(message.replaceAll(terminator, "")).not.toMatch(/[\r\n]/);
        expect(message).not.toContain("?");
        expect(message.split("|")[3]).toBe(facility);
        expect(/\|20\d{12}-0500\|/.test(message)).toBe(offset);
      }
    }
  });

  it("put the visit's number, ends and disposition where PV1 has them", () => {
    const [delivery] = [...region.deliveries("north")].filter((one) => one.bytes.includes("ADT^A03"));
    const pv1 =
      delivery?.bytes
        .toString("utf8")
        .split("\r")
        .find((one) => one.startsWith("PV1|"))
        ?.split("|") ?? [];
    expect(pv1[19]).toMatch(/^V\d{6}\^\^\^NORTH\^VN$/);
    expect(pv1[36]).toBe("01");
    expect(pv1[44]).toMatch(/^\d{14}-0500$/);
    expect(pv1[45]).toMatch(/^\d{14}-0500$/);
    expect(pv1).toHaveLength(46);
  });

  it("escape a delimiter that is part of a name", () => {
    const escaped = [...region.deliveries("south")].filter((one) => one.bytes.includes("Smith \\T\\ Wells"));
    expect(escaped.length).toBeGreaterThan(10);
    expect(truth.patients.some((row) => row.familyName === "Smith & Wells")).toBe(true);
  });
});
