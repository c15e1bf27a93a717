import { compactDay, DAY, MINUTE } from "./calendar.js";
import type { Decision, Submission } from "./claim.js";
import type { Expectation } from "./delivery.js";
import type { Ledger } from "./ledger.js";
import { total } from "./money.js";
import { type HospitalSender, hospitals, interchangeSenders } from "./senders.js";
import { type Interchange, type TransactionSet, writeInterchange } from "./x12.js";
import { paymentOf, type Remittance, write835 } from "./x12-835.js";
import { write837 } from "./x12-837.js";

/** An interchange that will be written when it is sent. */
interface PlannedInterchange {
  readonly fileName: string;
  readonly write: () => Buffer;
  readonly expectation: Expectation;
}

export interface Envelopes {
  readonly clearing: PlannedInterchange[];
  readonly insurer: PlannedInterchange[];
  readonly remittances: Remittance[];
}

const batchSize = 25;
/** Days before the region's day on which each round takes place. */
const servedBefore = 50;
const submittedBefore = [45, 21] as const;
const decidedBefore = [30, 14, 7] as const;

const accepted = (sets: number, units: number): Expectation => ({
  accepted: true,
  answer: `999:${Array.from({ length: sets }, () => "A").join(",")}`,
  units,
  rejected: 0,
  resend: false,
  reusedId: false,
});

const refused = (answer: string, code: string, units: number, rejected: number): Expectation => ({
  accepted: false,
  answer,
  code,
  units,
  rejected,
  resend: false,
  reusedId: false,
});

function chunks<T>(list: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(list.length / size) }, (_, i) => list.slice(i * size, (i + 1) * size));
}

const byProvider = <T>(list: readonly T[], provider: (one: T) => HospitalSender): [HospitalSender, T[]][] =>
  Object.values(hospitals).map((sender) => [sender, list.filter((one) => provider(one) === sender)]);

/** An interchange sent again as it was, after everything else that it might be taken for. */
const resent = (one: PlannedInterchange): PlannedInterchange => ({
  ...one,
  fileName: one.fileName.replace(".", "-again."),
  expectation: { ...refused("TA1:R:025", "025", 1, 1), resend: true, enclosed: one.expectation.units },
});

/**
 * The interchanges of the clearing house and of the insurer, in the order in which each sends them. They tell of the
 * weeks before the region's first day. All clocks in them are UTC.
 */
