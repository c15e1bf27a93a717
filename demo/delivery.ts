import type { SenderName } from "./senders.js";

/** What the receiver must make of one delivery. */
export interface Expectation {
  /** Every unit of it is taken in. A resend of HL7 v2 is; a resent interchange is not. */
  readonly accepted: boolean;
  /**
   * The answer. HL7 v2: MSA-1. X12: "TA1:R:025", or the verdict on each transaction set (IK5-01), as "999:A,R"; "none"
   * where the bytes can't be answered in the partner's language.
   */
  readonly answer: string;
  /** Why it was refused. HL7 v2: ERR-3 (table 0357). X12: "025" and the like (TA1-05), "999" for a refused set. */
  readonly code?: string;
  /** Units in it: a message, a claim, a decision on a claim, a remittance. */
  readonly units: number;
  /** How many of them are refused. */
  readonly rejected: number;
  /** Claims, decisions and remittances inside an interchange that is refused as a whole, and so is one unit. */
  readonly enclosed?: number;
  /** The same bytes as an earlier delivery of this sender. */
  readonly resend: boolean;
  /** The control id of an earlier delivery with other content. */
  readonly reusedId: boolean;
}

/** One thing that a sender sends: an HL7 v2 message without MLLP framing, or an X12 interchange. */
export interface Delivery {
  readonly sender: SenderName;
  readonly protocol: "mllp" | "x12";
  readonly bytes: Buffer;
  /** X12 only: a name for a dropped file, unique in the region. */
  readonly fileName?: string;
  readonly expectation: Expectation;
}
