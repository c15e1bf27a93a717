import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type Puller, startPulling } from "./pull.js";
import { testDesk } from "./testing/desk.js";
import { HistoryServer } from "./testing/history-server.js";

let server: HistoryServer;
let inbox: string;
let pullers: Puller[];
beforeEach(() => {
  server = new HistoryServer();
  inbox = mkdtempSync(join(tmpdir(), "tributary-history-"));
  pullers = [];
});
afterEach(async () => {
  await Promise.all(pullers.map((puller) => puller.close()));
  await server.stop();
  rmSync(inbox, { recursive: true, force: true });
});

/** On a machine that does much else too. */
const until = (check: () => void) => vi.waitFor(check, 5_000);

const second = (number: number) => `2026-03-01T10:00:${String(number).padStart(2, "0")}.000Z`;

async function pulling(pull: object = {}, logger = pino({ level: "silent" })) {
  const base = await server.start();
  const test = testDesk({ pull: { base, everySeconds: 0.05, count: 3, types: ["Patient"], ...pull } });
  const limits = { lineLimit: 1_000_000, pageLimit: 1_000_000, answerWithin: 2_000, pauses: [20, 1_000] as const };
  const start = () => {
    const puller = startPulling(test.desk, {
      ...{ inbox, logger, credentials: String, ...limits },
    });
    pullers.push(puller);
    return puller;
  };
  const units = () => test.intake.units.filter(({ entry }) => entry === "UNIT");
  const told = () =>
    units().map(({ bytes }) => {
      const { resource, request } = JSON.parse(Buffer.from(bytes).toString("utf8"));
      return resource ? `${resource.id}/${resource.meta.versionId}` : `${request.method} ${request.url}`;
    });
  /** What the ledger publishes: the first of each identity that holds for ever. */
  const facts = () => {
    const seen = new Set<string>();
    return told().filter((_name, index) => {
      const { rule, parts } = units()[index]!.identity!;
      expect(rule).toBe("EVERY");
      const key = JSON.stringify(parts);
      return !seen.has(key) && seen.add(key);
    });
  };
  const whenQuiet = async () => {
    const polls = () => server.asked.filter((path) => path.includes("_since") || path.includes("_lastUpdated=")).length;
    const before = polls();
    await until(() => expect(polls()).toBeGreaterThan(before + 2));
  };
  return { ...test, start, units, told, facts, whenQuiet };
}

