import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { corpusOrSkip } from "./testing/corpus.js";
import { deskOf, take } from "./testing/desk.js";
import {
  claimFacts,
  countBy,
  listingHash,
  paymentLines,
  remittanceFacts,
  remittanceTotals,
  remitted,
  submissions,
} from "./testing/facts.js";
import { money } from "./testing/money.js";
import { isSegment, Tokenizer } from "./tokenizer.js";

interface Difference {
  readonly file: string;
  readonly fact: string;
  readonly expected: unknown;
  readonly ours: unknown;
  readonly standard: string;
}

type Facts = Record<string, unknown>;

const folder = corpusOrSkip();
const differences = JSON.parse(
  readFileSync(new URL("./differences.json", import.meta.url), "utf8"),
) as readonly Difference[];

async function ourFacts(path: string): Promise<Facts> {
  const bytes = readFileSync(path);
  const desk = deskOf();
  const { report } = await take(bytes, desk);
  const groups = report.interchanges.flatMap((one) => one.groups);
  const sets = groups.flatMap((one) => one.sets);
  const tokenizer = new Tokenizer();
  const tokens = [...tokenizer.push(bytes), ...tokenizer.end()].filter(isSegment);
  const character = (byte: number | null) => (byte === null ? "" : String.fromCharCode(byte));
  const { delimiters } = tokens[0]!;
  const remittances = remitted(desk.intake.published);
  return {
    delimiters: {
      segment: character(delimiters.terminator),
      element: character(delimiters.element),
      component: character(delimiters.component),
      repetition: character(delimiters.repetition),
    },
    segments: tokens.length,
    interchanges: report.interchanges.length,
    groups: countBy(groups.map(({ header }) => `${header.functionalId} ${header.version}`)),
    transactions: countBy(sets.map((set) => set.header.set)),
    wrong_segment_count: sets
      .filter((set) => set.codes.includes("4"))
      .map((set) => `ST02 ${set.header.control}: SE01 ${set.declared}, counted ${set.segments}`)
      .slice(0, 5),
    claims: claimFacts(desk.intake.published),
    remittances: remittances.length === 0 ? null : remittances.slice(0, 12).map(remittanceFacts),
    remittance_totals: remittances.length === 0 ? null : remittanceTotals(remittances),
  };
}

/** What is expected, brought down to the facts that an 837 and an 835 tell. */
function expectedFacts(stated: Facts): Facts {
  const pick = (from: unknown, names: readonly string[]): unknown =>
    from ? Object.fromEntries(names.map((name) => [name, (from as Facts)[name]])) : null;
  const claims =
    "count distinct_clm01 total_charge service_lines by_frequency with_icn charge_differs_from_lines listing_sha256";
  const remittance = "trn02 bpr02 method claims paid_sum balanced reversals unbalanced_claims";
  return {
    ...(pick(stated, "delimiters segments interchanges groups transactions wrong_segment_count".split(" ")) as Facts),
    claims: pick(stated.claims, claims.split(" ")),
    remittances: stated.remittances
      ? (stated.remittances as Facts[]).map((one) => pick(one, remittance.split(" ")))
      : null,
    remittance_totals: stated.remittance_totals ?? null,
  };
}

/** Facts that are not as expected, brought to a form that can be written down. */
function compare(file: string, expected: Facts, ours: Facts): Omit<Difference, "standard">[] {
  const found: Omit<Difference, "standard">[] = [];
  for (const fact of Object.keys(expected)) {
    try {
      expect(ours[fact]).toEqual(expected[fact]);
    } catch {
      found.push({ file, fact, expected: expected[fact], ours: ours[fact] });
    }
  }
  return found;
}

describe.skipIf(folder === null)("the sample files", () => {
  it("give the facts expected, but for the differences written down", async () => {
    const { files } = JSON.parse(readFileSync(join(folder!, "expected", "x12.json"), "utf8")) as {
      files: Record<string, Facts>;
    };
    const found: Omit<Difference, "standard">[] = [];
    for (const [file, stated] of Object.entries(files)) {
      found.push(...compare(file, expectedFacts(stated), await ourFacts(join(folder!, "x12", file))));
    }
    expect(Object.keys(files).length).toBeGreaterThan(40);
    expect(found).toEqual(differences.map(({ standard, ...difference }) => difference));
    for (const { standard } of differences) expect(standard).toMatch(/X12|005010|004010/);
  });
});

