import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { journalTopic } from "../engine/log/schemas.js";
import { registered } from "../engine/service/registration.js";
import { corpus, hasCorpus, readFacts, readSample, samplesBelow } from "../producers/hl7v2/testing/corpus.js";
import { ListedDifferences } from "./corpus/differences.js";
import { journeyTypes, sendFhirJourneys, shownFhirJourneys } from "./corpus/fhir-journeys.js";
import { persons, visitStatusOf, visits } from "./corpus/hl7v2-facts.js";
import { type SentFolder, sendFolders } from "./corpus/hl7v2-folders.js";
import { type JourneysTruth, readTruth } from "./corpus/journeys-truth.js";
import { isRejectedAsAWhole, type MalformedCase, wrongAnswer } from "./corpus/malformed.js";
import { sendFile } from "./corpus/sending.js";
import { during } from "./corpus/stretch.js";
import { eventCounts, tableContents } from "./corpus/table-contents.js";
import { claimFacts, expectedFacts, payments, remittanceFacts, remittances, submissions } from "./corpus/x12-facts.js";
import { journeyFiles, readJourney, sendJourneys, shownClaims, trueClaims } from "./corpus/x12-journeys.js";
import { startInstallation, type TestInstallation } from "./installation.js";

describe.skipIf(!hasCorpus())("the public samples through the connectors", () => {
  let installation: TestInstallation;
  let pids: readonly number[];
  let truth: JourneysTruth;
  let folders: ReadonlyMap<string, SentFolder>;
  const differences = new ListedDifferences("test/corpus-differences.json");
  const processIds = () =>
    registered(installation.home)
      .map(({ pid }) => pid)
      .sort();

  beforeAll(async () => {
    truth = readTruth(join(corpus, "expected/journeys-truth.json.gz"));
    installation = await startInstallation({
      names: ["hl7v2", "x12", "fhir", "publisher", "activity", "claims", "patients", "visits"],
    });
    await installation.untilReady();
    pids = processIds();
  });
  afterAll(() => installation?.stop());

  it("HL7 v2 give the expected patients, visits, merges, duplicates and verdicts", async () => {
    const sent = await sendFolders(installation, differences);
    folders = sent.folders;
    expect(sent.found).toEqual([]);
    expect(folders.size).toBe(6);
  });

  it("X12 give the expected claims, payments and remittances", async () => {
    const { files } = readFacts<{ files: Record<string, Record<string, unknown>> }>("expected/x12.json");
    const found: unknown[] = [];
    for (const [file, stated] of Object.entries(files)) {
      const { stretch } = await during(installation, () =>
        sendFile(installation, "x12", file, readSample(`x12/${file}`)),
      );
      if (stated.claims || stated.remittances) await installation.applied(60, false);
      const claims = claimFacts(await submissions(installation, stretch));
      const paid = remittanceFacts(await remittances(installation, stretch), await payments(installation, stretch));
      found.push(...differences.compare(file, expectedFacts(stated), { claims, ...paid }));
    }
    expect(found).toEqual([]);
    expect(Object.keys(files).length).toBeGreaterThan(40);

    interface Stated {
      readonly listing: { readonly sha256: string };
    }
    const expected = readFacts<{ duplicate_interchanges: string[]; claims: Stated; remittance: Stated }>(
      "expected/x12-journeys.json",
    );
    expect(await sendJourneys(installation)).toEqual({
      duplicates: expected.duplicate_interchanges,
      claims: { ...expected.claims, listing: expected.claims.listing.sha256 },
      remittance: { ...expected.remittance, listing: expected.remittance.listing.sha256 },
    });
  });

  it("the journeys' visits and persons are those that their generator knows", async () => {
    const { stretch } = folders.get("journeys") as SentFolder;
    const rows = await visits(installation, stretch);
    const expected = Object.entries(truth.visits).map(([visit, { status, class: kind, location }]) => [
      visit,
      { status: visitStatusOf[status], class: kind, location },
    ]);
    expect(expected.length).toBeGreaterThan(800);
    expect(
      Object.fromEntries(
        rows.map(({ visit, status, class: kind, location }) => [visit, { status, class: kind, location }]),
      ),
    ).toEqual(Object.fromEntries(expected));
    const people = Object.values(truth.persons).map(({ ids }) => [...ids].sort());
    expect(await persons(installation, stretch)).toEqual(people.sort());
  });

  it("the journeys' claims end with the status, money and history that their generator knows", async () => {
    const expected = trueClaims(truth);
    expect(Object.keys(expected).length).toBeGreaterThan(900);
    expect(await shownClaims(installation)).toEqual(expected);
  });

  it("FHIR bulk files give the expected patients, visits, claims and payments, and once more no event", async () => {
    expect(await sendFhirJourneys(installation, journeyTypes)).toEqual({ 200: 6362 });
    expect(await installation.applied()).toEqual({ parkedKeys: 0 });
    // The expected sum of payments is 2747000.92: see producers/fhir/differences.json.
    expect(await shownFhirJourneys(installation)).toEqual({
      patients: { count: 63, female: 36, deceased: 3 },
      visits: { count: 1350, finished: 1350, ambulatory: 1265, patients: 63 },
      claims: { count: 2432, billed: "4018630.45", paid: "2747000.93", unsubmitted: 0, with_visit: 2432 },
    });
    const events = await eventCounts(installation);
    expect(await sendFhirJourneys(installation, ["Patient", "Encounter"])).toEqual({ 200: 1413 });
    await installation.applied();
    expect(await eventCounts(installation)).toEqual(events);
  });

  it("the journeys sent once more change no row, make no event, and get the same answers", async () => {
    const [rows, events] = [await tableContents(installation), await eventCounts(installation)];
    expect(Object.keys(rows).length).toBeGreaterThan(10);
    const { answers } = folders.get("journeys") as SentFolder;
    const [path] = samplesBelow("hl7v2/journeys");
    const again = await sendFile(installation, "hl7v2", `journeys/${path}`, readSample(`hl7v2/journeys/${path}`));
    expect(again).toEqual(answers);
    for (const file of journeyFiles()) {
      const lines = await sendFile(installation, "x12", file, readJourney(file));
      expect({ file, answers: [...new Set(lines.map(({ answer }) => answer))] }).toEqual({
        file,
        answers: ["TA1:R:025"],
      });
    }
    expect(await installation.applied()).toEqual({ parkedKeys: 0 });
    expect(await eventCounts(installation)).toEqual(events);
    expect(await tableContents(installation)).toEqual(rows);
  });

  it("malformed and borderline ones get the verdicts wanted, and nothing rejected reaches a table", async () => {
    const cases = readFacts<MalformedCase[]>("malformed/CASES.json").filter(({ file }) => /\/(hl7v2|x12)\//.test(file));
    const rejected = cases.filter(isRejectedAsAWhole);
    expect(rejected.length).toBeGreaterThan(30);
    const wrong: (string | null)[] = [];
    const send = async (some: readonly MalformedCase[]) => {
      for (const one of some) wrong.push(await wrongAnswer(installation, one, cases.indexOf(one)));
      expect(await installation.applied()).toEqual({ parkedKeys: 0 });
    };
    const [rows, events] = [await tableContents(installation), await eventCounts(installation)];
    const journalled = async () => (await installation.log.watermarks(journalTopic)).map(({ high }) => high);
    const before = await journalled();
    await send(rejected);
    expect(await eventCounts(installation)).toEqual(events);
    expect(await tableContents(installation)).toEqual(rows);
    expect(await journalled()).not.toEqual(before);
    await send(cases.filter((one) => !rejected.includes(one)));
    expect(await eventCounts(installation)).not.toEqual(events);
    expect(wrong.filter((one) => one !== null)).toEqual([]);
  });

  it("borderline ones say what they mean: merges, cancels, characters, claims without a number", async () => {
    const survivors = await installation.query(
      `SELECT value, survivor_value FROM projections_restricted.identifier_survivors
       WHERE authority = 'SIMULATOR MRN' AND value ~ '^70\\d\\d$' ORDER BY 1`,
    );
    // 7001 and 7002 were merged into each other: neither stands.
    expect(survivors.map(({ value, survivor_value }) => [value, survivor_value])).toEqual([
      ["7011", "7013"],
      ["7012", "7013"],
      ["7022", "7021"],
      ["7024", "7023"],
    ]);
    expect(
      await installation.query(
        "SELECT status, ended_at FROM projections_restricted.visits WHERE visit_number = 'ORPHAN1'",
      ),
    ).toEqual([{ status: "in_progress", ended_at: null }]);
    expect(
      await installation.query(
        "SELECT status, submission_missing FROM projections_restricted.claims WHERE patient_control_number = 'NOSUCHCLAIM'",
      ),
    ).toEqual([{ status: "reversed", submission_missing: true }]);
    expect(
      await installation.query(
        `SELECT 'a replacement without the payer''s number' AS wrong FROM projections_restricted.claim_submissions
           WHERE frequency_code IN ('7', '8') AND payer_control_number IS NULL
         UNION ALL SELECT 'a character lost' FROM projections_restricted.patients p WHERE p::text LIKE '%\uFFFD%'
         UNION ALL SELECT 'two quotes kept' FROM projections_restricted.patients
           WHERE address = '""' OR '""' = ANY (telecom)`,
      ),
    ).toEqual([]);
  });

  it("no process died, and no listed difference is stale", () => {
    expect(processIds()).toEqual(pids);
    expect(differences.stale()).toEqual([]);
  });
});
