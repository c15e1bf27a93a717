import { createHash } from "node:crypto";
import type { ReceivedUnit, Surrogate, UnitIdentity, Verdict } from "../../engine/intake/connector.js";
import type { GroupReport, InterchangeReport, SetReport } from "./check.js";
import { type ClaimContext, emptyClaimContext } from "./claim-context.js";
import { formatOf } from "./envelope.js";
import { emptyHierarchyContext, type HierarchyContext, readHierarchy } from "./hierarchy-context.js";
import type { Profile } from "./profile.js";
import { type Slice, unitKinds } from "./splitter.js";
import { nothing, type Surroundings, type Translation } from "./surroundings.js";
import type { Segment } from "./tokenizer.js";
import { translateGroupAcknowledgment, translateTa1 } from "./translate-acknowledgment.js";
import { type MemberContext, readEnrolment, translateMember } from "./translate-member.js";
import { translatePayment } from "./translate-payment.js";
import { translateStatus, translateStatusHead } from "./translate277.js";
import { type Remittance, translateRemittance } from "./translate835.js";
import { translate837 } from "./translate837.js";
import { type Judgement, judgeInterchange, judgeSet } from "./verdict.js";

export interface EntryOptions {
  readonly partner: string;
  readonly profile: Profile;
  readonly surrogate: Surrogate;
  readonly transmissionId: string;
}

/** Identity of a whole interchange: what a resend of it is recognised by. Its bytes are in it as their digest. */
export function interchangeIdentity(partner: string, interchange: InterchangeReport): UnitIdentity {
  const { sender, receiver, control } = interchange.header;
  return { rule: "EVERY", parts: ["x12-interchange", partner, sender, receiver, control, interchange.digest] };
}

function feedOf(partner: string, interchange: InterchangeReport): string {
  return `${partner}/${interchange.header.sender}`;
}

/**
 * What was answered to an interchange, journalled once the sender has it. It brings the interchange's identity into the
 * ledger: only what was answered can be a duplicate. It belongs to no transmission, being none of the sender's bytes.
 */
export function answeredEntry(partner: string, interchange: InterchangeReport, answer: Buffer): ReceivedUnit {
  return {
    entry: "ENVELOPE",
    partner,
    feed: feedOf(partner, interchange),
    format: "X12 answer",
    bytes: answer,
    verdict: { accepted: true },
    answer: () => "TA1:A:000",
    identity: interchangeIdentity(partner, interchange),
    sealFor: [],
    events: [],
  };
}

/**
 * Makes journal entries of the slices of one interchange, in order. Reads the verdicts from the report, so the same code
 * serves the first pass (does every unit fit the journal?) and the second (journal them).
 */
export class InterchangeEntries {
  readonly #options: EntryOptions;
  readonly #report: InterchangeReport;
  readonly #feed: string;
  readonly #hash = createHash("sha256");
  #start: number | null = null;
  #bytes = 0;
  #ordinal = 0;
  #units = 0;
  #groupIndex = -1;
  #group: GroupReport | null = null;
  #setIndex = -1;
  #set: SetReport | null = null;
  #ordinalInSet = 0;
  /** How often each of the sender's numbers came in the set so far. */
  #occurrences = new Map<string, number>();
  #claims: ClaimContext = emptyClaimContext;
  #hierarchy: HierarchyContext = emptyHierarchyContext;
  #enrolment: MemberContext | null = null;
  #remittance: Remittance | null = null;
  #surroundings: Surroundings | null = null;

  constructor(report: InterchangeReport, options: EntryOptions) {
    this.#report = report;
    this.#options = options;
    this.#feed = feedOf(options.partner, report);
  }

  /** The set that the last slice belonged to. */
  get set(): SetReport | null {
    return this.#set;
  }

  /** Follows a slice without making an entry of it; only for a reader that makes none of what surrounds it either. */
  pass(slice: Slice): void {
    this.#advance(slice);
  }

