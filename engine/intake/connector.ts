import type { Logger } from "pino";
import type { z } from "zod";
import type { EventInputs, SealedTypes } from "../../schemas/events.generated.js";
import type { JournalEntry } from "../../schemas/intake/intake.generated.js";
import type { PartnerProof } from "../reception/partner-client.js";
import type { Settings } from "../service/settings.js";

/**
 * What a connector is made of.
 *
 * `receive` listens and answers; everything it calls to get from bytes to units, verdicts and events is pure and lives
 * beside it (split, identify, translate, answer). A partner's quirks are a profile, data checked by `profile`.
 */
export interface ConnectorDefinition<Profile> {
  /** Folder name in `producers/`. */
  readonly name: string;
  /**
   * Connector whose settings it reads, under its own name: with `hl7v2` here, `acme` reads `ACME_PORT` where that reads
   * `HL7V2_PORT`. For one that was made like another; absent elsewhere.
   */
  readonly settingsOf?: string;
  /** Version of the translation, journalled with every unit. */
  readonly version: string;
  /** Schema of `partners/<partner>.json`. */
  readonly profile: z.ZodType<Profile>;
  /**
   * What is wrong in a profile that its schema can't say: the field and why. Absent where the schema says it all.
   * @returns undefined where nothing is.
   */
  mistakeIn?(profile: Profile): string | undefined;
  /**
   * A profile as `validate` and `intake retranslate` use it: without what binds the partner to a connection of its own.
   * What it lists under `authentication` is left out already. Absent where there is nothing more.
   */
  rehearsal?(profile: Profile): Profile;
  /**
   * What two profiles both claim, so that nobody could tell whose a message is: the field and what it says. Pure. Two of
   * which it names something are both refused. Absent where the address or the folder alone says who sends.
   * @returns undefined where both can stand beside each other.
   */
  overlap?(one: Profile, other: Profile): string | undefined;
  /** Starts listening. Resolves when partners can connect. */
  receive(context: ReceiveContext<Profile>): Promise<Receiver>;
  /** Sends one file as a partner would, over the real protocol, and tells each unit's answer as it comes. */
  send(request: SendRequest): AsyncIterable<SendLine>;
  /**
   * Whose the units of a file are when a partner sends it, where the file itself says that and the answers do not. Absent
   * where the address says whose they are.
   */
  takenAs?(file: Buffer, partner: string, profiles: ReadonlyMap<string, Profile>): readonly string[];
  /**
   * How what is in the journal is sent again (`intake retranslate`). Absent where the parts of a transmission, one after
   * another and sent like any file, are read as they were the first time.
   */
  readonly resending?: Resending;
}

/** What the journal says of a unit beside its bytes. */
export type JournalledUnit = Pick<JournalEntry, "entry" | "accepted" | "code" | "answer" | "transport">;

/** A part of a transmission in the journal, opened. */
export interface JournalledPart extends JournalledUnit {
  /** Exact bytes as received. */
  readonly bytes: Buffer;
}

export interface Resending {
  /** Whether the journal doesn't tell how this rejected unit was sent, so that it could be read otherwise than it was. */
  isUnknown(unit: JournalledUnit): boolean;
  /**
   * The transmission as it was sent.
   * @param parts in their order; of a unit that came alone, that one.
   * @returns undefined when the journal doesn't have all of it, or doesn't tell how it was sent.
   */
  join(parts: readonly JournalledPart[]): Pick<SendRequest, "bytes" | "way"> | undefined;
}

export interface ReceiveContext<Profile> {
  readonly intake: Intake;
  readonly settings: Settings;
  /** Profiles by partner name. `generic` is absent in production. */
  readonly profiles: ReadonlyMap<string, Profile>;
  /**
   * Partners whose profiles can't be used now, by name, with what their files hold (undefined where that is no JSON).
   * What is, or may be, theirs is to be sent again later: it is neither another's nor refused for good. Default: none.
   */
  readonly suspended?: ReadonlyMap<string, unknown>;
  readonly logger: Logger;
  /** When a unit was received, epoch milliseconds: its time where the sender gives none. Default: now. */
  readonly now?: () => number;
  /**
   * Whether what was received a moment ago may decide about what is received now, beside the ledger. Default: true. Not
   * where units are translated again, each as when it came.
   */
  readonly remembers?: boolean;
}

export interface Receiver {
  /** Where partners reach it, e.g. `mllp://127.0.0.1:2575`. `partner` when the address belongs to one. */
  readonly addresses: readonly Address[];
  /** Stops accepting, answers what is in hand, closes. */
  close(): Promise<void>;
}

export interface Address {
  readonly protocol: string;
  readonly url: string;
  readonly partner?: string;
}

export interface SendRequest {
  readonly addresses: readonly Address[];
  readonly partner: string;
  /** Path as the user gave it; only repeated in the answer lines. */
  readonly file: string;
  readonly bytes: Buffer;
  /** How they are sent where they don't tell it, in the words of the connector's `resending`; default: as they tell. */
  readonly way?: string;
  /** Units a second at most; unlimited when absent. */
  readonly rate?: number;
  /** What the partner proves itself with. */
  readonly proof?: PartnerProof;
}