describe("a server that keeps histories", () => {
  it("is read version by version from the oldest, over all pages, and later only what is new", async () => {
    for (let number = 1; number <= 7; number++)
      server.write("Patient", `p${number % 3}`, second(number), { gender: "male" });
    const { start, told, whenQuiet } = await pulling();
    start();
    await until(() => expect(told()).toEqual(["p1/1", "p2/1", "p0/1", "p1/2", "p2/2", "p0/2", "p1/3"]));
    server.write("Patient", "p9", second(20), { gender: "female" });
    await until(() => expect(told().at(-1)).toBe("p9/1"));
    await whenQuiet();
    // What is read again, since each time begins a minute earlier, is not journalled again.
    expect(told()).toHaveLength(8);
    expect(server.asked.filter((path) => !path.includes("_history")).every((path) => path === "/metadata")).toBe(true);
    expect(server.asked.at(-1)).toContain("_since=2026-03-01T09:59:20.000Z");
  });

  it("gives versions of one instant in their order, also on both sides of a page's border", async () => {
    server.write("Patient", "a", second(1), { gender: "male" });
    for (let version = 1; version <= 8; version++) server.write("Patient", version % 2 ? "b" : "c", second(2), {});
    server.write("Patient", "d", second(3), {});
    const { start, told } = await pulling();
    start();
    await until(() => expect(told()).toHaveLength(10));
    expect(told()[0]).toBe("a/1");
    expect(told().at(-1)).toBe("d/1");
    for (const id of ["b", "c"]) {
      expect(told().filter((name) => name.startsWith(id))).toEqual([1, 2, 3, 4].map((version) => `${id}/${version}`));
    }
  });

  it("takes what becomes visible later than its time says, within the overlap", async () => {
    server.write("Patient", "a", second(30), {});
    const { start, told } = await pulling();
    start();
    await until(() => expect(told()).toEqual(["a/1"]));
    server.write("Patient", "late", second(10), {});
    await until(() => expect(told()).toEqual(["a/1", "late/1"]));
  });

  it("that gives everything each time is not journalled each time", async () => {
    for (let number = 0; number < 8; number++)
      server.write("Patient", `p${number}`, new Date(Date.UTC(2026, 2, 1 + number)).toISOString(), {});
    server.forgetful = true;
    const { start, told, whenQuiet } = await pulling();
    start();
    await until(() => expect(told()).toHaveLength(8));
    await whenQuiet();
    expect(told()).toHaveLength(8);
  });

  it("tells deletions: a visit is called off, a patient is kept and flagged", async () => {
    server.write("Patient", "p", second(1), {});
    server.write("Patient", "p", second(2), undefined);
    server.write("Encounter", "e", second(3), { status: "in-progress", class: { code: "IMP" } });
    server.write("Encounter", "e", second(4), undefined);
    server.write("Encounter", "e", second(5), { status: "in-progress", class: { code: "IMP" } });
    const { start, told, units, intake } = await pulling({ types: ["Patient", "Encounter"] });
    start();
    await until(() => expect(told()).toHaveLength(5));
    const [, gone, begun, deleted, again] = units();
    expect(gone).toMatchObject({
      format: "Patient",
      verdict: { accepted: true },
      events: [],
      flags: ["DELETED_AT_SOURCE"],
    });
    expect(gone!.sealFor).toEqual(units()[0]!.sealFor);
    expect(deleted).toMatchObject({
      flags: ["DELETED_AT_SOURCE"],
      controlId: { scope: ["generic", "Encounter", "2"] },
    });
    expect(deleted!.events).toMatchObject([
      {
        type: "VisitCancelled",
        subject: begun!.events[0]!.subject,
        time: Date.parse(second(4)),
        fields: { cancels: "VISIT" },
      },
    ]);
    expect(again!.events.map(({ type }) => type)).toEqual(["VisitStarted"]);
    expect(intake.units.every(({ verdict }) => verdict.accepted)).toBe(true);
  });

  it("is read on from where it was when it or we start again, and no fact is told twice or out of order", async () => {
    for (let number = 1; number <= 23; number++)
      server.write("Patient", `p${number % 4}`, second(Math.ceil(number / 2)), { active: true });
    const of = (patient: number, names: readonly string[]) => names.filter((name) => name.startsWith(`p${patient}/`));
    const wanted = server.versions.map(({ id, version }) => `${id}/${version}`);
    const { start, intake, facts, told, whenQuiet } = await pulling({ overlapSeconds: 1 });
    // The server goes away in the middle of its pages, and comes again.
    let pages = 0;
    server.before = async (path) => {
      if (path.includes("_history") && ++pages === 4) await server.stop();
    };
    const first = start();
    await until(() => expect(pages).toBe(4));
    await server.start();
    // We end once the journal has a part, before the cursor knows: nothing of the process goes on.
    const journalled = intake.submit.bind(intake);
    let submitted = 0;
    const stuck: (() => void)[] = [];
    intake.submit = async (units) => {
      const verdicts = await journalled(units);
      submitted += units.length;
      if (submitted > 8 && stuck.length === 0) await new Promise<void>((resolve) => stuck.push(resolve));
      return verdicts;
    };
    await until(() => expect(stuck).toHaveLength(1));
    const before = told().length;
    expect(before).toBeGreaterThan(3);
    pullers.splice(pullers.indexOf(first), 1);
    start();
    await until(() => expect(facts()).toHaveLength(wanted.length));
    for (let patient = 0; patient < 4; patient++) expect(of(patient, facts())).toEqual(of(patient, wanted));
    // It was read again from the cursor, not from the beginning.
    expect(told().length - wanted.length).toBeLessThanOrEqual(6);
    const { length } = told();
    await whenQuiet();
    expect(told()).toHaveLength(length);
    expect(readFileSync(join(inbox, "generic/cursor.json"), "utf8")).toContain(second(12));
    const closing = first.close();
    stuck[0]!();
    await closing;
  });
});

