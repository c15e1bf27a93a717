import {
  identifiersOf,
  ownFirst,
  type PatientIdentifier,
  patientIdentifiers,
  type Speaker,
  type VisitIdentity,
  visitIn,
} from "./identify.js";
import { type Message, type Segment, segmentNamed } from "./message.js";

/** A merge segment, and the PID that it belongs to: the one before it. */
export interface Prior {
  readonly mrg: Segment;
  /** Undefined where none stands before it. */
  readonly pid: Segment | undefined;
  /** Identifiers of that PID, else of the message's first, as sent. */
  readonly now: readonly PatientIdentifier[];
  /** Identifiers of MRG-1 in the order sent, with what the sender left out of them. */
  readonly before: readonly PriorIdentifier[];
}

interface PriorIdentifier extends PatientIdentifier {
  /** The sender named no authority, and that of PID-3 stands for it. */
  readonly assumed?: true;
}

/** Every merge segment of a message, in order. */
export function priorsOf(message: Message, speaker: Speaker): readonly Prior[] {
  const priors: Prior[] = [];
  let pid: Segment | undefined;
  let now: readonly PatientIdentifier[] | undefined;
  for (const segment of message.segments) {
    if (segment.name === "PID") [pid, now] = [segment, undefined];
    if (segment.name !== "MRG") continue;
    const named = pid ?? segmentNamed(message, "PID");
    now ??= named === undefined ? [] : patientIdentifiers(message, named, speaker);
    priors.push({ mrg: segment, pid, now, before: priorIdentifiers(message, segment, now, speaker) });
  }
  return priors;
}

/**
 * The identifiers of MRG-1. A merge that names its record by the number alone means one of the kind that PID-3 has: what
 * is left out of it, authority or type, is that of PID-3 where only one kind there fits, or of the facility's own
 * identifier, as the profile says.
 */
function priorIdentifiers(
  message: Message,
  mrg: Segment,
  now: readonly PatientIdentifier[],
  speaker: Speaker,
): readonly PriorIdentifier[] {
  const given = identifiersOf(message, mrg, 1, speaker);
  const { priorNumbers } = speaker.profile.identifiers;
  if (priorNumbers === "facility") return given;
  const own = priorNumbers === "own" ? ownFirst(now, speaker.profile)[0] : undefined;
  const hasLocal = now.some(({ fromFacility }) => fromFacility);
  return given.map((one) => {
    if (!one.fromFacility && one.type !== "") return one;
    // Where PID-3 has numbers without an authority too, one without it is such a number.
    const isAnyones = one.fromFacility && !hasLocal;
    const fits = ({ authority, type }: PatientIdentifier) =>
      (isAnyones || authority === one.authority) && (one.type === "" || type === one.type);
    const kind = own !== undefined && fits(own) ? own : onlyKind(now.filter(fits));
    if (kind === undefined) return one;
    const { authority, type, fromFacility } = kind;
    const id = speaker.surrogate("patient", authority, type, one.value);
    const isAssumed = authority !== one.authority;
    return { id, authority, type, value: one.value, fromFacility, ...(isAssumed && { assumed: true }) };
  });
}

/** The first of identifiers that are all of one authority and type. */
function onlyKind(identifiers: readonly PatientIdentifier[]): PatientIdentifier | undefined {
  const [first] = identifiers;
  const isOne = identifiers.every(({ authority, type }) => authority === first?.authority && type === first.type);
  return isOne ? first : undefined;
}

/** The visit that MRG-5 names, and whether its authority is assumed to be that of the visit that is there now. */
export interface PriorVisit extends VisitIdentity {
  readonly assumed: boolean;
}

/**
 * The visit that a merge segment names as the one before: MRG-5. A bare number is of the authority that PV1-19 has.
 * @param now the visit of PV1-19, where the message names one.
 */
export function priorVisitOf(
  message: Message,
  mrg: Segment,
  now: VisitIdentity | undefined,
  speaker: Speaker,
): PriorVisit | undefined {
  const given = visitIn(message, mrg, 5, speaker);
  if (given === undefined) return undefined;
  const isAsSent = !given.fromFacility || now === undefined || now.authority === given.authority;
  if (isAsSent || speaker.profile.identifiers.priorNumbers === "facility") return { ...given, assumed: false };
  const { number } = given;
  const { authority } = now;
  return { ...now, number, id: speaker.surrogate("visit", authority, "", number), assumed: true };
}
