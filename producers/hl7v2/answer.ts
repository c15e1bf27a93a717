import { createHash } from "node:crypto";
import type { Verdict } from "../../engine/intake/connector.js";
import type { AcknowledgmentCode } from "./acknowledgments.js";
import { encodeText } from "./charset.js";
import { formatInstant } from "./datetime.js";
import { type Delimiters, standardDelimiters } from "./delimiters.js";
import { component, type Message, rawField, type Segment } from "./message.js";

import { conditionTexts } from "./reasons.js";

/** What of a message its answer repeats. All texts as sent, in the message's own delimiters. */
export interface Addressed {
  readonly delimiters: Delimiters;
  readonly sendingApplication: string;
  readonly sendingFacility: string;
  readonly receivingApplication: string;
  readonly receivingFacility: string;
  readonly trigger: string;
  readonly controlId: string;
  readonly processingId: string;
  readonly version: string;
  /** MSH-18 as sent. */
  readonly charset: string;
  /** What the bytes were found to be: the answer is written so. */
  readonly writing: string;
}

/** What can be said to a sender whose header can't be read. */
export const unaddressed: Addressed = {
  delimiters: standardDelimiters,
  sendingApplication: "",
  sendingFacility: "",
  receivingApplication: "",
  receivingFacility: "",
  trigger: "",
  controlId: "",
  processingId: "P",
  version: "2.5.1",
  charset: "",
  writing: "ASCII",
};

/** @param writing character set that the message was decoded from. */
export function addressOf(message: Message, writing: string): Addressed {
  const { header } = message;
  const oneLine = (segment: Segment, field: number) => rawField(segment, field).replaceAll("\n", " ");
  return {
    delimiters: message.delimiters,
    sendingApplication: oneLine(header, 3),
    sendingFacility: oneLine(header, 4),
    receivingApplication: oneLine(header, 5),
    receivingFacility: oneLine(header, 6),
    trigger: component(header, 9, 2),
    controlId: oneLine(header, 10),
    processingId: component(header, 11, 1) || "P",
    version: component(header, 12, 1) || "2.5.1",
    charset: component(header, 18, 1),
    writing,
  };
}

/** An answer to be written. */
export interface AnswerRequest {
  readonly to: Addressed;
  readonly code: AcknowledgmentCode;
  readonly verdict: Verdict;
  /** Name of the reason, for ERR-5; ours, stable. */
  readonly reason?: string;
  /** An application acknowledgment of the enhanced mode: it wants no acknowledgment itself (MSH-15 and MSH-16 NE). */
  readonly secondary?: boolean;
  /** The message answered: the same bytes get an answer with the same control id. */
  readonly content: Uint8Array;
  /** Epoch milliseconds, for MSH-7. */
  readonly at: number;
}

/**
 * Writes an acknowledgment: MSH, MSA, and for a refusal an ERR that names the place and the condition (table 0357),
 * never a value (HL7 v2.9 chapter 2.9 and 2.14.5). In the delimiters and the character set of the message answered.
 */
export function writeAnswer(request: AnswerRequest): Buffer {
  const { to, verdict } = request;
  const { field, component: part, repetition, escape: mark, subcomponent, truncation } = to.delimiters;
  const hash = createHash("sha256").update(request.content);
  // Two acknowledgments of one message are two messages.
  if (request.secondary) hash.update("application");
  const id = hash.digest("hex").slice(0, 20).toUpperCase();
  const type = to.trigger === "" ? "ACK" : ["ACK", to.trigger, "ACK"].join(part);
  const msh = [
    "MSH",
    part + repetition + mark + subcomponent + (truncation ?? ""),
    to.receivingApplication,
    to.receivingFacility,
    to.sendingApplication,
    to.sendingFacility,
    formatInstant(request.at),
    "",
    type,
    id,
    to.processingId,
    to.version,
    ...(request.secondary ? ["", "", "NE", "NE", ""] : ["", "", "", "", ""]),
    to.charset,
  ];
  while (msh.at(-1) === "") msh.pop();
  const header = msh.join(field);
  const msa = ["MSA", request.code, to.controlId].join(field);
  const told = verdict.accepted || request.code === "CA";
  const segments = told ? [header, msa] : [header, msa, errorSegment(request, verdict.code, verdict.location)];
  return encodeText(`${segments.join("\r")}\r`, to.writing);
}

const PLACE = /^([A-Z][A-Z0-9]{2})(?:\[(\d+)\])?(?:-(\d+)(?:\.(\d+))?)?$/;

function errorSegment(request: AnswerRequest, code: string, location: string | undefined): string {
  const { field, component: part, subcomponent } = request.to.delimiters;
  const [, segment, sequence, number, piece] = PLACE.exec(location ?? "") ?? [];
  const place: string[] = [];
  if (segment !== undefined) {
    place.push(segment, sequence ?? "1");
    if (number !== undefined) place.push(number);
    if (piece !== undefined) place.push("1", piece);
  }
  const text = conditionTexts[code];
  const condition = text === undefined ? ["207", conditionTexts["207"] ?? "", "HL70357"] : [code, text, "HL70357"];
  // Before v2.5 the place and the condition stood together in ERR-1.
  const old = /^2\.[0-4]/.test(request.to.version) && segment !== undefined;
  const errorCodeAndLocation = old
    ? [segment, sequence ?? "1", number ?? "", condition.join(subcomponent)].join(part)
    : "";
  const reason = request.reason ?? (text === undefined ? code : "");
  return ["ERR", errorCodeAndLocation, place.join(part), condition.join(part), "E", reason].join(field);
}
