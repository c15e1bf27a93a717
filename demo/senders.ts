import type { Zone } from "./calendar.js";

export type HospitalName = "north" | "south" | "practice";
export type SenderName = HospitalName | "clearing" | "insurer";

/** What is particular about one sender of HL7 v2; the partner profiles of the connector say the same in their words. */
export interface HospitalSender {
  readonly name: HospitalName;
  readonly protocol: "mllp";
  /** MSH-3. */
  readonly application: string;
  /** MSH-4, and the assigning authority of its record and visit numbers. */
  readonly facility: string;
  readonly version: string;
  /** MSH-18 as written; empty: not declared, and plain ASCII. */
  readonly charset: "UNICODE UTF-8" | "8859/1" | "";
  readonly encoding: "utf8" | "latin1" | "ascii";
  readonly terminator: "\r" | "\r\n" | "\n";
  readonly zone: Zone;
  /** Whether each time stamp carries its offset. */
  readonly offset: boolean;
  /** Whether MSH-9 names the message structure (its third component). */
  readonly structure: boolean;
  /** Order of the repetitions of PID-3. */
  readonly identifierOrder: readonly ("MR" | "PI" | "NI")[];
  /** First letter of its record numbers. */
  readonly letter: string;
  /** The Z segment at the end of its ADT messages, or none. */
  readonly zSegment: "ZPD" | "ZIN" | "";
  readonly npi: string;
  readonly taxId: string;
}

/** A sender of X12 interchanges. */
export interface X12Sender {
  readonly name: "clearing" | "insurer";
  readonly protocol: "x12";
  /** ISA06 without padding, qualifier ZZ. */
  readonly id: string;
  /** ISA08 without padding, qualifier ZZ. */
  readonly receiver: string;
  /** The sets it sends. */
  readonly sets: readonly ("837" | "835")[];
}

/** The authority of the enterprise's own person numbers (type PI), shared by the senders and owned by none of them. */
export const MASTER_INDEX = "MPI";
/** The authority of national identifiers (type NI). */
export const NATIONAL = "USA";
/** The one payer of the region. */
export const payer = { name: "BAYSTATE HEALTH PLAN", id: "BAYPLAN", taxId: "1512345678" } as const;

export const hospitals: Readonly<Record<HospitalName, HospitalSender>> = {
  north: {
    name: "north",
    protocol: "mllp",
    application: "NADT",
    facility: "NORTH",
    version: "2.5.1",
    charset: "UNICODE UTF-8",
    encoding: "utf8",
    terminator: "\r",
    zone: "America/New_York",
    offset: true,
    structure: true,
    identifierOrder: ["MR", "PI", "NI"],
    letter: "N",
    zSegment: "ZPD",
    npi: "1234567893",
    taxId: "111222333",
  },
  south: {
    name: "south",
    protocol: "mllp",
    application: "SREG",
    facility: "SOUTH",
    version: "2.3",
    charset: "8859/1",
    encoding: "latin1",
    terminator: "\r\n",
    zone: "UTC",
    offset: false,
    structure: false,
    identifierOrder: ["PI", "MR"],
    letter: "S",
    zSegment: "ZIN",
    npi: "1098765437",
    taxId: "444555666",
  },
  practice: {
    name: "practice",
    protocol: "mllp",
    application: "PRACSYS",
    facility: "PRAC",
    version: "2.4",
    charset: "",
    encoding: "ascii",
    terminator: "\n",
    zone: "America/New_York",
    offset: false,
    structure: true,
    identifierOrder: ["NI", "MR"],
    letter: "P",
    zSegment: "",
    npi: "1679576722",
    taxId: "777888999",
  },
};

export const interchangeSenders: Readonly<Record<"clearing" | "insurer", X12Sender>> = {
  clearing: { name: "clearing", protocol: "x12", id: "CLEARCO", receiver: "TRIBUTARY", sets: ["837"] },
  insurer: { name: "insurer", protocol: "x12", id: payer.id, receiver: "TRIBUTARY", sets: ["835"] },
};

/** Every sender of the region, in the order in which the region lists them. */
export const senders: Readonly<Record<SenderName, HospitalSender | X12Sender>> = {
  ...hospitals,
  ...interchangeSenders,
};
