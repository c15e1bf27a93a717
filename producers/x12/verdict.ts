import type { Verdict } from "../../engine/intake/connector.js";
import type { GroupReport, InterchangeReport, SetReport } from "./check.js";
import type { SegmentError } from "./set-check.js";

/** A verdict with the short form of the answer that tells it. */
export interface Judgement {
  readonly verdict: Verdict;
  /** `999:A`, `999:R:5`, `999:AK9R:4`, `TA1:R:025`; `none` for a set that nobody acknowledges. */
  readonly answer: string;
}

/** Sets that are acknowledgments themselves and are never acknowledged (999 guide, 1.4). */
const ACKNOWLEDGMENTS = new Set(["997", "999"]);

/** Places of the errors that IK502 and AK905 name. */
const SET_PLACES: Readonly<Record<string, string>> = {
  "1": "ST01",
  "2": "SE",
  "3": "SE02",
  "4": "SE01",
  "7": "ST02",
  "23": "ST02",
  I6: "ST03",
};
const GROUP_PLACES: Readonly<Record<string, string>> = {
  "1": "GS01",
  "2": "GS08",
  "3": "GE",
  "4": "GE02",
  "5": "GE01",
};
const INTERCHANGE_PLACES: Readonly<Record<string, string>> = {
  "001": "IEA02",
  "006": "ISA06",
  "008": "ISA08",
  "014": "ISA09",
  "017": "ISA12",
  "018": "ISA13",
  "020": "ISA15",
  "021": "IEA01",
  "023": "IEA",
  "024": "GS",
  "025": "ISA13",
};

export function isAcknowledged(set: SetReport): boolean {
  return !ACKNOWLEDGMENTS.has(set.header.set);
}

/** 997 for version 4010, else 999. */
export function acknowledgmentOf(group: GroupReport): "997" | "999" {
  return group.header.version.startsWith("004") ? "997" : "999";
}

export function isRejected(set: SetReport): boolean {
  return set.codes.length > 0 || set.refusal !== null;
}

/** IK502 codes of a set; a refusal counts as segments in error. */
export function setCodes(set: SetReport): readonly string[] {
  return set.codes.length === 0 && set.refusal ? ["5"] : set.codes;
}

function rejected(code: string, location: string | undefined, answer: string): Judgement {
  return { verdict: { accepted: false, code, ...(location === undefined ? {} : { location }) }, answer };
}

/** Verdict on an interchange as a whole: what its TA1 says. */
export function judgeInterchange(interchange: InterchangeReport): Judgement {
  const { note } = interchange;
  if (note === "000") return { verdict: { accepted: true }, answer: "TA1:A:000" };
  const code = note === "025" ? "DUPLICATE" : `X12_TA1_${note}`;
  return rejected(code, INTERCHANGE_PLACES[note], `TA1:R:${note}`);
}

/** Verdict on a set, and so on every unit of it. */
export function judgeSet(interchange: InterchangeReport, group: GroupReport, set: SetReport): Judgement {
  if (interchange.note !== "000") return judgeInterchange(interchange);
  const form = acknowledgmentOf(group);
  const [groupCode] = group.codes;
  if (groupCode) return rejected(`X12_AK9_${groupCode}`, GROUP_PLACES[groupCode], `${form}:AK9R:${groupCode}`);
  const [code] = setCodes(set);
  if (!code) return { verdict: { accepted: true }, answer: isAcknowledged(set) ? `${form}:A` : "none" };
  const answer = `${form}:R:${code}`;
  const [error] = set.errors;
  if (code === "5" && error) return rejected(errorCode(error), placeOf(error), answer);
  if (set.refusal) return rejected(set.refusal.code, set.refusal.location, answer);
  return rejected(`X12_IK5_${code}`, SET_PLACES[code], answer);
}

function errorCode(error: SegmentError): string {
  const [element] = error.elements;
  return element ? `X12_IK4_${element.code}` : `X12_IK3_${error.code}`;
}

/** `DTP03`, `SV202-1`, `HI`. */
function placeOf(error: SegmentError): string {
  const [element] = error.elements;
  if (!element) return error.segment;
  const component = element.component === null ? "" : `-${element.component}`;
  return `${error.segment}${String(element.at).padStart(2, "0")}${component}`;
}
