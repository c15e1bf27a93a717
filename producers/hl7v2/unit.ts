import type { ReceivedUnit, Surrogate, Verdict } from "../../engine/intake/connector.js";
import { type AcknowledgmentCode, acknowledgmentsFor, wantedAcknowledgments } from "./acknowledgments.js";
import { type Addressed, addressOf, unaddressed, writeAnswer } from "./answer.js";
import { decodeSegments } from "./charset.js";
import { readDelimiters } from "./delimiters.js";
import { component, hasTooMuch, type Message, parseMessage, placeOf, rawField } from "./message.js";
import { type Partner, partnerOfConnection, senderOf } from "./partner.js";
import type { Profile } from "./profile.js";
import { type AnswerCode, type ReasonName, reasonNames, reasons } from "./reasons.js";
import { normalisedContent, segmentMessage } from "./split.js";
import type { Suspended } from "./suspended.js";
import { interpret } from "./translate.js";
import { headerProblems, type Problem } from "./validate.js";

/** What reading a message depends on beside its bytes. */
export interface ReadingContext {
  readonly profiles: ReadonlyMap<string, Profile>;
  readonly surrogate: Surrogate;
  /** Epoch milliseconds: when we had the whole message. */
  readonly receivedAt: number;
  /** Partners whose profiles can't be used, where there are any. */
  readonly suspended?: Suspended | undefined;
  /** The partner that the connection belongs to, where it belongs to one. */
  readonly bound?: string | undefined;
  /** Only the head of the message is here: it was over the size limit. */
  readonly cutOff?: boolean;
  /** Told of a failure of the translation itself: the message is rejected and kept, and other senders go on. */
  readonly onFailure?: (error: unknown) => void;
}

/** A message read: what goes to the journal, and how it is answered. */
export interface ReadMessage {
  readonly unit: ReceivedUnit;
  /** Its sender's profile can't be used now: it is not journalled, and is to be sent again. */
  readonly isSuspended: boolean;
  /** The acknowledgments for a verdict, the unit's own or the one that the journal came to, in the order to be sent. */
  readonly answer: (verdict: Verdict) => readonly Buffer[];
  /** The acknowledgment of what is not durable: rejected with 207, to be sent again. */
  readonly tryAgain: () => readonly Buffer[];
}

/** Everything known of a message when its unit is put together. */
interface Findings {
  readonly bytes: Uint8Array;
  readonly content: Buffer;
  readonly message: Message | undefined;
  /** Character set that the message was decoded from. */
  readonly charset?: string;
  readonly partner: Partner | undefined;
  readonly problems: readonly Problem[];
  readonly flags: readonly string[];
  readonly sealFor: readonly string[];
  readonly events: ReceivedUnit["events"];
}

/**
 * From one message's bytes to its unit: split, decode, parse, find the partner, judge, translate. Pure: the same bytes in
 * the same context give the same unit.
 */
export function readMessage(bytes: Uint8Array, context: ReadingContext): ReadMessage {
  try {
    return read(bytes, context);
  } catch (error) {
    context.onFailure?.(error);
    const partner = partnerOfConnection(context.profiles, context.bound);
    const problems: Problem[] = [{ reason: "UNTRANSLATABLE", place: "MSH" }];
    const content = Buffer.from(bytes);
    return assemble(context, {
      bytes,
      content,
      message: undefined,
      partner,
      problems,
      flags: [],
      sealFor: [],
      events: [],
    });
  }
}

