import { compactDay, hl7Stamp } from "./calendar.js";
import type { DemographicField } from "./chart.js";
import { extras } from "./hl7-extras.js";
import type { MessageKind, PlannedMessage, Sending } from "./message.js";
import { type HospitalSender, payer } from "./senders.js";
import { locationOf } from "./visit.js";

const reserved = /[|^~\\&]/;
const escapes: Readonly<Record<string, string>> = {
  "|": "\\F\\",
  "^": "\\S\\",
  "~": "\\R\\",
  "\\": "\\E\\",
  "&": "\\T\\",
};

/** Text as a field carries it, with the delimiters escaped (HL7 v2.5.1 chapter 2.7.1). */
const escapeText = (text: string): string =>
  reserved.test(text) ? text.replace(/[|^~\\&]/g, (mark) => escapes[mark] as string) : text;

const types: Readonly<Record<MessageKind, readonly [type: string, structure: string]>> = {
  A01: ["ADT^A01", "ADT_A01"],
  A02: ["ADT^A02", "ADT_A02"],
  A03: ["ADT^A03", "ADT_A03"],
  A04: ["ADT^A04", "ADT_A01"],
  A05: ["ADT^A05", "ADT_A05"],
  A08: ["ADT^A08", "ADT_A01"],
  A11: ["ADT^A11", "ADT_A09"],
  A12: ["ADT^A12", "ADT_A09"],
  A13: ["ADT^A13", "ADT_A01"],
  A18: ["ADT^A18", "ADT_A18"],
  A28: ["ADT^A28", "ADT_A05"],
  A31: ["ADT^A31", "ADT_A05"],
  A34: ["ADT^A34", "ADT_A30"],
  A38: ["ADT^A38", "ADT_A38"],
  A40: ["ADT^A40", "ADT_A39"],
  ORU: ["ORU^R01", "ORU_R01"],
  DFT: ["DFT^P03", "DFT_P03"],
  MFN: ["MFN^M02", "MFN_M02"],
};

/** A field of PID: the value, `""` where the message clears it, or nothing, which leaves it as it is. */
function told(message: PlannedMessage, field: DemographicField, value: string | null): string {
  if (message.cleared.includes(field)) return '""';
  return message.brief || value === null ? "" : value;
}

function pid(message: PlannedMessage, noNumber: boolean, badDate: boolean): string {
  const { chart, demographics: d } = message;
  let numbers = "";
  if (!noNumber)
    for (const { authority, type, value } of chart.identifiers)
      numbers += `${numbers === "" ? "" : "~"}${value}^^^${authority}^${type}`;
  const name = `${escapeText(d.family)}^${escapeText(d.given)}${d.middle === "" ? "" : `^${escapeText(d.middle)}`}`;
  const birth = badDate ? "19800231" : told(message, "birthDate", d.birthDate?.replaceAll("-", "") ?? null);
  const rest = message.brief
    ? ""
    : `|${message.salt & 1 ? "2106-3" : "2054-5"}|${told(message, "address", d.address)}||${told(message, "phone", d.phone)}||en|${message.salt & 2 ? "M" : "S"}||${chart.recordNumber}-1^^^${chart.sender.facility}^AN`;
  return `PID|1||${numbers}||${name}||${birth}|${told(message, "sex", d.sex)}|${rest}`;
}

function pv1(message: PlannedMessage, stamp: (at: number) => string): string {
  const visit = message.visit;
  if (visit === null) return "";
  const facility = message.chart.sender.facility;
  const head = `PV1|1|${visit.class ?? ""}|${locationOf(visit) ?? ""}|${visit.class === "E" ? "E" : visit.class === null ? "" : "R"}||`;
  const prior = message.kind === "A02" ? (visit.locations.at(-2) ?? "") : "";
  const number = `${visit.number}^^^${facility}^VN`;
  const from = visit.startedAt === null ? "" : stamp(visit.startedAt);
  const to = visit.endedAt === null ? "" : stamp(visit.endedAt);
  const leaving = visit.endedAt === null ? "" : "01";
  return `${head}${prior}|${visit.doctor}|1003000191^Refer^Rita||MED||||7||||${visit.class === "I" ? "INP" : "OUT"}|${number}|COM||||||||||||||||${leaving}||||||||${from}|${to}`;
}