describe.skipIf(folder === null)("the journeys, sent in order", () => {
  const names = folder === null ? [] : readdirSync(join(folder, "x12", "journeys")).sort();

  it("give the claims and payments expected, and nothing more when they are all sent again", async () => {
    const expected = JSON.parse(readFileSync(join(folder!, "expected", "x12-journeys.json"), "utf8"));
    const desk = deskOf();
    const duplicates: string[] = [];
    const bht03 = new Map<string, string>();
    const lines: string[] = [];
    for (const name of names) {
      const bytes = readFileSync(join(folder!, "x12", "journeys", name));
      const before = desk.intake.published.length;
      const { report } = await take(bytes, desk);
      if (report.interchanges.some((one) => one.note === "025")) duplicates.push(name);
      const number = /BHT\W0019\W\d\d\W(\w+)\W/.exec(bytes.toString("latin1"))?.[1] ?? "";
      bht03.set(name, number);
      for (const one of submissions(desk.intake.published.slice(before))) {
        lines.push([number, one.number, money(one.charge), one.frequency, one.icn, one.lines].join("\t"));
      }
    }
    const claims = submissions(desk.intake.published);
    const remittances = remitted(desk.intake.published);
    const payments = remittances.flatMap((one) => one.payments);
    expect(duplicates).toEqual(expected.duplicate_interchanges);
    expect({
      submissions: claims.length,
      distinct_clm01: new Set(claims.map((one) => one.number)).size,
      total_charge: money(claims.reduce((sum, one) => sum + one.charge, 0)),
      by_frequency: countBy(claims.map((one) => one.frequency)),
      listing: listingHash(lines),
    }).toEqual({ ...expected.claims, listing: expected.claims.listing.sha256 });
    expect({
      claims: payments.length,
      by_status: countBy(payments.map((one) => one.statusCode)),
      paid: money(payments.reduce((sum, one) => sum + one.paidAmount, 0)),
      bpr02: money(remittances.reduce((sum, one) => sum + one.fields.paidAmount, 0)),
      plb: money(remittances.reduce((sum, one) => sum + one.fields.providerAdjustmentAmount, 0)),
      unbalanced_trn02: remittances.filter((one) => !one.fields.balanced).map((one) => one.fields.traceNumber),
      listing: listingHash(paymentLines(remittances, false)),
    }).toEqual({ ...expected.remittance, listing: expected.remittance.listing.sha256 });

    const published = desk.intake.published.length;
    for (const name of names) {
      const { accepted } = await take(readFileSync(join(folder!, "x12", "journeys", name)), desk);
      expect(accepted).toBe(false);
    }
    expect(desk.intake.published.length).toBe(published);
  });

  it("name the same claim, patient and payer number in an 837 and the 835 that answers it", async () => {
    const desk = deskOf();
    for (const name of names) await take(readFileSync(join(folder!, "x12", "journeys", name)), desk);
    const events = desk.intake.published.flatMap((unit) => unit.events);
    const submitted = new Map(
      events.filter((event) => event.type === "ClaimSubmitted").map((event) => [event.subject, event]),
    );
    const replaced = new Set(
      events.flatMap((event) =>
        event.type === "ClaimReplaced" || event.type === "ClaimVoided" ? [event.fields.payerControlNumberHash] : [],
      ),
    );
    let matched = 0;
    for (const event of events) {
      if (event.type !== "ClaimAdjudicated") continue;
      const claim = submitted.get(event.subject);
      if (claim?.type === "ClaimSubmitted" && claim.fields.patientId === event.fields.patientId) matched += 1;
      replaced.delete(event.fields.payerControlNumberHash ?? null);
    }
    const adjudicated = events.filter((event) => event.type === "ClaimAdjudicated").length;
    expect(matched).toBe(adjudicated);
    expect([...replaced]).toEqual([]);
  });
});
