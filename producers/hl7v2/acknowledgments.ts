import type { AnswerCode } from "./reasons.js";

/** When an acknowledgment is wanted (HL7 table 0155): always, never, on errors only, on success only. */
export const ackConditions = ["AL", "NE", "ER", "SU"] as const;
export type AckCondition = (typeof ackConditions)[number];

/** MSA-1 (HL7 table 0008): application accept, error, reject; commit accept, error, reject. */
export type AcknowledgmentCode = AnswerCode | "CA" | "CE" | "CR";

/** How a profile wants its messages acknowledged. */
export interface AckPolicy {
  readonly mode: "original" | "header" | "enhanced";
  readonly accept: AckCondition;
  readonly application: AckCondition;
}

/** Which acknowledgments of the enhanced mode are wanted: on receipt (MSH-15) and after reading (MSH-16). */
export interface WantedAcknowledgments {
  readonly accept: AckCondition;
  readonly application: AckCondition;
}

const conditionOf = (text: string): AckCondition | undefined => ackConditions.find((condition) => condition === text);

/**
 * What a message's header and its partner's profile ask for (HL7 v2.9 chapter 2.9.2 and 2.9.3).
 * @param accept MSH-15 as sent; empty when there is none.
 * @param application MSH-16 as sent.
 * @returns undefined for the original mode, in which every message gets one AA, AE or AR.
 */
export function wantedAcknowledgments(
  policy: AckPolicy,
  accept: string,
  application: string,
): WantedAcknowledgments | undefined {
  const [first, second] = [conditionOf(accept), conditionOf(application)];
  if (policy.mode === "original") return undefined;
  if (policy.mode === "enhanced") {
    return { accept: first ?? policy.accept, application: second ?? policy.application };
  }
  return first || second ? { accept: first ?? "NE", application: second ?? "NE" } : undefined;
}

const isWanted = (condition: AckCondition, success: boolean): boolean =>
  condition === "AL" || condition === (success ? "SU" : "ER");

/**
 * The acknowledgments that a verdict comes to, in the order in which they are sent.
 *
 * In enhanced mode CA says that the message is in the journal, and AA, AE or AR what was made of it. What can't be read
 * gets CR and nothing after it. An error in a sender's message that no application acknowledgment would tell is told
 * by CE. What isn't durable is always told, whatever the sender wants to hear: it has to send it again.
 */
export function acknowledgmentsFor(
  code: AnswerCode,
  durable: boolean,
  wanted: WantedAcknowledgments | undefined,
): readonly AcknowledgmentCode[] {
  if (!wanted) return [code];
  if (!durable) return ["CR"];
  const application = isWanted(wanted.application, code === "AA");
  const accept = code === "AA" || (code === "AE" && application) ? "CA" : code === "AE" ? "CE" : "CR";
  const codes: AcknowledgmentCode[] = isWanted(wanted.accept, accept === "CA") ? [accept] : [];
  if (application && codes[0] !== "CR") codes.push(code);
  return codes;
}