function read(bytes: Uint8Array, context: ReadingContext): ReadMessage {
  const raw = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
  const split = segmentMessage(raw);
  const content = normalisedContent(split);
  const header = split.segments[0] ?? "";
  const nobody = () => partnerOfConnection(context.profiles, context.bound);
  const unreadable = (reason: ReasonName, place: string, partner = nobody()): ReadMessage =>
    assemble(context, {
      bytes,
      content,
      message: undefined,
      partner,
      problems: [{ reason, place }],
      flags: split.flags,
      sealFor: [],
      events: [],
    });
  if (raw.startsWith("\u00ff\u00fe") || raw.startsWith("\u00fe\u00ff")) return unreadable("NOT_DECODABLE", "MSH");
  if (!header.startsWith("MSH")) return unreadable("NO_MSH", "MSH");
  const declared = readDelimiters(header);
  if (declared === undefined) return unreadable("BAD_DELIMITERS", "MSH-2");
  const { delimiters } = declared;
  const fields = header.split(delimiters.field);
  const first = (field: number) => (fields[field - 1] ?? "").split(delimiters.repetition)[0] ?? "";
  const name = (field: number) => (first(field).split(delimiters.component)[0] ?? "").trim();
  // Whose it is decides about the character set, so the sender's name is read by what the message says of itself.
  const said = (field: number) => decodeSegments([name(field)], name(18), "detect", delimiters.field).segments[0] ?? "";
  const sender = senderOf(context.profiles, said(3), said(4), context.bound, context.suspended);
  const { partner } = sender;
  if (fields.length < 9) return unreadable("SHORT_MSH", "MSH-9", partner);
  const fallback = partner?.profile.charset ?? "detect";
  const decoded = decodeSegments(split.segments, name(18), fallback, delimiters.field);
  const message = parseMessage(decoded.segments, delimiters);
  const isTooMuch = hasTooMuch(message);
  const flags = [...split.flags, ...declared.flags, ...decoded.flags];
  const findings = { bytes, content, message, charset: decoded.charset, partner, flags };
  if (partner === undefined) {
    const problems: Problem[] = [{ reason: sender.problem, place: "MSH-4" }];
    return assemble(context, { ...findings, problems, sealFor: [], events: [] });
  }

  const problems: Problem[] = headerProblems(message, partner.profile);
  if (sender.problem) problems.push({ reason: sender.problem, place: "MSH-4" });
  if (context.cutOff || isTooMuch || bytes.byteLength > partner.profile.messageLimit)
    problems.push({ reason: "TOO_LARGE", place: "MSH" });
  if (decoded.problem) {
    const { reason, segment, field } = decoded.problem;
    const at = message.segments[segment] ?? message.header;
    const number = at === message.header ? field + 1 : field;
    problems.push({ reason, place: reason === "UNKNOWN_CHARSET" ? "MSH-18" : placeOf(message, at, number) });
  }
  // What has too many segments is not read further: that would be the very work that the limit is for.
  if (isTooMuch) return assemble(context, { ...findings, problems, sealFor: [], events: [] });
  const facility = component(message.header, 4, 1);
  const speaker = { facility, profile: partner.profile, surrogate: context.surrogate };
  const meaning = interpret(message, speaker, context.receivedAt, flags);
  return assemble(context, {
    ...findings,
    problems: [...problems, ...meaning.problems],
    flags: meaning.flags,
    sealFor: meaning.patients,
    events: meaning.events,
  });
}

/** How a reason is answered: the profile's word where it may have one, else the standard's. */
function answerFor(reason: ReasonName, profile: Profile | undefined): AnswerCode {
  const definition = reasons[reason];
  const policy: Partial<Record<ReasonName, AnswerCode>> = profile?.ackPolicy.answers ?? {};
  return (definition.negotiable ? policy[reason] : undefined) ?? definition.answer;
}

/** The problem that decides: a rejection before an error, then in the order of the reasons' table. */
function decisive(
  problems: readonly Problem[],
  profile: Profile | undefined,
): (Problem & { answer: AnswerCode }) | undefined {
  let best: (Problem & { answer: AnswerCode; rank: number }) | undefined;
  for (const problem of problems) {
    const answer = answerFor(problem.reason, profile);
    if (answer === "AA") continue;
    const rank = reasonNames.indexOf(problem.reason) + (answer === "AR" ? 0 : reasonNames.length);
    if (best === undefined || rank < best.rank) best = { ...problem, answer, rank };
  }
  return best;
}

