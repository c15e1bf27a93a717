import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { trailOf } from "../engine/audit/trail.js";
import type { ReceivedUnit } from "../engine/intake/connector.js";
import { intakeCounts } from "../engine/intake/journal.js";
import { retranslate, type Translator } from "../engine/intake/retranslate.js";
import { sealedOpener } from "../engine/service/sealed-opener.js";
import { openTranslator } from "../engine/service/translator.js";
import { openRegion, projections, type Region } from "./region.js";
import { cutOff, mended } from "./retranslation/connectors.js";
import { visitDifferences } from "./retranslation/differences.js";
import { harbor, registry, shore, unfinished } from "./retranslation/partners.js";
import { changesWhereRefused } from "./retranslation/refused.js";
import { february, january, type Said, sayings, takenFor, translations, untold } from "./retranslation/sayings.js";
import { topicsOfEvents } from "./retranslation/strays.js";

let region: Region;
beforeAll(async () => {
  region = await openRegion();
});
afterAll(() => region?.close());

const { visitOf, patientOf, unitOf, translator, options, erase, entries } = sayings(() => region);

const columns = "visit_id, status, location, started_at, v.visit_number";
const visits = () => region.rows(`SELECT ${columns} FROM projections_restricted.visits v ORDER BY visit_id`);
const activity = () =>
  region.rows(
    "SELECT day::text, event_type, events::int FROM projections.daily_activity WHERE events > 0 ORDER BY 1, 2",
  );
const locationOf = async (name: string) =>
  (await visits()).find(({ visit_id }) => visit_id === visitOf(name))?.location;
const equalEverywhere = async () => {
  expect(await region.rebuild()).toEqual([]);
  for (const { name, differing, differences } of await region.verify()) {
    expect({ name, differing, differences }).toEqual({ name, differing: 0, differences: [] });
  }
};

const told: readonly Said[] = [
  ["one", "start", january, "A"],
  ["two", "start", january, "A"],
  ["three", "start", january, "C"],
  ["three", "nothing", january + 2, "D"],
  ["four", "start", january, "E"],
  ["four", "both", january + 3, "F"],
];

