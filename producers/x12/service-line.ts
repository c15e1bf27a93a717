import { cents, readDate } from "./element.js";
import type { Segment } from "./tokenizer.js";

/** A service line of an 837 while it is read; amounts in cents. */
export interface ClaimLine {
  lineNumber: number;
  procedureQualifier: string | null;
  procedureCode: string | null;
  modifiers: readonly string[];
  revenueCode: string | null;
  chargeAmount: number;
  units: string | null;
  serviceDate: string | null;
  serviceDateEnd: string | null;
}

/** A line as its LX opens it. @param ordinal its number where LX01 is none. */
export function lineOf(segment: Segment, ordinal: number): ClaimLine {
  const given = segment.elements[1] ?? "";
  return {
    lineNumber: /^\d{1,9}$/.test(given) ? Number(given) : ordinal,
    procedureQualifier: null,
    procedureCode: null,
    modifiers: [],
    revenueCode: null,
    chargeAmount: 0,
    units: null,
    serviceDate: null,
    serviceDateEnd: null,
  };
}

/** A composite procedure identifier (C003): qualifier, code, up to four modifiers. */
export function procedureOf(
  segment: Segment,
  at: number,
): Pick<ClaimLine, "procedureQualifier" | "procedureCode" | "modifiers"> {
  const parts = (segment.elements[at] ?? "").split(String.fromCharCode(segment.delimiters.component));
  return {
    procedureQualifier: parts[0] || null,
    procedureCode: parts[1] || null,
    modifiers: parts.slice(2, 6).filter((modifier) => modifier !== ""),
  };
}

/** First and last day of a service date in format D8 or RD8. */
export function daysOf(text: string): Pick<ClaimLine, "serviceDate" | "serviceDateEnd"> {
  const [from, to] = text.split("-");
  return { serviceDate: readDate(from), serviceDateEnd: to === undefined ? null : readDate(to) };
}

/** Reads a segment that follows the line's LX: SV1 (professional), SV2 (institutional), SV3 (dental), DTP*472. */
export function readLine(line: ClaimLine, segment: Segment): void {
  const { elements } = segment;
  switch (segment.id) {
    case "SV1":
      Object.assign(line, procedureOf(segment, 1));
      line.chargeAmount = cents(elements[2]) ?? 0;
      line.units = elements[4] || null;
      return;
    case "SV2":
      line.revenueCode = elements[1] || null;
      Object.assign(line, procedureOf(segment, 2));
      line.chargeAmount = cents(elements[3]) ?? 0;
      line.units = elements[5] || null;
      return;
    case "SV3":
      Object.assign(line, procedureOf(segment, 1));
      line.chargeAmount = cents(elements[2]) ?? 0;
      line.units = elements[6] || null;
      return;
    case "DTP":
      if (elements[1] === "472") Object.assign(line, daysOf(elements[3] ?? ""));
  }
}
