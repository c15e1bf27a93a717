import type { Credentials } from "../reception/credentials.js";

/** One thing to be sent: the same id at every attempt, so that the receiver can drop repetitions. */
export interface Parcel {
  readonly deliveryId: string;
  readonly eventId: string;
  /** Full name of the event, `health.claim.ClaimSubmitted`. */
  readonly type: string;
  /** Partner that the event is of. */
  readonly source: string;
  readonly subject: string;
  /** When it happened, epoch milliseconds. */
  readonly time: number;
  /** What `map` made of the event, as JSON text. */
  readonly json: string;
  /** Whether sealed content was opened for it. */
  readonly opened: boolean;
}

/** What came of one attempt. */
export interface Attempt {
  /**
   * delivered: the partner has it. transient: it may be taken later. refused: the partner will never take it as it is.
   */
  readonly outcome: "delivered" | "transient" | "refused";
  /** Whether the partner may have been sent any of it: false where no connection came about. */
  readonly sent: boolean;
  /** HTTP status; null when nothing was answered. */
  readonly status: number | null;
  /** Why it is not delivered, without anything of what was sent or answered. */
  readonly reason: string | null;
  /** Of the body that was sent. */
  readonly sha256: Buffer;
  /** Not to be tried again before so many milliseconds have passed, as the partner says. */
  readonly afterMilliseconds?: number | undefined;
}

/** A destination at work in one process. */
export interface Sender {
  /** Kind and origin of the address, for the record: `webhook https://api.acme.example`. */
  readonly name: string;
  /** One attempt; it never throws. Ends early, as transient, when the signal is given. */
  send(parcel: Parcel, signal: AbortSignal): Promise<Attempt>;
  /** Most attempts at once. */
  readonly concurrency: number;
  /** Longest time that one attempt takes, in milliseconds. */
  readonly timeout: number;
}

/** Where a consumer delivers: made by `webhook`. */
export interface Destination {
  /** The kind, `webhook`. */
  readonly kind: string;
  /** What is wrong with the definition; undefined when nothing is. */
  fault(): string | undefined;
  /**
   * @param credentials reads secrets by the names that the definition gives them.
   * @throws TRIB_RECEPTION_CREDENTIAL_MISSING, TRIB_DELIVERY_DEFINITION_INVALID
   */
  open(credentials: Credentials): Sender;
}