function assemble(context: ReadingContext, findings: Findings): ReadMessage {
  const { message, partner, content } = findings;
  const profile = partner?.profile;
  const refusal = decisive(findings.problems, profile);
  const verdict: Verdict = refusal
    ? { accepted: false, code: reasons[refusal.reason].code, location: refusal.place }
    : { accepted: true };
  const asked = (field: number) => (message ? component(message.header, field, 1) : "");
  const wanted = profile && wantedAcknowledgments(profile.ackPolicy, asked(15), asked(16));
  // Acknowledgments are never acknowledged, or two systems would go on for ever.
  const isAnswered = message === undefined || component(message.header, 9, 1) !== "ACK";
  const to: Addressed = message ? addressOf(message, findings.charset ?? "ASCII") : unaddressed;
  const isOwn = (given: Verdict) => !given.accepted && !verdict.accepted && given.code === verdict.code;
  const codeOf = (given: Verdict): AnswerCode => {
    if (given.accepted) return "AA";
    // A refusal by the journal (a unit over its limit) comes back the same whenever it is sent: an error, not a retry.
    return isOwn(given) && refusal ? refusal.answer : "AE";
  };
  const codesOf = (code: AnswerCode, durable: boolean): readonly AcknowledgmentCode[] =>
    isAnswered ? acknowledgmentsFor(code, durable, wanted) : [];
  const write = (codes: readonly AcknowledgmentCode[], given: Verdict, reason?: string): Buffer[] =>
    codes.map((code) => {
      const secondary = wanted !== undefined && code.startsWith("A");
      return writeAnswer({
        ...{ to, code, verdict: given, secondary, content, at: context.receivedAt },
        ...(reason && { reason }),
      });
    });

  const name = partner?.name ?? "unknown";
  const facility = message ? component(message.header, 4, 1).slice(0, 64) : "";
  const feed = `${name}/${facility}`;
  const controlId = message ? rawField(message.header, 10).trim() : "";
  const flags = [...new Set([...findings.flags, ...findings.problems.map(({ reason }) => reason)])];
  const unit: ReceivedUnit = {
    entry: "UNIT",
    partner: name,
    feed,
    format: formatOf(message),
    bytes: findings.bytes,
    verdict,
    flags,
    answer: (given) => codesOf(codeOf(given), true).join(" ") || "none",
    sealFor: findings.sealFor,
    events: verdict.accepted ? findings.events : [],
    ...(message && controlId !== "" && { controlId: controlIdOf(message, name, controlId) }),
    ...(verdict.accepted && { identity: { rule: "EVERY", parts: ["hl7v2", name, feed, content] } }),
  };
  const isSuspended = refusal?.reason === "PROFILE_UNUSABLE";
  return {
    unit,
    isSuspended,
    answer: (given) => write(codesOf(codeOf(given), true), given, isOwn(given) ? refusal?.reason : undefined),
    tryAgain: () =>
      write(codesOf("AR", false), { accepted: false, code: "207" }, isSuspended ? "PROFILE_UNUSABLE" : "NOT_DURABLE"),
  };
}

function controlIdOf(message: Message, partner: string, value: string): NonNullable<ReceivedUnit["controlId"]> {
  return { scope: [partner, rawField(message.header, 3), rawField(message.header, 4)], value };
}

/** `ADT^A01`. What isn't of that form may be anything, and stays out of the clear. */
function formatOf(message: Message | undefined): string {
  if (message === undefined) return "HL7V2";
  const type = component(message.header, 9, 1);
  const trigger = component(message.header, 9, 2);
  if (!/^[A-Z][A-Z0-9]{2}$/.test(type)) return "HL7V2";
  return /^[A-Z][A-Z0-9]{2}$/.test(trigger) ? `${type}^${trigger}` : type;
}