export function planInterchanges(ledger: Ledger, from: number, firstNumber: number): Envelopes {
  const envelopes: Envelopes = { clearing: [], insurer: [], remittances: [] };
  const served = from - servedBefore * DAY;
  const control = { clearing: firstNumber, insurer: firstNumber };

  const send = (
    name: "clearing" | "insurer",
    at: number,
    sets: () => TransactionSet[],
    expectation: Expectation,
    broken?: Interchange["broken"],
  ): void => {
    const number = ++control[name];
    const extension = name === "clearing" ? "837" : "835";
    envelopes[name].push({
      fileName: `${compactDay(at)}-${name}-${String(number).padStart(6, "0")}.${extension}`,
      write: () =>
        writeInterchange({
          sender: interchangeSenders[name],
          control: number,
          at,
          sets: sets(),
          ...(broken === undefined ? {} : { broken }),
        }),
      expectation,
    });
  };

  const sendClaims = (round: 0 | 1): void => {
    let minute = 0;
    for (const [provider, submissions] of byProvider(ledger.submissions[round], (one) => one.claim.provider)) {
      for (const pair of chunks(chunks(submissions, batchSize), 2)) {
        const at = from - submittedBefore[round] * DAY + minute * 7 * MINUTE;
        const name = `B${round}${provider.letter}${String(firstNumber + minute).padStart(5, "0")}`;
        const write = (batch: readonly Submission[], index: number, flaw?: "amount" | "count"): TransactionSet =>
          write837(provider, `${name}-${index}`, at, served, batch, flaw);
        const size = (batches: readonly (readonly Submission[])[]): number =>
          total(batches.map((batch) => batch.length));
        for (const batch of pair) dateSubmissions(batch, at);
        let left = pair;
        if (minute % 9 === 3) {
          // One set is spoilt, and holds a claim that nobody bills again; what is right beside it counts.
          const flaw = minute % 2 === 0 ? "amount" : "count";
          const [bad = [], ...beside] = pair;
          const good = minute % 27 === 3 ? [] : beside;
          const spoilt = [...bad, unheardOf(bad)];
          const answer = `999:${["R", ...good.map(() => "A")].join(",")}`;
          const sets = () => [write(spoilt, 1, flaw), ...good.map((batch, i) => write(batch, i + 2))];
          send("clearing", at, sets, refused(answer, "999", spoilt.length + size(good), spoilt.length));
          left = good.length === 0 ? pair : [bad];
        }
        const sets = () => left.map((batch, i) => write(batch, i + 1));
        if (minute % 20 === 5) {
          const [broken, code] = minute % 40 === 5 ? (["trailer", "001"] as const) : (["end", "023"] as const);
          const expectation = { ...refused(`TA1:R:${code}`, code, 1, 1), enclosed: size(left) };
          send("clearing", at, sets, expectation, broken);
        }
        send("clearing", at, sets, accepted(left.length, size(left)));
        minute++;
      }
    }
  };

  let traces = firstNumber;
  const carried = new Map<HospitalSender, number>();
  const settle = (round: 0 | 1 | 2): void => {
    let minute = 0;
    for (const [provider, decisions] of byProvider(ledger.decisions[round], (one) => one.claim.provider)) {
      for (const batch of chunks(decisions, batchSize)) {
        // Never earlier than the batch before: a reversal and its correction may be parted by the end of a batch.
        const day = from - decidedBefore[round] * DAY + Math.min(5, Math.floor(minute / 12)) * DAY;
        dateDecisions(batch, day);
        const trace = `T${round}${provider.letter}${String(++traces).padStart(6, "0")}`;
        const remittance = remit(provider, trace, day, batch, carried, traces);
        envelopes.remittances.push(remittance);
        const units = batch.length + 1;
        send(
          "insurer",
          day + 9 * 60 * MINUTE + minute * MINUTE,
          () => [write835(remittance, served)],
          accepted(1, units),
        );
        minute++;
      }
    }
  };

  sendClaims(0);
  sendClaims(1);
  settle(0);
  settle(1);
  settle(2);

  for (const name of ["clearing", "insurer"] as const) {
    const list = envelopes[name];
    const good = list.filter((one) => one.expectation.accepted);
    for (const one of [good[1], good.at(-2)]) if (one !== undefined) list.push(resent(one));
  }
  const noise = `${compactDay(from)}-clearing-notice-${firstNumber}.837`;
  const text = "The portal is closed for maintenance on Sunday.\n";
  envelopes.clearing.push({
    fileName: noise,
    write: () => Buffer.from(text, "ascii"),
    expectation: refused("none", "unreadable", 1, 1),
  });
  return envelopes;
}

function dateSubmissions(batch: readonly Submission[], at: number): void {
  for (const submission of batch)
    for (const one of submission.claim.submissions) if (one.submission === submission) one.at = at;
}

function dateDecisions(batch: readonly Decision[], day: number): void {
  for (const decision of batch)
    for (const one of decision.claim.decisions) if (one.decision === decision) one.day = day;
}

/** A claim that only ever stands in a refused set. */
function unheardOf(batch: readonly Submission[]): Submission {
  const [model] = batch;
  if (model === undefined) throw new Error("a batch has at least one claim");
  const claim = {
    ...model.claim,
    number: `${model.claim.number}X`,
    submissions: [],
    decisions: [],
    replaces: null,
    replaced: false,
  };
  return { ...model, claim, frequency: "1", reference: null };
}

/** A remittance whose payment is never below zero: what is left to take back is carried to the next (PLB FB). */
function remit(
  provider: HospitalSender,
  trace: string,
  day: number,
  decisions: Remittance["decisions"],
  carried: Map<HospitalSender, number>,
  number: number,
): Remittance {
  const providerAdjustments: [string, string, number][] = [];
  const before = carried.get(provider) ?? 0;
  if (before !== 0) providerAdjustments.push(["FB", `${trace}C`, before]);
  if (number % 11 === 4) providerAdjustments.push(["L6", `${trace}I`, -(150 + number)]);
  if (number % 13 === 6) providerAdjustments.push(["WO", `${trace}W`, 2500]);
  const plain: Remittance = { provider, trace, day, decisions, providerAdjustments, excess: 0 };
  const amount = paymentOf(plain);
  carried.set(provider, amount < 0 ? -amount : 0);
  if (amount < 0) return { ...plain, providerAdjustments: [...providerAdjustments, ["FB", `${trace}F`, amount]] };
  return { ...plain, excess: number % 17 === 9 ? 10 : 0 };
}
