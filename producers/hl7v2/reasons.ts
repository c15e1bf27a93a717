/** How a message may be answered: application accept, error, reject (HL7 table 0008). */
export type AnswerCode = "AA" | "AE" | "AR";

interface Reason {
  readonly answer: Exclude<AnswerCode, "AA">;
  /** HL7 table 0357: what ERR-3 and the verdict say. */
  readonly code: string;
  /** Whether a profile may answer it otherwise. Not so where nothing could be made of the message. */
  readonly negotiable: boolean;
  readonly summary: string;
}

/**
 * Why a message is refused, in the order in which one is chosen when several apply: what makes the message unreadable
 * comes before what is wrong in it.
 */
export const reasons = {
  NO_MSH: { answer: "AR", code: "100", negotiable: false, summary: "The message does not begin with MSH." },
  NOT_DECODABLE: { answer: "AR", code: "102", negotiable: false, summary: "The bytes are no HL7 v2 text." },
  BAD_DELIMITERS: { answer: "AR", code: "102", negotiable: false, summary: "MSH-1 and MSH-2 are no delimiters." },
  SHORT_MSH: { answer: "AR", code: "101", negotiable: false, summary: "MSH ends before the message type." },
  NO_MSH9: { answer: "AR", code: "101", negotiable: false, summary: "The message type is missing." },
  NO_MSH10: { answer: "AR", code: "101", negotiable: false, summary: "The message control id is missing." },
  UNKNOWN_SENDER: { answer: "AR", code: "204", negotiable: false, summary: "No partner is known by this name." },
  CREDENTIAL_MISSING: {
    answer: "AR",
    code: "204",
    negotiable: false,
    summary: "This sender comes in by its own certificate, proof or port only.",
  },
  PROFILE_UNUSABLE: {
    answer: "AR",
    code: "207",
    negotiable: false,
    summary: "The sender's profile can't be used now: to be sent again.",
  },
  SENDER_MISMATCH: {
    answer: "AR",
    code: "204",
    negotiable: true,
    summary: "The header names another sender than the certificate or port.",
  },
  UNKNOWN_TYPE: { answer: "AR", code: "200", negotiable: true, summary: "HL7 has no such message type." },
  UNKNOWN_TRIGGER: { answer: "AR", code: "201", negotiable: true, summary: "HL7 has no such trigger event." },
  BAD_PROCESSING_ID: { answer: "AR", code: "202", negotiable: true, summary: "The processing id is not accepted." },
  BAD_VERSION: { answer: "AR", code: "203", negotiable: true, summary: "The version is not supported." },
  UNTRANSLATABLE: {
    answer: "AE",
    code: "207",
    negotiable: false,
    summary: "Our translation failed: the unit is kept.",
  },
  TOO_LARGE: { answer: "AR", code: "102", negotiable: false, summary: "The message is over the size limit." },
  NO_MSH12: { answer: "AE", code: "101", negotiable: true, summary: "The version is missing." },
  UNKNOWN_CHARSET: { answer: "AE", code: "103", negotiable: false, summary: "The character set is unknown." },
  CHARSET_MISMATCH: {
    answer: "AE",
    code: "102",
    negotiable: false,
    summary: "Bytes are not of the declared character set.",
  },
  BAD_SEGMENT_ID: { answer: "AE", code: "100", negotiable: true, summary: "A segment id is malformed." },
  NO_PID: { answer: "AE", code: "100", negotiable: true, summary: "The PID segment is missing." },
  TRUNCATED: { answer: "AE", code: "100", negotiable: true, summary: "The message ends inside PID." },
  NO_PID3: { answer: "AE", code: "101", negotiable: true, summary: "The patient identifier is missing." },
  NO_MRG: { answer: "AE", code: "100", negotiable: true, summary: "The MRG segment is missing." },
  NO_MRG1: { answer: "AE", code: "101", negotiable: true, summary: "The identifier to retire is missing." },
  SELF_MERGE: { answer: "AE", code: "205", negotiable: false, summary: "An identifier is to be merged into itself." },
  BAD_DATE: { answer: "AE", code: "102", negotiable: true, summary: "A date or time does not exist." },
  BAD_AMOUNT: {
    answer: "AE",
    code: "102",
    negotiable: false,
    summary: "A charge is no amount in whole cents, or in another currency than those before.",
  },
  OVERSIZED_FIELD: { answer: "AE", code: "102", negotiable: true, summary: "A field is over the size limit." },
} as const satisfies Record<string, Reason>;

export type ReasonName = keyof typeof reasons;

export const reasonNames = Object.keys(reasons) as ReasonName[];
export const negotiableReasons = reasonNames.filter((name) => reasons[name].negotiable);

/** Texts of HL7 table 0357. */
export const conditionTexts: Readonly<Record<string, string>> = {
  "100": "Segment sequence error",
  "101": "Required field missing",
  "102": "Data type error",
  "103": "Table value not found",
  "200": "Unsupported message type",
  "201": "Unsupported event code",
  "202": "Unsupported processing id",
  "203": "Unsupported version id",
  "204": "Unknown key identifier",
  "205": "Duplicate key identifier",
  "207": "Application internal error",
};
