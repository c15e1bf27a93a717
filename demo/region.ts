import type { Delivery, Expectation } from "./delivery.js";
import { writeMessage } from "./hl7.js";
import { type HospitalBooks, type HospitalSpan, runHospital } from "./hospital.js";
import { type Envelopes, planInterchanges } from "./interchanges.js";
import { keepLedger, type Ledger } from "./ledger.js";
import { refusals, type Sending } from "./message.js";
import { planSendings } from "./mischief.js";
import { makePerson } from "./population.js";
import { type Random, seededRandom } from "./random.js";
import type { RegionTruth } from "./rows.js";
import { type HospitalName, hospitals, type SenderName } from "./senders.js";
import * as truths from "./truth.js";

export interface RegionOptions {
  /** Any text. The same seed and options give the same bytes and the same truth on every machine. */
  readonly seed: string;
  /** Persons who live in the region; default 2,000, which makes about 20,000 units. */
  readonly patients?: number;
  /** Days over which their matters begin; default 1. */
  readonly days?: number;
  /** The first day, "YYYY-MM-DD"; default 2026-01-12. */
  readonly from?: string;
  /** Number from which all identifiers are counted; regions of one engine must not overlap. Default 0. */
  readonly firstNumber?: number;
}

/** A made-up region: its traffic, and what is true when all of it has arrived. */
export interface Region {
  readonly options: Required<RegionOptions>;
  readonly senderNames: readonly SenderName[];
  /**
   * What one sender sends, in its order; the bytes are made as they are asked for. Two senders may be played in any
   * order or at once. Every call starts from the beginning.
   */
  deliveries(sender: SenderName): IterableIterator<Delivery>;
  /** What is expected of each of them, in the same order, without making any bytes. */
  expectations(sender: SenderName): IterableIterator<Expectation>;
  truth(): RegionTruth;
}

const hospitalNames: readonly HospitalName[] = ["north", "south", "practice"];
const senderNames: readonly SenderName[] = [...hospitalNames, "clearing", "insurer"];

const expectationOf = ({ flaw, resend, reused }: Sending): Expectation =>
  flaw === null
    ? { accepted: true, answer: "AA", units: 1, rejected: 0, resend, reusedId: reused && !resend }
    : { accepted: false, ...refusals[flaw], units: 1, rejected: 1, resend, reusedId: false };

interface Plan {
  readonly books: Readonly<Record<HospitalName, HospitalBooks>>;
  readonly sendings: Readonly<Record<HospitalName, readonly Sending[]>>;
  readonly ledger: Ledger;
  readonly envelopes: Envelopes;
}

function plan(options: Required<RegionOptions>, random: Random): Plan {
  const { patients, firstNumber, days } = options;
  const census = random.fork("population");
  const persons = Array.from({ length: patients }, (_, i) => makePerson(census, firstNumber + i));
  const span: HospitalSpan = { from: Date.parse(`${options.from}T00:00:00Z`), days, firstNumber };
  const books = {} as Record<HospitalName, HospitalBooks>;
  const sendings = {} as Record<HospitalName, readonly Sending[]>;
  for (const name of hospitalNames) {
    const theirs = persons.filter((person) => person.places.includes(name));
    books[name] = runHospital(hospitals[name], theirs, span, random.fork(name));
    sendings[name] = planSendings(books[name], firstNumber, random.fork(`${name}/way`));
  }
  const ledger = keepLedger(persons, firstNumber, random.fork("ledger"));
  const envelopes = planInterchanges(ledger, span.from, firstNumber);
  return { books, sendings, ledger, envelopes };
}

/**
 * Makes a region. Nothing is planned before it is first asked for.
 * @throws RangeError for a size, a span or a day that makes no sense
 */
export function generateRegion(given: RegionOptions): Region {
  const options = { patients: 2000, days: 1, from: "2026-01-12", firstNumber: 0, ...given };
  for (const [name, least] of [
    ["patients", 1],
    ["days", 1],
    ["firstNumber", 0],
  ] as const)
    if (!Number.isSafeInteger(options[name]) || options[name] < least)
      throw new RangeError(`region: ${name} must be a whole number of at least ${least}, not ${options[name]}`);
  if (!/^\d{4}-\d\d-\d\d$/.test(options.from) || Number.isNaN(Date.parse(options.from)))
    throw new RangeError(`region: from must be a day as 2026-01-12, not ${options.from}`);
  let made: Plan | undefined;
  const planned = (): Plan => {
    made ??= plan(options, seededRandom(`${options.seed}/${options.firstNumber}`));
    return made;
  };

  function* deliveries(sender: SenderName): IterableIterator<Delivery> {
    if (sender === "clearing" || sender === "insurer") {
      for (const { fileName, write, expectation } of planned().envelopes[sender])
        yield { sender, protocol: "x12", bytes: write(), fileName, expectation };
      return;
    }
    for (const sending of planned().sendings[sender])
      yield { sender, protocol: "mllp", bytes: writeMessage(sending), expectation: expectationOf(sending) };
  }

  function* expectations(sender: SenderName): IterableIterator<Expectation> {
    if (sender === "clearing" || sender === "insurer")
      for (const one of planned().envelopes[sender]) yield one.expectation;
    else for (const sending of planned().sendings[sender]) yield expectationOf(sending);
  }

  return {
    options,
    senderNames,
    deliveries,
    expectations,
    truth: () => {
      const { books, ledger, envelopes } = planned();
      const all = hospitalNames.map((name) => books[name]);
      const charts = all.flatMap((one) => one.charts);
      return {
        patients: charts.map(truths.patientRow),
        patientIdentifiers: charts.flatMap(truths.identifierRows),
        persons: truths.personsOf(charts),
        visits: all.flatMap(truths.visitRows),
        claims: ledger.claims.map(truths.claimRow),
        claimLines: ledger.claims.flatMap(truths.claimLineRows),
        remittances: envelopes.remittances.map(truths.remittanceRow),
        counts: truths.countExpectations(senderNames.flatMap((name) => [...expectations(name)])),
      };
    },
  };
}

export type { Delivery, Expectation } from "./delivery.js";
export type * from "./rows.js";
