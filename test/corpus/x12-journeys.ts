import { readSample, samplesBelow } from "../../producers/hl7v2/testing/corpus.js";
import { countBy, listingHash } from "../../producers/x12/testing/facts.js";
import { money } from "../../producers/x12/testing/money.js";
import type { TestInstallation } from "../installation.js";
import { centsOf, dayOf, type JourneysTruth, statusOf, type TrueClaim } from "./journeys-truth.js";
import { sendFile } from "./sending.js";
import { during, type JournalStretch } from "./stretch.js";
import { type PaymentRow, payments, remittances, type SubmissionRow, submissions } from "./x12-facts.js";

const folder = "x12/journeys";
const sum = (amounts: readonly number[]) => money(amounts.reduce((total, amount) => total + amount, 0));

export const journeyFiles = (): readonly string[] => samplesBelow(folder);
export const readJourney = (file: string): Buffer => readSample(`${folder}/${file}`);

/** Sends the files of the journeys in the order of their dates, and gives the facts of the rows made of them. */
export async function sendJourneys(installation: TestInstallation): Promise<Record<string, unknown>> {
  const submitted: (SubmissionRow & { readonly bht03: string })[] = [];
  const paid: PaymentRow[] = [];
  const received: Awaited<ReturnType<typeof remittances>>[number][] = [];
  const duplicates: string[] = [];
  const files = journeyFiles();
  let sent: { readonly bht03: string; readonly stretch: JournalStretch }[] = [];
  for (const [index, file] of files.entries()) {
    const bytes = readJourney(file);
    const { stretch, result } = await during(installation, () => sendFile(installation, "x12", file, bytes));
    if (result.some(({ code }) => code === "DUPLICATE")) duplicates.push(file);
    sent.push({ bht03: /BHT\W0019\W\d\d\W(\w+)\W/.exec(bytes.toString("latin1"))?.[1] ?? "", stretch });
    // No claim is sent twice on a day, so what its lines are is asked before the next.
    if (files[index + 1]?.slice(0, 8) === file.slice(0, 8)) continue;
    await installation.applied(60, false);
    for (const { bht03, stretch } of sent) {
      submitted.push(...(await submissions(installation, stretch)).map((row) => ({ ...row, bht03 })));
      paid.push(...(await payments(installation, stretch)));
      received.push(...(await remittances(installation, stretch)));
    }
    sent = [];
  }
  return {
    duplicates,
    claims: {
      submissions: submitted.length,
      distinct_clm01: new Set(submitted.map(({ number }) => number)).size,
      total_charge: sum(submitted.map(({ charge }) => charge)),
      by_frequency: countBy(submitted.map(({ frequency }) => frequency)),
      listing: listingHash(
        submitted.map((row) =>
          [row.bht03, row.number, money(row.charge), row.frequency, row.icn, row.lines].join("\t"),
        ),
      ),
    },
    remittance: {
      claims: paid.length,
      by_status: countBy(paid.map(({ status }) => status)),
      paid: sum(paid.map((row) => row.paid)),
      bpr02: sum(received.map((row) => row.paid)),
      plb: sum(received.map(({ adjustments }) => adjustments)),
      unbalanced_trn02: received.filter(({ balanced }) => !balanced).map(({ trace }) => trace),
      listing: listingHash(
        paid.map((row) => [row.trace, row.number, row.status, money(row.charge), money(row.paid), row.icn].join("\t")),
      ),
    },
  };
}

/** Every claim by its number (CLM01): status, money and history, as the generator knows them. */
export const trueClaims = (truth: JourneysTruth): Record<string, unknown> =>
  Object.fromEntries(Object.entries(truth.claims).map(([number, claim]) => [number, claimOf(claim)]));

function claimOf(claim: TrueClaim): unknown {
  const amount = (text = "0") => money(centsOf(text));
  const submitted = claim.history.flatMap((step) =>
    step["837"] ? [[dayOf(step["837"]), step.frequency, amount(step.charge), step.icn_ref ?? ""].join(" ")] : [],
  );
  const paid = claim.history.flatMap((step) =>
    step["835"] ? [[step["835"], step.status, amount(step.charge), amount(step.paid), step.icn ?? ""].join(" ")] : [],
  );
  return {
    status: statusOf(claim),
    paid: amount(claim.net_paid),
    billed: amount(claim.last_charge),
    submission_missing: false,
    submissions: submitted.sort(),
    payments: paid.sort(),
  };
}

/** The same as the read models show it. */
export async function shownClaims({ query }: TestInstallation): Promise<Record<string, unknown>> {
  const rows = await query(
    `SELECT c.patient_control_number AS number, c.status, c.paid_amount::text AS paid, c.billed_amount::text AS billed,
       c.submission_missing,
       ARRAY(SELECT concat_ws(' ', (extract(epoch FROM date_trunc('day', s.submitted_at, 'UTC')) * 1000)::bigint,
           s.frequency_code, s.billed_amount, coalesce(s.payer_control_number, ''))
         FROM projections_restricted.claim_submissions s WHERE s.claim_id = c.claim_id) AS submissions,
       ARRAY(SELECT concat_ws(' ', p.trace_number, p.status_code, p.charge_amount, p.paid_amount,
           coalesce(p.payer_control_number, ''))
         FROM projections_restricted.claim_payments p WHERE p.claim_id = c.claim_id) AS payments
     FROM projections_restricted.claims c WHERE c.patient_control_number ~ '^[NS]C\\d{6}$'`,
  );
  return Object.fromEntries(
    rows.map(({ number, submissions: submitted, payments: paid, ...row }) => [
      number,
      { ...row, submissions: [...(submitted as string[])].sort(), payments: [...(paid as string[])].sort() },
    ]),
  );
}
