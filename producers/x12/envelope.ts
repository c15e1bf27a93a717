import type { Delimiters, Segment } from "./tokenizer.js";

/** Interchange header (X12.5 ISA), trimmed of padding except where the answer must repeat it. */
export interface InterchangeHeader {
  readonly text: string;
  readonly senderQualifier: string;
  readonly sender: string;
  readonly receiverQualifier: string;
  readonly receiver: string;
  /** YYMMDD. */
  readonly date: string;
  readonly time: string;
  readonly version: string;
  /** ISA13. */
  readonly control: string;
  /** ISA14 is 1: the sender asks for a TA1. */
  readonly acknowledgementRequested: boolean;
  /** ISA15: P or T. */
  readonly usage: string;
  readonly delimiters: Delimiters;
}

/** Functional group header (X12.6 GS). */
export interface GroupHeader {
  readonly text: string;
  readonly functionalId: string;
  readonly sender: string;
  readonly receiver: string;
  readonly date: string;
  readonly control: string;
  /** GS08, e.g. 005010X222A1. */
  readonly version: string;
}

/** Transaction set header (ST). */
export interface SetHeader {
  readonly text: string;
  /** ST01. */
  readonly set: string;
  readonly control: string;
  /** ST03, empty where the sender leaves it out. */
  readonly guide: string;
}

export function interchangeHeaderOf(segment: Segment): InterchangeHeader {
  const at = (index: number): string => segment.elements[index] ?? "";
  return {
    text: segment.text,
    senderQualifier: at(5),
    sender: at(6).trim(),
    receiverQualifier: at(7),
    receiver: at(8).trim(),
    date: at(9),
    time: at(10),
    version: at(12),
    control: at(13),
    acknowledgementRequested: at(14) === "1",
    usage: at(15),
    delimiters: segment.delimiters,
  };
}

export function groupHeaderOf(segment: Segment): GroupHeader {
  const at = (index: number): string => (segment.elements[index] ?? "").trim();
  return {
    text: segment.text,
    functionalId: at(1),
    sender: at(2),
    receiver: at(3),
    date: at(4),
    control: at(6),
    version: at(8),
  };
}

export function setHeaderOf(segment: Segment): SetHeader {
  const at = (index: number): string => (segment.elements[index] ?? "").trim();
  return { text: segment.text, set: at(1), control: at(2), guide: at(3) };
}

/** Whether a count element says what was counted; leading zeros are allowed. */
export function countIs(element: string | undefined, counted: number): boolean {
  return element !== undefined && /^\d{1,12}$/.test(element.trim()) && Number(element) === counted;
}

/** Format of a set as the journal names it: 837P, 837I, 837D, 277CA, else ST01. */
export function formatOf(set: SetHeader, group: GroupHeader | null): string {
  const guide = set.guide || group?.version || "";
  if (set.set === "837") {
    if (/X(222|098)/.test(guide)) return "837P";
    if (/X(223|096)/.test(guide)) return "837I";
    if (/X(224|097)/.test(guide)) return "837D";
  }
  if (set.set === "277" && guide.includes("X214")) return "277CA";
  return set.set;
}
