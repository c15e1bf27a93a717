import { isOverlong } from "../../engine/intake/surrogate.js";
import { parseTimeStamp } from "./datetime.js";
import { hasUnknownEscape } from "./escape.js";
import type { PatientIdentifier } from "./identify.js";
import { isMerge, type Merges } from "./merge.js";
import {
  component,
  type Message,
  NULL_VALUE,
  orNull,
  placeOf,
  rawField,
  type Segment,
  segmentNamed,
  triggerOf,
} from "./message.js";
import type { Profile } from "./profile.js";
import type { ReasonName } from "./reasons.js";
import { dateFields, mergeSegmentTriggers, messageTypes, patientMessageTypes, triggerEvents } from "./tables.js";

/** Something wrong in a message, and where: a place, never a value. */
export interface Problem {
  readonly reason: ReasonName;
  readonly place: string;
}

const VERSION = /^2\.[1-9](?:\.[0-9A-Za-z]+)?$/;
const SEGMENT_ID = /^[A-Z][A-Z0-9]{2}$/;

/** What is wrong with the header of a message that could be parsed. */
export function headerProblems(message: Message, profile: Profile): Problem[] {
  const { header } = message;
  const problems: Problem[] = [];
  const report = (reason: ReasonName, place: string) => problems.push({ reason, place });
  const type = component(header, 9, 1);
  const trigger = component(header, 9, 2);
  if (type === "") report("NO_MSH9", "MSH-9");
  // Types and triggers that begin with Z are for partners to agree on.
  else if (!messageTypes.has(type) && !type.startsWith("Z")) report("UNKNOWN_TYPE", "MSH-9.1");
  else if (trigger !== "" && !triggerEvents.has(trigger) && !trigger.startsWith("Z"))
    report("UNKNOWN_TRIGGER", "MSH-9.2");
  if (rawField(header, 10).trim() === "") report("NO_MSH10", "MSH-10");
  const processing = component(header, 11, 1);
  if (processing !== "" && !profile.processingIds.some((one) => one === processing))
    report("BAD_PROCESSING_ID", "MSH-11");
  const version = component(header, 12, 1);
  if (version === "") report("NO_MSH12", "MSH-12");
  else if (!VERSION.test(version)) report("BAD_VERSION", "MSH-12");
  return problems;
}

/** What is wrong below the header. */
export function bodyProblems(
  message: Message,
  profile: Profile,
  identifiers: readonly PatientIdentifier[],
  merges: Merges | undefined,
): Problem[] {
  const problems: Problem[] = [];
  const reported = new Set<ReasonName>();
  // The first of a kind decides and flags: to find the places of all would take the square of their number.
  const report = (reason: ReasonName, place: () => string) => {
    if (!reported.has(reason)) problems.push({ reason, place: place() });
    reported.add(reason);
  };
  const pid = segmentNamed(message, "PID");
  const type = component(message.header, 9, 1);
  const trigger = triggerOf(message);
  for (const segment of message.segments) {
    // A malformed id is not repeated: its characters may be a value that a raw line break cut off.
    if (!SEGMENT_ID.test(segment.name))
      report("BAD_SEGMENT_ID", () => `segment ${message.segments.indexOf(segment) + 1}`);
    const long = longField(message, segment, profile.fieldLimit);
    if (long !== undefined) report("OVERSIZED_FIELD", () => placeOf(message, segment, long));
    for (const field of dateFields[segment.name] ?? []) {
      const text = component(segment, field, 1);
      if (text !== "" && text !== NULL_VALUE && parseTimeStamp(text) === undefined) {
        report("BAD_DATE", () => placeOf(message, segment, field));
      }
    }
  }
  if (pid === undefined) {
    // A20 is about a bed, and names no patient.
    if (patientMessageTypes.has(type) && trigger !== "A20") report("NO_PID", () => "PID");
  } else {
    if (identifiers.length === 0) report("NO_PID3", () => "PID-3");
    else if (identifiers.some(isOverlong)) report("OVERSIZED_FIELD", () => placeOf(message, pid, 3));
    // An ADT that stops before the required PID-5, with nothing after: the rest was lost on the way.
    if (type === "ADT" && !isMerge(message) && message.segments.at(-1) === pid && pid.fieldText(5) === undefined) {
      report("TRUNCATED", () => "PID");
    }
  }
  if (mergeSegmentTriggers.has(trigger) && segmentNamed(message, "MRG") === undefined) report("NO_MRG", () => "MRG");
  else if (merges) problems.push(...merges.problems);
  return problems;
}

/** Number of the first field over the limit. */
function longField(message: Message, segment: Segment, limit: number): number | undefined {
  if (segment.text.length <= limit) return undefined;
  const index = segment.text.split(message.delimiters.field).findIndex((text) => text.length > limit);
  if (index < 0) return undefined;
  return segment === message.header ? index + 1 : index;
}

/** What is unusual in a message and no reason to refuse it. */
export function warnings(message: Message, identifiers: readonly PatientIdentifier[]): string[] {
  const flags: string[] = [];
  const { header, segments } = message;
  if (component(header, 3, 1) === "") flags.push("NO_SENDING_APPLICATION");
  if (component(header, 9, 2) === "") flags.push("NO_TRIGGER");
  const evn = segmentNamed(message, "EVN");
  if (orNull(component(evn, 2, 1)) === null && orNull(component(header, 7, 1)) === null) flags.push("NO_MESSAGE_TIME");
  if (identifiers.some(({ fromFacility }) => fromFacility)) flags.push("AUTHORITY_FROM_FACILITY");
  const order = (name: string) => segments.findIndex((segment) => segment.name === name);
  const [event, patient, visit] = [order("EVN"), order("PID"), order("PV1")];
  if ((event >= 0 && patient >= 0 && patient < event) || (visit >= 0 && patient > visit))
    flags.push("SEGMENTS_OUT_OF_ORDER");
  if (segments.some(({ name }) => name.startsWith("Z"))) flags.push("Z_SEGMENT");
  if (segments.some((segment) => segment !== header && hasUnknownEscape(segment.text, message.delimiters))) {
    flags.push("UNKNOWN_ESCAPE");
  }
  return flags;
}