  entry(slice: Slice): ReceivedUnit {
    this.#advance(slice);
    const judgement = this.#judge();
    const translation = this.#translate(slice);
    const isUnit = unitKinds.has(slice.kind) && !slice.continued;
    const refused = !judgement.verdict.accepted;
    const flags = this.#report.byteOrderMark && isUnit ? [...translation.flags, "BYTE_ORDER_MARK"] : translation.flags;
    const entry: ReceivedUnit = {
      entry: isUnit ? "UNIT" : "ENVELOPE",
      partner: this.#options.partner,
      feed: this.#feed,
      format: this.#format(slice),
      bytes: slice.bytes,
      verdict: judgement.verdict,
      flags,
      answer: answering(judgement),
      sealFor: translation.sealFor,
      events: refused ? [] : translation.events,
      transport: this.#transport(slice),
      ...(isUnit ? this.#unit(slice, translation) : {}),
    };
    this.#hash.update(slice.bytes);
    this.#bytes += slice.bytes.length;
    this.#ordinal += 1;
    if (isUnit) {
      this.#units += 1;
      this.#ordinalInSet += 1;
    }
    return entry;
  }

  /** The entry that makes the interchange complete; it comes last. */
  closing(): ReceivedUnit {
    const judgement = judgeInterchange(this.#report);
    return {
      entry: "CLOSING",
      partner: this.#options.partner,
      feed: this.#feed,
      format: "X12",
      bytes: new Uint8Array(0),
      verdict: judgement.verdict,
      answer: answering(judgement),
      sealFor: [],
      events: [],
      transport: {
        transmissionId: this.#options.transmissionId,
        ordinal: this.#ordinal,
        byteOffset: this.#bytes,
        controlNumbers: this.#report.header.control,
      },
      // A digest stands for the bytes: an interchange may be larger than the memory.
      closing: { entries: this.#ordinal, units: this.#units, bytes: this.#bytes, content: [this.#hash.digest()] },
    };
  }

  #advance(slice: Slice): void {
    this.#start ??= slice.offset;
    const first = slice.segments[0];
    if (!first || slice.continued) return;
    if (first.id === "GS") {
      this.#groupIndex += 1;
      this.#group = this.#report.groups[this.#groupIndex] ?? null;
      this.#setIndex = -1;
      this.#set = null;
    } else if (first.id === "ST" && this.#group) {
      this.#setIndex += 1;
      this.#set = this.#group.sets[this.#setIndex] ?? null;
      this.#ordinalInSet = 0;
      this.#occurrences = new Map();
      this.#claims = emptyClaimContext;
      this.#hierarchy = emptyHierarchyContext;
      this.#enrolment = null;
      this.#remittance = null;
      this.#surroundings = this.#set && this.#surroundingsOf(this.#group, this.#set);
    } else if (first.id === "GE" || first.id === "IEA") {
      this.#set = null;
      if (first.id === "IEA") this.#group = null;
    }
  }

  #judge(): Judgement {
    if (this.#group && this.#set) return judgeSet(this.#report, this.#group, this.#set);
    return judgeInterchange(this.#report);
  }

  #surroundingsOf(group: GroupReport, set: SetReport): Surroundings {
    return {
      interchange: this.#report.header,
      group: group.header,
      set: set.header,
      format: formatOf(set.header, group.header),
      profile: this.#options.profile,
      surrogate: this.#options.surrogate,
      totals: set.totals,
      refused: set.refused,
    };
  }

  #translate({ kind, segments, continued }: Slice): Translation {
    if (continued) return nothing;
    if (kind === "acknowledgment") {
      const { profile, surrogate } = this.#options;
      return translateTa1(segments, { interchange: this.#report.header, profile, surrogate });
    }
    const surroundings = this.#set && this.#surroundings;
    if (!surroundings) return nothing;
    switch (kind) {
      case "subscriber":
      case "claim":
        return this.#translateClaim(segments, surroundings);
      case "remittance": {
        const { remittance, translation } = translateRemittance(segments, surroundings);
        this.#remittance = remittance;
        return translation;
      }
      case "payment":
        return this.#remittance ? translatePayment(segments, this.#remittance, surroundings) : nothing;
      case "heading":
        if (surroundings.set.set === "837") return this.#translateClaim(segments, surroundings);
        this.#hierarchy = readHierarchy(this.#hierarchy, segments);
        return nothing;
      case "set":
        return this.#translateSet(segments, surroundings);
      case "member":
        return this.#translateMember(segments, surroundings);
      default:
        return nothing;
    }
  }

  #translateClaim(segments: readonly Segment[], surroundings: Surroundings): Translation {
    const reading = translate837(segments, this.#claims, surroundings);
    this.#claims = reading.context;
    return reading.translation ?? nothing;
  }

  /** A set as a whole, or its head where people follow. */
  #translateSet(segments: readonly Segment[], surroundings: Surroundings): Translation {
    switch (surroundings.set.set) {
      case "997":
      case "999":
        return translateGroupAcknowledgment(segments, surroundings);
      case "270":
      case "271":
      case "276":
        this.#hierarchy = readHierarchy(this.#hierarchy, segments);
        return nothing;
      case "277":
        this.#hierarchy = readHierarchy(this.#hierarchy, segments);
        return translateStatusHead(segments, this.#hierarchy, surroundings);
      case "834":
        this.#enrolment = readEnrolment(segments);
        return nothing;
      default:
        return nothing;
    }
  }

  #translateMember(segments: readonly Segment[], surroundings: Surroundings): Translation {
    const { date, time, source } = this.#hierarchy;
    switch (surroundings.set.set) {
      case "277":
        return translateStatus(segments, this.#hierarchy, surroundings);
      case "834":
        return this.#enrolment ? translateMember(segments, this.#enrolment, surroundings) : nothing;
      default: {
        const told = translateMember(segments, { date, time, payer: source }, surroundings);
        // Only the payer's answer tells facts; an inquiry says whom it asks about.
        return surroundings.set.set === "271" ? told : { ...told, events: [], flags: [] };
      }
    }
  }

  #unit(slice: Slice, translation: Translation): Pick<ReceivedUnit, "identity" | "controlId"> {
    const { header } = this.#report;
    const set = this.#set?.header;
    const group = this.#group?.header;
    const number = translation.number ?? "";
    const occurrence = (this.#occurrences.get(number) ?? 0) + 1;
    this.#occurrences.set(number, occurrence);
    return {
      controlId: {
        // A reversal and its correction stand in one set under one CLP01: that is no id used again.
        scope: [header.sender, header.receiver, ...(occurrence > 1 ? [String(occurrence)] : [])],
        value: controlIdOf([header.control, group?.control, set?.control, number]),
      },
      // Identical claims may be sent again after a rejection, so a claim's bytes alone are no identity.
      identity: {
        rule: "EVERY",
        parts: [
          "x12",
          this.#options.partner,
          header.text,
          group?.text ?? "",
          set?.text ?? "",
          String(this.#ordinalInSet),
          withoutLineBreaks(slice),
        ],
      },
    };
  }

  #format(slice: Slice): string {
    const id = slice.segments[0]?.id ?? "X12";
    if (slice.kind === "isa" || slice.kind === "gs" || slice.kind === "iea" || slice.kind === "trailer") return id;
    return this.#set && this.#group ? formatOf(this.#set.header, this.#group.header) : "X12";
  }

  #transport(slice: Slice): NonNullable<ReceivedUnit["transport"]> {
    const numbers = [this.#report.header.control, this.#group?.header.control, this.#set?.header.control];
    return {
      transmissionId: this.#options.transmissionId,
      ordinal: this.#ordinal,
      byteOffset: slice.offset - (this.#start ?? 0),
      controlNumbers: numbers.filter((number) => number !== undefined).join("/"),
    };
  }
}

/** Control id of a unit: ISA13/GS06/ST02 and the sender's own number of the claim, payment or remittance. */
export function controlIdOf(parts: readonly (string | undefined)[]): string {
  return parts.filter((part) => part !== undefined && part !== "").join("/");
}

/** Bytes of the slice without what partners put between segments: line breaks, a byte order mark. */
function withoutLineBreaks(slice: Slice): Uint8Array {
  if (slice.segments.every((segment: Segment) => segment.lead === 0)) return slice.bytes;
  return Buffer.concat(slice.segments.map((segment) => segment.bytes.subarray(segment.lead)));
}

/** The intake may refuse what we accepted; then the set is in error. */
function answering(judgement: Judgement): (verdict: Verdict) => string {
  return (verdict) =>
    verdict.accepted === judgement.verdict.accepted || !judgement.verdict.accepted ? judgement.answer : "999:R:5";
}
