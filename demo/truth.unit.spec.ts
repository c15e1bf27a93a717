import { describe, expect, it } from "vitest";
import { generateRegion } from "./region.js";
import { hospitals } from "./senders.js";

const region = generateRegion({ seed: "truth", patients: 600 });
const truth = region.truth();

/** "20260112081500-0500" or a stamp on the wall clock of the sender, as the truth writes it. */
function instant(stamp: string, hoursBehind: number): string | null {
  const parts = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)/.exec(stamp)?.slice(1).map(Number);
  if (parts === undefined) return null;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = parts;
  return new Date(Date.UTC(year, month - 1, day, hour + hoursBehind, minute, second))
    .toISOString()
    .replace(".000Z", "Z");
}

interface Told {
  readonly type: string;
  readonly at: string;
  readonly field: (segment: string, number: number) => string;
}

/** A second, naive reading of what a hospital sent: its accepted messages, once each, by the time of the event. */
function read(name: "north" | "south" | "practice"): Told[] {
  const behind = hospitals[name].zone === "UTC" ? 0 : 5;
  const seen = new Set<string>();
  const told: Told[] = [];
  for (const { bytes, expectation } of region.deliveries(name)) {
    const content = bytes.toString(hospitals[name].encoding === "utf8" ? "utf8" : "latin1");
    if (!expectation.accepted || seen.has(content)) continue;
    seen.add(content);
    const segments = content.split(/\r\n|\r|\n/).map((one) => one.split("|"));
    const field = (segment: string, number: number): string =>
      segments.find(([id]) => id === segment)?.[segment === "MSH" ? number - 1 : number] ?? "";
    told.push({
      type: field("MSH", 9).slice(0, 7),
      at: instant(field("EVN", 2) || field("MSH", 7), behind) ?? "",
      field,
    });
  }
  return told.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
}

const finals: Readonly<Record<string, string>> = {
  "ADT^A01": "in_progress",
  "ADT^A04": "in_progress",
  "ADT^A05": "pre_admitted",
  "ADT^A03": "finished",
  "ADT^A11": "cancelled",
  "ADT^A38": "cancelled",
  "ADT^A13": "in_progress",
};

describe("the truth", () => {
  it("is what the messages say of each visit when they are put in the order of their events", () => {
    const visits = new Map<
      string,
      {
        status: string;
        location: string | null;
        class: string | null;
        startedAt: string | null;
        endedAt: string | null;
      }
    >();
    const stays = new Map<string, string[]>();
    for (const name of ["north", "south", "practice"] as const)
      for (const { type, field } of read(name)) {
        const number = field("PV1", 19).split("^")[0];
        if (!number) continue;
        const key = `${hospitals[name].facility}|${number}`;
        const before = visits.get(key);
        const places = stays.get(key) ?? [];
        stays.set(key, places);
        if (/A0[1245]$/.test(type)) places.push(field("PV1", 3));
        else if (type === "ADT^A08") places.splice(-1, 1, field("PV1", 3));
        else if (type === "ADT^A12") places.pop();
        const behind = hospitals[name].zone === "UTC" ? 0 : 5;
        visits.set(key, {
          status: finals[type] ?? before?.status ?? "referenced",
          location: places.at(-1) ?? null,
          class: field("PV1", 2) || (before?.class ?? null),
          startedAt: instant(field("PV1", 44), behind) ?? before?.startedAt ?? null,
          endedAt: instant(field("PV1", 45), behind),
        });
      }
    expect(visits.size).toBe(truth.visits.length);
    for (const { visit, status, location, class: cls, startedAt, endedAt } of truth.visits)
      expect({ visit, ...visits.get(visit) }).toEqual({ visit, status, location, class: cls, startedAt, endedAt });
  });

  it("is what the messages say of each patient when they are put in the order of their events", () => {
    const patients = new Map<string, { family: string; birthDate: string | null; sex: string | null }>();
    const retired = new Map<string, string>();
    for (const name of ["north", "south", "practice"] as const) {
      const { facility } = hospitals[name];
      for (const { field } of read(name)) {
        const number = field("PID", 3)
          .split("~")
          .find((one) => one.includes(`^^^${facility}^MR`))
          ?.split("^")[0];
        if (number === undefined) continue;
        const key = `${facility}|MR|${number}`;
        const before = patients.get(key);
        const next = (value: string, known: string | null | undefined): string | null =>
          value === '""' ? null : value || (known ?? null);
        patients.set(key, {
          family: (field("PID", 5).split("^")[0] ?? "").replaceAll("\\T\\", "&"),
          birthDate: next(field("PID", 7), before?.birthDate),
          sex: next(field("PID", 8), before?.sex),
        });
        const old = field("MRG", 1).split("^")[0];
        if (old) retired.set(`${facility}|MR|${old}`, key);
      }
    }
    for (const row of truth.patients) {
      expect(retired.get(row.patient) ?? null).toBe(row.mergedInto);
      if (row.familyName === null) continue;
      const read = patients.get(row.patient);
      expect(read?.family).toBe(row.familyName);
      expect(read?.birthDate ?? null).toBe(row.birthDate?.replaceAll("-", "") ?? null);
      expect(read?.sex ?? null).toBe(row.sex);
    }
    expect(new Set([...patients.keys(), ...retired.keys()]).size).toBe(truth.patients.length);
  });

  it("has every patient in exactly one person, and merged patients beside their survivor", () => {
    const person = new Map<string, number>();
    truth.persons.forEach((members, index) => {
      for (const member of members) {
        expect(person.has(member)).toBe(false);
        person.set(member, index);
      }
    });
    expect(person.size).toBe(truth.patients.length);
    for (const row of truth.patients)
      if (row.mergedInto !== null) expect(person.get(row.patient)).toBe(person.get(row.mergedInto));
    for (const visit of truth.visits) expect(person.has(visit.patient)).toBe(true);
  });

  it("pays out exactly what its claims were paid, less what providers owe", () => {
    const payments = truth.remittances.reduce((sum, row) => sum + row.claims, 0);
    expect(truth.claims.reduce((sum, row) => sum + row.paid, 0)).toBe(payments);
    for (const row of truth.remittances) {
      expect(row.paid).toBe(row.claims - row.providerAdjustment + row.difference);
      expect(row.paid).toBeGreaterThanOrEqual(0);
      expect(row.balanced).toBe(row.difference === 0);
    }
  });

  it("has claims whose money agrees with their status", () => {
    for (const row of truth.claims) {
      expect(Number.isSafeInteger(row.paid)).toBe(true);
      if (row.status === "paid") expect(row.paid).toBeGreaterThan(0);
      else expect(row.paid, row.status).toBe(0);
      const settled = row.balanced === true && row.billed !== undefined && row.status !== "reversed";
      if (settled) expect(row.billed! - row.adjusted).toBe(row.paid);
    }
    for (const row of truth.claims) {
      if (row.lines === undefined) continue;
      const own = truth.claimLines.filter((line) => line.claim === row.claim);
      expect(own).toHaveLength(row.lines);
      expect(own.reduce((sum, line) => sum + line.charge, 0)).toBe(row.billed);
    }
  });
});