describe("a history", () => {
  const wanted = ["p1/1", "p2/1", "p0/1", "p1/2", "p2/2", "p0/2", "p1/3"];
  const writeSeven = () => {
    for (let number = 1; number <= 7; number++) server.write("Patient", `p${number % 3}`, second(number), {});
  };
  const histories = () => server.asked.filter((path) => path.includes("_history"));

  it("that the server sorts when asked to is taken page by page: the first before the last is read", async () => {
    writeSeven();
    server.sorting = "done";
    const { start, told } = await pulling();
    const first: string[][] = [];
    server.before = async (path) => {
      if (!path.includes("from=6") || first.length > 0) return;
      await until(() => expect(told().length).toBeGreaterThan(0));
      first.push(told());
    };
    start();
    await until(() => expect(told()).toEqual(wanted));
    expect(first[0]).toEqual(wanted.slice(0, first[0]!.length));
    server.write("Patient", "p9", second(20), {});
    await until(() => expect(told().at(-1)).toBe("p9/1"));
    expect(histories().every((path) => path.includes("_sort=_lastUpdated"))).toBe(true);
  });

  it.each(["overlooked", "refused", "claimed"] as const)(
    "whose order is %s comes in its order all the same, and is not asked for so again",
    async (sorting) => {
      writeSeven();
      server.sorting = sorting;
      const { start, told, whenQuiet } = await pulling();
      start();
      await until(() => expect(told()).toEqual(wanted));
      await whenQuiet();
      expect(told()).toEqual(wanted);
      expect(histories().filter((path) => path.includes("_sort"))).toHaveLength(1);
    },
  );

  it("of which an older version comes after newer ones were taken is read once more: none is passed over", async () => {
    for (const [index, at] of [5, 6, 7, 1].entries()) server.write("Patient", `p${index}`, second(at), {});
    server.sorting = "claimed as written";
    const { start, facts, told, whenQuiet } = await pulling({ overlapSeconds: 0 });
    start();
    await until(() => expect([...facts()].sort()).toEqual(["p0/1", "p1/1", "p2/1", "p3/1"]));
    const { length } = told();
    await whenQuiet();
    expect(told()).toHaveLength(length);
  });

  it("larger than may wait is not begun, and says so; one from a later time is taken", async () => {
    const div = `<div xmlns="http://www.w3.org/1999/xhtml">${"x".repeat(200_000)}</div>`;
    for (let number = 1; number <= 6; number++)
      server.write("Patient", `p${number}`, second(number), { text: { status: "generated", div } });
    const said: string[] = [];
    const logger = pino({ level: "warn" }, { write: (line: string) => said.push(line) });
    const tight = await pulling({ historyLimit: 1_000_000 }, logger);
    const puller = tight.start();
    await until(() => expect(said.join()).toContain("TRIB_RECEPTION_HISTORY_TOO_LARGE"));
    await puller.close();
    expect(tight.told()).toEqual([]);
    await server.stop();
    const later = await pulling({ historyLimit: 1_000_000, from: second(5) });
    later.start();
    await until(() => expect(later.told()).toEqual(["p5/1", "p6/1"]));
    expect(histories().at(-1)).toContain("_since=");
  });
});

describe("a server without histories", () => {
  it.each([
    ["says so", ["Encounter"]],
    ["has no CapabilityStatement", undefined],
  ])("that %s is searched", async (_what, histories) => {
    server.histories = histories;
    server.write("Patient", "a", second(1), {});
    for (let number = 0; number < 5; number++) server.write("Patient", `b${number}`, second(2), {});
    const { start, told, whenQuiet } = await pulling();
    start();
    await until(() => expect([...told()].sort()).toEqual(["a/1", "b0/1", "b1/1", "b2/1", "b3/1", "b4/1"]));
    server.write("Patient", "a", second(3), { active: true });
    await until(() => expect(told().at(-1)).toBe("a/2"));
    await whenQuiet();
    expect(told()).toHaveLength(7);
    expect(server.asked.some((path) => path.includes("_history"))).toBe(false);
  });

  it("although it names them is searched", async () => {
    server.write("Patient", "a", second(1), {});
    const { start, told } = await pulling();
    server.before = async (path) => {
      if (path.includes("_history")) throw Object.assign(new Error("not here"), { statusCode: 501 });
    };
    start();
    await until(() => expect(told()).toEqual(["a/1"]));
  });

  it("keeps the cursor until all pages are in the journal while it doesn't say that it sorts", async () => {
    server.histories = undefined;
    for (const [index, at] of [5, 9, 7, 1].entries()) server.write("Patient", `p${index}`, second(at), {});
    server.unsorted = true;
    const { start, told } = await pulling({ overlapSeconds: 0, count: 2 });
    let pages = 0;
    server.before = async (path) => {
      if (path.includes("from=") && ++pages < 3) throw Object.assign(new Error("busy"), { statusCode: 500 });
    };
    start();
    await until(() => expect([...new Set(told())]).toEqual(["p0/1", "p1/1", "p2/1", "p3/1"]));
    expect(told()).toHaveLength(4);
    await until(() => expect(server.asked.at(-1)).toContain(`_lastUpdated=ge${second(9)}`));
  });

  it("refuses one type, and the others are read all the same", async () => {
    server.write("Encounter", "e", second(1), { status: "planned", class: { code: "AMB" } });
    const { start, told } = await pulling({ types: ["Patient", "Encounter"], by: "search" });
    server.before = async (path) => {
      if (path.startsWith("/Patient")) throw Object.assign(new Error("forbidden"), { statusCode: 403 });
    };
    start();
    await until(() => expect(told()).toEqual(["e/1"]));
  });
});