function insurance(message: PlannedMessage): string {
  const { person } = message.chart;
  const name = `${escapeText(message.demographics.family)}^${escapeText(message.demographics.given)}`;
  return `IN1|1|PPO100^Preferred 100|${payer.id}|${payer.name}|9 Payer Plaza^^Boston^MA^02109^USA||^PRN^PH^^^800^5550001|G${1000 + (message.salt & 255)}|Harbor Works||||20250101|||PPO|${name}|SEL^Self||||||||||||||||||${person.memberNumber}`;
}

const isAdt = (kind: MessageKind): boolean => kind.charCodeAt(0) === 65;

function header(sender: HospitalSender, sending: Sending, stamp: (at: number) => string): string {
  const { message, flaw } = sending;
  const [type, structure] = types[message.kind];
  const code = flaw === "unknownTrigger" ? "ADT^A99" : type;
  const id = flaw === "noControlId" ? "" : sending.controlId;
  // A message without EVN has only MSH-7 to say when it was; the others say there when they were sent.
  const at = isAdt(message.kind) ? sending.writtenAt : message.at;
  const trailer = sender.charset === "" ? "" : `||||||${sender.charset}`;
  return `MSH|^~\\&|${sender.application}|${sender.facility}|TRIBUTARY|HUB|${stamp(at)}||${code}${sender.structure ? `^${structure}` : ""}|${id}|P|${sender.version}${trailer}`;
}

/** The text of one sending, every segment ended as this sender ends it. */
function writeText(sending: Sending): string {
  const { message, flaw } = sending;
  const sender = message.chart.sender;
  const stamp = (at: number): string => hl7Stamp(at, sender.zone, sender.offset);
  const end = sender.terminator;
  const head = header(sender, sending, stamp);
  if (flaw === "cutHeader") return head.slice(0, head.indexOf("||"));
  const { kind, visit } = message;
  if (kind === "MFN") {
    const number = compactDay(message.at) + (message.salt & 4095);
    return `${head}${end}MFI|STF^Staff master^HL70175||UPD|||NE${end}MFE|MUP|${number}|${stamp(message.at)}|D${number}|CWE${end}STF|D${number}|${number}|Nurse^Nora||F||A${end}`;
  }
  let text = head + end;
  if (isAdt(kind)) {
    const trigger = flaw === "unknownTrigger" ? "A99" : kind;
    text += `EVN|${trigger}|${stamp(message.at)}|||CLERK${message.salt & 15}^Desk^Dana${end}`;
  }
  if (flaw === "truncated") return `${text}PID|1|`;
  text += pid(message, flaw === "noPatientId", flaw === "badDate") + end;
  if (message.retired !== null) return `${text}MRG|${message.retired}^^^${sender.facility}^MR${end}`;
  if (visit !== null) text += pv1(message, stamp) + end;
  text += extras(message, stamp, end);
  if (isAdt(kind)) {
    text += insurance(message) + end;
    if (sender.zSegment === "ZPD")
      text += `ZPD|1|${message.chart.recordNumber}|PORTAL^Y|LANG^EN|${message.salt % 997}${end}`;
    else if (sender.zSegment === "ZIN")
      text += `ZIN|${message.salt % 97}|VERIFIED|${message.chart.person.memberNumber}${end}`;
  }
  return text;
}

/** The exact bytes of one sending, in the sender's character set and without MLLP framing. */
export const writeMessage = (sending: Sending): Buffer =>
  Buffer.from(writeText(sending), sending.message.chart.sender.encoding);