describe("a translation that was mended", () => {
  it("shows by a dry run what would differ, and changes nothing", async () => {
    await region.intake.submit(told.map((said) => unitOf(said, translations.wrong)));
    // A resend publishes nothing, and is not translated again.
    await region.intake.submit([unitOf(told[0] as Said, translations.wrong)]);
    // February came while the translation was wrong only about the first days: it is told rightly.
    await region.intake.submit([unitOf(["one", "move", february, "FEBRUARY"], translations.right)]);
    await region.settle();
    expect(await locationOf("one")).toBe("FEBRUARY");
    expect(await locationOf("two")).toBe("WRONG A");
    const before = [await visits(), await entries()];
    const dry = await retranslate(options({ dryRun: true }));
    // Where the sender gives no time, the event keeps that of the unit's first reception.
    const timeless = async () => translator(untold);
    expect(await retranslate(options({ dryRun: true, translator: timeless }))).toEqual(dry);
    expect(dry).toEqual({
      units: 7,
      changed: 6,
      erased: 0,
      unmatched: 0,
      resent: 0,
      byType: {
        VisitStarted: { same: 0, changed: 4, withdrawn: 0, new: 0 },
        VisitTransferred: { same: 1, changed: 1, withdrawn: 1, new: 1 },
      },
    });
    expect([await visits(), await entries()]).toEqual(before);
  });

  it("of January does not overwrite February; sums stay right", async () => {
    const counts = await intakeCounts(region.database.pool);
    const before = Date.now();
    await pause(5);
    expect(await retranslate(options())).toMatchObject({ changed: 6 });
    await region.settle();
    const differing = await visitDifferences(region, before, Date.now() - 1);
    const two = differing.find(({ key }) => key.visit_id === visitOf("two"));
    expect(two).toMatchObject({ columns: { location: ["WRONG A", "A"] } });
    expect(two?.events).toEqual([expect.objectContaining({ type: "VisitStarted", generation: 1 })]);
    expect(two?.events[0]?.unit).not.toBe(two?.events[0]?.entry);
    // What February said stands, so nothing is told of it.
    expect(differing.some(({ key }) => key.visit_id === visitOf("one"))).toBe(false);
    expect(await locationOf("one")).toBe("FEBRUARY");
    expect(await locationOf("two")).toBe("A");
    // The message that was about no visit: what it said is withdrawn.
    expect(await locationOf("three")).toBe("C");
    expect(await locationOf("four")).toBe("F");
    expect(await locationOf("four other")).toBe("F");
    expect(await activity()).toEqual([
      { day: "2026-01-10", event_type: "FactWithdrawn", events: 1 },
      { day: "2026-01-10", event_type: "VisitStarted", events: 4 },
      { day: "2026-01-10", event_type: "VisitTransferred", events: 2 },
      { day: "2026-02-10", event_type: "VisitTransferred", events: 1 },
    ]);
    expect(await region.rows("SELECT count(*)::int AS rows FROM projections.timeline")).toEqual([{ rows: 8 }]);
    // What a partner sent is counted as it was.
    const { units, accepted, resends } = counts;
    expect(await intakeCounts(region.database.pool)).toMatchObject({ units, accepted, resends });
  });

  it("is told by the trail in the place of what it supersedes, with the unit as received for both", async () => {
    const { kafka, database, vault } = region;
    const source = { log: kafka.log, pool: database.pool, codec: kafka.codec, projections };
    const { trail, records } = await trailOf(source, "visit", visitOf("one"));
    const [first, again] = trail.events;
    expect(trail.events.map(({ type, generation, event }) => [type, generation, event.location])).toEqual([
      ["VisitStarted", 0, "WRONG A"],
      ["VisitStarted", 1, "A"],
      ["VisitTransferred", 0, "FEBRUARY"],
    ]);
    expect(first).toMatchObject({ supersededBy: again?.place, changes: [] });
    expect(again).toMatchObject({ supersededBy: null, unit: first?.unit });
    const locations = trail.events.flatMap(({ changes }) => changes.flatMap(({ columns }) => columns.location ?? []));
    expect(locations).toEqual([null, "A", "A", "FEBRUARY"]);
    // The unit, February's, and the entry of the translation made again, which says of which unit and why.
    expect(trail.units.map(({ again: one }) => one?.unit ?? null)).toEqual([null, null, first?.unit]);
    expect(trail.units.at(-1)?.again).toMatchObject({ generation: 1, reason: "the location was read wrong" });
    expect(records.length).toBe(trail.events.length + trail.units.length);
    const refused = await changesWhereRefused(region, source, visitOf("one"), again?.place ?? "");
    expect(refused).toEqual(["WRONG A: null, WRONG A (visits)", "A: ", "FEBRUARY: WRONG A, FEBRUARY"]);
    expect((await trailOf({ ...source, scan: true }, "visit", visitOf("one"))).trail.events).toEqual(trail.events);
    const opener = sealedOpener(database.pool, region.kek, kafka.codec);
    const opened = await trailOf({ ...source, open: { vault, opener } }, "visit", visitOf("three"));
    opener.close();
    expect(opened.trail.events.map(({ type, supersededBy }) => [type, supersededBy === null])).toEqual([
      ["VisitStarted", false],
      ["VisitStarted", true],
      ["VisitTransferred", false],
      ["FactWithdrawn", true],
    ]);
    expect(opened.trail.units.map(({ bytes }) => (bytes ? JSON.parse(String(bytes))[1] : null))).toEqual([
      "start",
      "nothing",
      null,
      null,
    ]);
  });

  it("done again writes nothing, and after an end at any point only what is missing", async () => {
    const all = [await visits(), await activity(), await entries()];
    expect(await retranslate(options())).toMatchObject({ units: 7, changed: 0 });
    expect(await entries()).toBe(all[2]);
    // Back to the wrong one, ended after each entry, as often as it takes.
    const back = options({
      translator: async () => translator(translations.wrong),
      filter: { until: Date.now() + 1_000_000 },
      onWritten: () => {
        throw new Error("ended");
      },
    });
    let ends = 0;
    for (;;) {
      try {
        await retranslate(back);
        break;
      } catch (error) {
        expect(String(error)).toContain("ended");
        ends++;
      }
    }
    expect(ends).toBe(7);
    // And forth again, while two do it without knowing of each other.
    await region.settle();
    expect(await locationOf("one")).toBe("WRONG FEBRUARY");
    await Promise.all([retranslate(options()), retranslate(options())]);
    await region.settle();
    expect([await visits(), await activity()]).toEqual(all.slice(0, 2));
  });

  it("reaches a consumer that was away, in one batch with everything else", async () => {
    await region.stop();
    await region.intake.submit([unitOf(["five", "start", january, "G"], translations.wrong)]);
    await region.intake.submit([unitOf(["five", "move", february, "H"], translations.right)]);
    // Units are decided by the publisher before they are translated again.
    for (let changed = 0; changed < 1; await pause(50)) ({ changed } = await retranslate(options()));
    await region.start();
    await region.settle();
    expect(await locationOf("five")).toBe("H");
  });

  it("leaves out units whose patient was erased, and what came with them, each told as what it is", async () => {
    // One transmission, of whose units one is of the patient.
    const [transmissionId, slices] = [region.intake.newReceiptId(), ["two", "six"]];
    const at = (ordinal: number) => ({ transmissionId, ordinal, byteOffset: ordinal });
    const units = slices.map((name, index) => ({
      ...unitOf([name, "move", february, "L"], translations.right),
      transport: at(index),
    }));
    const { identity: _, ...around } = {
      ...(units[0] as ReceivedUnit),
      bytes: Buffer.alloc(0),
      sealFor: [],
      events: [],
    };
    const closing = { entries: 2, units: 2, bytes: 9, content: [Buffer.from("9")] };
    await region.intake.submit([...units, { ...around, entry: "CLOSING", transport: at(2), closing }]);
    await region.settle();
    await erase("two");
    const again = await retranslate(options({ translator: async () => translator(translations.wrong), dryRun: true }));
    expect(again).toMatchObject({ erased: 2, unmatched: 1 });
    expect(again.changed).toBe(again.units - 3);
  });

  it("seals nothing for a patient who was erased since the unit came, also while it is translated again", async () => {
    const filter = { since: Date.now() };
    const told = (["six", "seven"] as const).map((name) => unitOf([name, "start", january, "A"], takenFor(name)));
    await region.intake.submit(told);
    await region.settle();
    const before = await entries();
    // The unit is opened, its patient erased, and only then it is told otherwise.
    const during: Translator = {
      version: "2",
      async translate(partner, bytes) {
        const [name] = JSON.parse(bytes.toString()) as Said;
        if (name === "six") return translator(takenFor("six")).translate(partner, bytes);
        await erase("seven");
        return translator(translations.wrong).translate(partner, bytes);
      },
    };
    const again = (one: Translator, dryRun = false) =>
      retranslate(options({ translator: async () => one, filter, dryRun }));
    expect(await again(during)).toMatchObject({ units: 2, changed: 0, erased: 1 });
    // It turns out that another's unit was about her.
    for (const dryRun of [true, false]) {
      expect(await again(translator(takenFor("seven")), dryRun)).toMatchObject({ units: 2, changed: 0, erased: 2 });
    }
    expect(await entries()).toBe(before + 1);
    // Told for a third one, whose erasure says whose key still opens the unit. The visit is that one's by what was told last.
    expect(await again(translator(takenFor("nobody")))).toMatchObject({ changed: 1, erased: 1 });
    await region.settle();
    expect(await erase("nobody")).toMatchObject({ anothers: 1, left: { units: 1, sealedFor: [patientOf("six")] } });
  });

  it("tells a unit that was kept in part as one that it can't find again", async () => {
    const large = {
      ...unitOf(["seven", "start", january, "A"], translations.right),
      bytes: Buffer.alloc(10_000_001, "x"),
    };
    await region.intake.submit([large]);
    await region.settle();
    const filter = { code: "UNIT_TOO_LARGE" };
    expect(await retranslate(options({ filter, dryRun: true }))).toMatchObject({ units: 1, erased: 0, unmatched: 1 });
  });
});