/** One unit's answer. */
export interface SendLine {
  readonly file: string;
  /** Ordinal of the unit in the file from 0; null when no unit could be read. */
  readonly index: number | null;
  readonly controlId: string | null;
  readonly accepted: boolean;
  readonly code: string | null;
  readonly location: string | null;
  /** AA, AE, AR, CA; TA1:R:025; 999:R:5; an HTTP status. */
  readonly answer: string | null;
  readonly ms: number;
  /** Accepted, and told to be the same as one before: no new fact. Left out otherwise. */
  readonly duplicate?: true;
}

/** The verdict on a unit. `code` is stable, `location` is a place in the message (`PID-3`, `CLM02`), never a value. */
export type Verdict =
  | { readonly accepted: true }
  | { readonly accepted: false; readonly code: string; readonly location?: string };

/** An event as a pure translation makes it: the intake gives it id, meta, seal and encoding. */
export type EventDraft = { [Type in keyof EventInputs]: EventDraftOf<Type> }[keyof EventInputs];

export interface EventDraftOf<Type extends keyof EventInputs> {
  readonly type: Type;
  /** Surrogate id of the entity: the record's key. */
  readonly subject: string;
  /** Where the type is in several topics: the one it belongs into. No translation makes such events. */
  readonly topic?: string;
  /** Occurred, epoch milliseconds UTC, by the sender's clock. */
  readonly time: number;
  readonly timePrecision?: EventInputsTimePrecision;
  readonly fields: EventInputs[Type];
  /** What identifies a person; encrypted under `sealFor`. */
  readonly sealed?: SealedTypes[Type];
  /** Surrogate id whose data key seals it: the patient, or the entity itself when no patient is known. */
  readonly sealFor?: string;
}

export type EventInputsTimePrecision = "YEAR" | "MONTH" | "DAY" | "HOUR" | "MINUTE" | "SECOND" | "MILLISECOND";

/** A unit, envelope or closing entry, ready for the journal. */
export interface ReceivedUnit {
  readonly entry: "UNIT" | "ENVELOPE" | "CLOSING";
  readonly partner: string;
  /** Partner and sending facility: the scope in which the sender's order means something. */
  readonly feed: string;
  /** E.g. `ADT^A01`, `837P`, `835`, `ISA`. */
  readonly format: string;
  /** Exact bytes as received. */
  readonly bytes: Uint8Array;
  readonly verdict: Verdict;
  /** Warnings as upper-case codes. */
  readonly flags?: readonly string[];
  /** Short form of the answer that this verdict gets. */
  readonly answer: (verdict: Verdict) => string;
  /** Message control id (MSH-10; ISA13/GS06/ST02/CLM01): only its keyed hash and an encrypted copy are stored. */
  readonly controlId?: { readonly scope: readonly string[]; readonly value: string } | undefined;
  /** What decides whether this is a resend; absent for what never enters the ledger. */
  readonly identity?: UnitIdentity | undefined;
  /** Surrogate ids under whose keys the bytes are sealed, all of them nested; empty: a key of the receipt. */
  readonly sealFor: readonly string[];
  readonly events: readonly EventDraft[];
  readonly transport?:
    | {
        readonly transmissionId: string;
        readonly ordinal: number;
        readonly byteOffset: number;
        readonly controlNumbers?: string;
      }
    | undefined;
  readonly closing?:
    | {
        readonly entries: number;
        readonly units: number;
        readonly bytes: number;
        readonly content: readonly Uint8Array[];
      }
    | undefined;
}

export interface UnitIdentity {
  /** `EVERY`: this content from this feed, for ever. `LATEST`: equal to the content before it of the same resource. */
  readonly rule: "EVERY" | "LATEST";
  /** Scope texts and normalised content, hashed together in order. */
  readonly parts: readonly (string | Uint8Array)[];
  /** The resource, for `LATEST`. */
  readonly resource?: readonly string[];
}

/** What became of a unit that was submitted. */
export interface SubmittedUnit {
  /** May differ from the unit's own verdict: a unit over the record limit, an event that can't be encoded. */
  readonly verdict: Verdict;
  readonly receiptId: string;
}

/** Makes surrogate ids: HMAC-SHA-256 of (kind, authority, type, value) under the deployment secret, 128 bits as UUID. */
export type Surrogate = (
  kind: "patient" | "visit" | "claim" | "remittance" | "payer-control" | "interchange",
  authority: string,
  type: string,
  value: string,
) => string;

/** The engine's side of a connector. */
export interface Intake {
  readonly surrogate: Surrogate;
  /** A receipt id: for a transmission of several units. */
  newReceiptId(): string;
  /** Pure check of what would be refused: size, events that don't encode. For verdicts needed before any unit is journalled. */
  check(unit: ReceivedUnit): Verdict;
  /**
   * Journals the units in order with acks=all and resolves when the log has them all.
   * Calls of one feed are journalled in the order they were made.
   * @throws TRIB_INTAKE_UNAVAILABLE (retriable) when log or vault can't be reached: nothing may be answered as accepted.
   */
  submit(units: readonly ReceivedUnit[]): Promise<readonly SubmittedUnit[]>;
  /** Whether the ledger already holds each identity (published before): for answers that depend on it. */
  known(identities: readonly UnitIdentity[]): Promise<readonly boolean[]>;
}
