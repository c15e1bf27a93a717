import type { Chart, DemographicField, Demographics } from "./chart.js";
import type { Visit } from "./visit.js";

/** What a hospital may tell; an ADT trigger, or one of the messages that only mention patient and visit. */
export type MessageKind =
  | "A01"
  | "A02"
  | "A03"
  | "A04"
  | "A05"
  | "A08"
  | "A11"
  | "A12"
  | "A13"
  | "A18"
  | "A28"
  | "A31"
  | "A34"
  | "A38"
  | "A40"
  | "ORU"
  | "DFT"
  | "MFN";

/** One thing a hospital has to tell: its own state at that moment, from which the message is written when it is sent. */
export interface PlannedMessage {
  readonly kind: MessageKind;
  /** Time of the event (EVN-2, or MSH-7 where there is no EVN), epoch milliseconds, whole seconds. */
  readonly at: number;
  readonly chart: Chart;
  readonly demographics: Demographics;
  /** Fields sent as `""`. */
  readonly cleared: readonly DemographicField[];
  /** Whether PID carries numbers and name only, so that the receiver must keep the rest. */
  readonly brief: boolean;
  readonly visit: Visit | null;
  /** The record number retired by a merge (MRG-1). */
  readonly retired: string | null;
  /** Seed of what is of no consequence: laboratory values, charges. */
  readonly salt: number;
  /** Epoch milliseconds at which it leaves the hospital. Not before `at`; later when it is held up on the way. */
  sendAt: number;
}

/** The ways in which a message is spoilt before it leaves. */
export type Flaw = "noControlId" | "noPatientId" | "badDate" | "unknownTrigger" | "truncated" | "cutHeader";

/** One sending of one message. */
export interface Sending {
  readonly message: PlannedMessage;
  readonly sendAt: number;
  /** When its bytes were made: of a resend, the time of the first sending. */
  readonly writtenAt: number;
  readonly order: number;
  controlId: string;
  readonly flaw: Flaw | null;
  /** The same bytes as an earlier sending. */
  readonly resend: boolean;
  /** The control id of an earlier sending on other content. */
  reused: boolean;
}

/** What the standard (HL7 v2.5.1 chapter 2.9, table 0357) has us answer to a spoilt message: MSA-1 and ERR-3. */
export const refusals: Readonly<Record<Flaw, { readonly answer: "AE" | "AR"; readonly code: string }>> = {
  noControlId: { answer: "AR", code: "101" },
  noPatientId: { answer: "AE", code: "101" },
  badDate: { answer: "AE", code: "102" },
  unknownTrigger: { answer: "AR", code: "201" },
  // What was cut off are required segments before all else.
  truncated: { answer: "AE", code: "100" },
  cutHeader: { answer: "AR", code: "101" },
};