describe("a unit of which the journal doesn't tell how it was sent", () => {
  it("is refused before anything is written", async () => {
    const rejected = { verdict: { accepted: false as const, code: "ODD" }, events: [] };
    const units = (["nine", "ten"] as const).map((name) => ({
      ...unitOf([name, "start", january, "A"], translations.right),
      ...rejected,
      answer: () => name,
    }));
    await region.intake.submit(units);
    await region.settle();
    const before = await entries();
    const resending: Translator["resending"] = {
      isUnknown: ({ answer }) => answer === "ten",
      join: ([part]) => part && { bytes: part.bytes },
    };
    const asked = options({
      translator: async () => ({ ...translator(translations.right), resending }),
      filter: { code: "ODD" },
    });
    await expect(retranslate(asked)).rejects.toMatchObject({ code: "TRIB_INTAKE_RETRANSLATION_UNKNOWN" });
    expect(await entries()).toBe(before);
  });
});

describe("a unit that was rejected, of a resource of which later ones were accepted", () => {
  const latest = (location: string, time: number): ReceivedUnit => ({
    ...unitOf(["eight", "start", time, location], translations.right),
    partner: "clinic",
    identity: { rule: "LATEST", parts: ["clinic", location], resource: ["clinic", "eight"] },
  });
  const clinic = (): Translator => ({
    version: "2",
    async translate(_partner, bytes) {
      const [, , time, location] = JSON.parse(bytes.toString()) as Said;
      return [latest(location, time)];
    },
  });

  it("does not make the ledger take the next accepted one for its resend, nor itself be told twice", async () => {
    const rejected = { ...latest("A", january), verdict: { accepted: false as const, code: "SPEC" }, events: [] };
    await region.intake.submit([rejected]);
    await region.intake.submit([latest("B", january + 1)]);
    await region.settle();
    const filter = { partner: "clinic" };
    const again = (code?: string) =>
      retranslate(options({ translator: async () => clinic(), filter: { ...filter, ...(code && { code }) } }));
    expect(await again("SPEC")).toMatchObject({ units: 1, changed: 1 });
    await region.settle();
    expect(await locationOf("eight")).toBe("B");
    await region.intake.submit([latest("A", january + 2)]);
    await region.settle();
    expect(await locationOf("eight")).toBe("A");
    expect(await again("SPEC")).toMatchObject({ changed: 0 });
  });

  it("is what the next is compared with where none was accepted since", async () => {
    const rejected = { ...latest("C", february), verdict: { accepted: false as const, code: "LATE" }, events: [] };
    await region.intake.submit([rejected]);
    await region.settle();
    const translator = async () => clinic();
    expect(await retranslate(options({ translator, filter: { code: "LATE" } }))).toMatchObject({ changed: 1 });
    await region.settle();
    expect(await locationOf("eight")).toBe("C");
    // A resend of it: it publishes nothing, and is nothing to be translated again.
    await region.intake.submit([latest("C", february)]);
    await region.settle();
    expect(await retranslate(options({ translator, filter: { partner: "clinic" } }))).toMatchObject({
      units: 2,
      changed: 0,
    });
  });
});

