import type { EventDraft } from "../../engine/intake/connector.js";
import { contentHash } from "../../engine/intake/content-hash.js";
import { asBefore } from "./later-fields.js";
import type { Data } from "./read-form.js";
import { mustSpeakFor, patientOf, visitOf } from "./references.js";
import type { Meaning, Sender, Told } from "./telling.js";
import { centsOf, instantOf, isDay, neededText, textOf, ValueProblem } from "./values.js";

const payments = new Set(["ClaimAdjudicated", "ClaimPaymentReversed"]);
const day = 86_400_000;

/** Claims, their payments and remittances. The ids are those that an 837 and an 835 give the same things. */
export function translateClaim(told: Told, sender: Sender): Meaning {
  if (told.type === "RemittanceReceived") return remittance(told, sender);
  const { type, time, data } = told;
  const { profile, surrogate } = sender;
  const payment = payments.has(type);
  const payerId = neededText(data, "payerId", "data");
  const provider = neededText(data, "provider", "data");
  if (payment) mustSpeakFor(profile.payers, payerId, "data.payerId");
  else mustSpeakFor(profile.providers, provider, "data.provider");
  const details = (data.details ?? {}) as Data;
  const number = neededText(details, "patientControlNumber", "data.details");
  // CLM05-3: a single character, of which a submission is named too.
  if ((textOf(data, "frequencyCode") ?? "").length > 2) throw new ValueProblem("FIELD_INVALID", "data.frequencyCode");
  const member = textOf(details, "memberId");
  const patientId = patientOf(data, sender) ?? (member === null ? null : surrogate("patient", payerId, "MI", member));
  const subject = surrogate("claim", provider, "", number);
  const payerNumber = textOf(details, "payerControlNumber");
  const { provider: _provider, patient: _patient, visit: _visit, details: _details, ...rest } = data;
  const common = {
    ...(withValues(rest, "data") as Data),
    patientId,
    payerId,
    providerNpi: npiOf(provider),
    payerControlNumberHash: payerNumber === null ? null : surrogate("payer-control", provider, "", payerNumber),
  };
  const fields = payment ? paymentFields(common, provider, sender) : { ...common, visitId: visitOf(data, sender) };
  const flags = patientId === null ? ["PATIENT_UNIDENTIFIED"] : [];
  const sealFor = patientId ?? subject;
  const event = {
    type,
    subject,
    time,
    timePrecision: "MILLISECOND",
    fields: { ...fields, contentHash: contentHash(asBefore(fields)), flags },
    sealed: details,
    sealFor,
  };
  return { events: [event as unknown as EventDraft], sealFor: [sealFor] };
}

const npiOf = (text: string): string | null => (/^\d{10}$/.test(text) ? text : null);

function paymentFields(common: Data, provider: string, { surrogate }: Sender): Data {
  const trace = neededText(common, "traceNumber", "data");
  const adjustments = common.adjustments as readonly { readonly amount: number }[];
  const adjusted = adjustments.reduce((sum, { amount }) => sum + amount, 0);
  if ((common.occurrence as number) < 1) throw new ValueProblem("FIELD_INVALID", "data.occurrence");
  const lines = (common.lines as readonly Data[]).map((line) => {
    const control = textOf(line, "controlNumber");
    return { ...line, controlNumber: control === null ? null : surrogate("claim", provider, "line", control) };
  });
  return {
    ...common,
    lines,
    remittanceId: surrogate("remittance", common.payerId as string, "", trace),
    paidAt: Math.floor((common.paidAt as number) / day) * day,
    balanced: (common.chargeAmount as number) - adjusted === common.paidAmount,
  };
}

function remittance({ data, time }: Told, { profile, surrogate }: Sender): Meaning {
  const payerId = neededText(data, "payerId", "data");
  mustSpeakFor(profile.payers, payerId, "data.payerId");
  const trace = neededText(data, "traceNumber", "data");
  const { payee: _payee, ...rest } = data;
  const read = withValues(rest, "data") as Data;
  const adjustments = read.providerAdjustments as readonly { readonly amount: number }[];
  const providerAdjustmentAmount = adjustments.reduce((sum, { amount }) => sum + amount, 0);
  const difference = (read.paidAmount as number) - ((read.claimsAmount as number) - providerAdjustmentAmount);
  const paidAt = Math.floor((read.paidAt as number) / day) * day;
  const subject = surrogate("remittance", payerId, "", trace);
  const payeeNpi = npiOf(textOf(data, "payee") ?? "");
  const event = {
    type: "RemittanceReceived",
    subject,
    time,
    timePrecision: "MILLISECOND",
    fields: { ...read, paidAt, payeeNpi, providerAdjustmentAmount, difference, balanced: difference === 0 },
  };
  return { events: [event as unknown as EventDraft], sealFor: [subject] };
}

/** Text of amounts, days and instants as values, by the names that such fields have. */
function withValues(value: unknown, place: string): unknown {
  if (Array.isArray(value)) return value.map((item, index) => withValues(item, `${place}[${index}]`));
  if (typeof value !== "object" || value === null) return value;
  const read: Record<string, unknown> = {};
  for (const [name, item] of Object.entries(value)) {
    const at = `${place}.${name}`;
    if (typeof item !== "string") read[name] = withValues(item, at);
    else if (/amount$/i.test(name)) read[name] = centsOf(item, at);
    else if (name === "paidAt") read[name] = instantOf(item, at);
    else if (/^(service|fiscal)Date/.test(name)) read[name] = dayOf(item, at);
    else read[name] = item;
  }
  return read;
}

function dayOf(text: string, place: string): string {
  if (!isDay(text)) throw new ValueProblem("FIELD_INVALID", place);
  return text;
}