describe("the connectors as they are", () => {
  const message = (location: string) =>
    Buffer.from(
      [
        "MSH|^~\\&|ADT|NORTH|X|X|20260110101500||ADT^A01^ADT_A01|M1|P|2.5",
        "EVN|A01|20260110101500",
        "PID|1||77^^^NORTH^MR||DOE^ANN||19500102|F",
        `PV1|1|I|${location}||||||||||||||||V77^^^NORTH^VN`,
        "",
      ].join("\r"),
    );

  it("translate a unit of the journal as they would a partner's, with the installation's surrogate ids", async () => {
    const settings = { ...region.kafka.settings, TRIBUTARY_SECRET: region.secret };
    const hl7v2 = await openTranslator("hl7v2", settings);
    try {
      const [now] = await hl7v2.translate("generic", message("WARD^1^2"));
      expect(Buffer.from(now?.bytes ?? [])).toEqual(message("WARD^1^2"));
      // Journalled by an older version, which made of it nothing but the patient.
      const patientOnly = (now as ReceivedUnit).events.filter(({ type }) => type.startsWith("Patient"));
      await region.intake.submit([{ ...(now as ReceivedUnit), events: patientOnly }]);
      await region.settle();
      const filter = { partner: (now as ReceivedUnit).partner };
      const done = await retranslate(options({ translator: async () => hl7v2, filter }));
      expect(done).toMatchObject({ units: 1, changed: 1, unmatched: 0, byType: { VisitStarted: { new: 1 } } });
      expect(done.byType.PatientUpdated ?? done.byType.PatientRegistered).toMatchObject({ same: 1 });
      await region.settle();
      expect((await visits()).map(({ location }) => location)).toContain("WARD^1^2");
      expect(await retranslate(options({ translator: async () => hl7v2, filter }))).toMatchObject({ changed: 0 });
    } finally {
      await hl7v2.close();
    }
  });

  it("translate claims again: other payers, other patients, the same money; and what was rejected", async () => {
    const [again, rejected] = await mended(region, options, harbor);
    expect(again).toMatchObject({ units: 2, changed: 1, unmatched: 0 });
    expect(rejected).toMatchObject({ units: 1, changed: 1, unmatched: 0, byType: { ClaimSubmitted: { new: 1 } } });
    const claims = "SELECT payer_id, billed_amount FROM projections.claims WHERE partner = 'harbor' ORDER BY 1";
    expect(await region.rows(claims)).toEqual(
      ["BAYPLAN", "BAYPLAN", "OTHER"].map((payer_id) => ({ payer_id, billed_amount: "100.50" })),
    );
  });

  it("withdraw nothing of an interchange that was cut off: the journal does not have all of it", async () => {
    const done = await cutOff(region, options, harbor, unfinished);
    expect(done).toMatchObject({ changed: 0, unmatched: 1 });
  });

  it("translate rows again, sums right", async () => {
    const [again, rejected] = await mended(region, options, shore);
    expect(again).toMatchObject({ units: 2, changed: 1, byType: { ClaimAdjudicated: { same: 1, changed: 1 } } });
    expect(rejected).toMatchObject({ units: 1, changed: 1, byType: { ClaimAdjudicated: { new: 1 } } });
    const paid =
      "SELECT sum(paid_amount) AS paid, count(*)::int AS claims FROM projections.claims WHERE partner = 'shore'";
    expect(await region.rows(paid)).toEqual([{ paid: "140.50", claims: 3 }]);
    const told =
      "SELECT sum(events)::int AS events FROM projections.daily_activity WHERE partner = 'shore' AND event_type = 'ClaimAdjudicated'";
    expect(await region.rows(told)).toEqual([{ events: 3 }]);
  });

  it("translate events again as they came: by themselves, with their headers, in a batch", async () => {
    const [again, rejected] = await mended(region, options, registry);
    expect(again).toMatchObject({ units: 3, changed: 3, unmatched: 0 });
    expect(rejected).toMatchObject({ units: 1, changed: 1, unmatched: 0, byType: { VisitStarted: { new: 1 } } });
    const facilities =
      "SELECT facility, count(*)::int AS visits FROM projections.visits WHERE partner = 'cove' GROUP BY 1";
    expect(await region.rows(facilities)).toEqual([{ facility: "COVE", visits: 4 }]);
  });

  it("leave read models that are equal when built anew, and by the pure fold", equalEverywhere);
});

topicsOfEvents(() => region, { visitOf, entries });
