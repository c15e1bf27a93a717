import type { Profile } from "./profile.js";
import type { Identity, Suspended } from "./suspended.js";

/** A partner and its profile. */
export interface Partner {
  readonly name: string;
  readonly profile: Profile;
}

/** What both names of the header are worth: nothing is more exact. */
const exact = 3;

/** What a profile's match is worth: both names, else the facility, else the application; undefined when it doesn't fit. */
function exactness(profile: Identity, application: string, facility: string): number | undefined {
  let best: number | undefined;
  for (const match of profile.match) {
    if (match.application !== undefined && match.application !== application) continue;
    if (match.facility !== undefined && match.facility !== facility) continue;
    const worth = (match.application === undefined ? 0 : 1) + (match.facility === undefined ? 0 : 2);
    if (best === undefined || worth > best) best = worth;
  }
  return best;
}

/** Whose message it is, and what keeps it from being taken as theirs. */
export type Sender =
  | { readonly partner: Partner; readonly problem?: undefined }
  | { readonly partner: Partner; readonly problem: "SENDER_MISMATCH" }
  | { readonly partner: undefined; readonly problem: "UNKNOWN_SENDER" | "CREDENTIAL_MISSING" | "PROFILE_UNUSABLE" };

/** Whether a partner comes in by what it proves, or by its own port, only. */
export const isBound = ({ certificate, port, authentication }: Identity): boolean =>
  certificate !== undefined || port !== undefined || authentication.length > 0;

/** Whether a header is one that another partner's profile names. */
function isAnothers(
  profiles: ReadonlyMap<string, Profile>,
  application: string,
  facility: string,
  partner: string,
): boolean {
  const best = bestMatch(profiles, application, facility);
  return best !== undefined && best.name !== partner;
}

function bestMatch<Known extends Identity>(
  profiles: ReadonlyMap<string, Known>,
  application: string,
  facility: string,
): { readonly name: string; readonly profile: Known; readonly worth: number } | undefined {
  let best: { name: string; profile: Known; worth: number } | undefined;
  for (const [name, profile] of profiles) {
    const worth = exactness(profile, application, facility);
    if (worth !== undefined && (best === undefined || worth > best.worth)) best = { name, profile, worth };
  }
  return best;
}

/**
 * Whose message it is: the connection's partner where it has one (client certificate, own port), else the profile that
 * matches MSH-3 and MSH-4 most exactly, else `generic`.
 *
 * A connection's partner speaks only for the senders that its profile matches, where it names any, and else for none that
 * another's profile names; but what comes in by a port of its own can't be told from others by its header. Nobody is taken
 * by the header alone for a partner that has a certificate, a port or another proof of its own. What is, or may be, from a
 * partner whose profile can't be used is nobody's, for now.
 */
export function senderOf(
  profiles: ReadonlyMap<string, Profile>,
  application: string,
  facility: string,
  bound?: string,
  suspended?: Suspended,
): Sender {
  if (suspended && mayBeOf(suspended, profiles, application, facility, bound))
    return { partner: undefined, problem: "PROFILE_UNUSABLE" };
  const profile = bound === undefined ? undefined : profiles.get(bound);
  if (bound !== undefined && profile !== undefined) {
    const partner = { name: bound, profile };
    const isOpen = bound === "generic" || profile.port !== undefined;
    const speaks =
      profile.match.length === 0
        ? isOpen || !isAnothers(profiles, application, facility, bound)
        : exactness(profile, application, facility) !== undefined;
    return speaks ? { partner } : { partner, problem: "SENDER_MISMATCH" };
  }
  const best = bestMatch(profiles, application, facility);
  if (best && isBound(best.profile)) return { partner: undefined, problem: "CREDENTIAL_MISSING" };
  const generic = profiles.get("generic");
  if (best) return { partner: { name: best.name, profile: best.profile } };
  return generic
    ? { partner: { name: "generic", profile: generic } }
    : { partner: undefined, problem: "UNKNOWN_SENDER" };
}

/** Whether a message is, or may be, from a partner whose profile can't be used. */
function mayBeOf(
  { known, hasUnknown }: Suspended,
  profiles: ReadonlyMap<string, Profile>,
  application: string,
  facility: string,
  bound: string | undefined,
): boolean {
  // A port, a certificate or an address says whose it is, whatever the header says.
  if (bound !== undefined) return known.has(bound);
  const theirs = bestMatch(known, application, facility)?.worth ?? 0;
  const others = bestMatch(profiles, application, facility)?.worth ?? 0;
  if (others === 0 && known.has("generic")) return true;
  return theirs > others || (theirs === others && theirs > 0) || (hasUnknown && others < exact);
}

/** Whose bytes these are when no header can be read: the connection's partner, else `generic`. */
export function partnerOfConnection(
  profiles: ReadonlyMap<string, Profile>,
  bound: string | undefined,
): Partner | undefined {
  const name = bound ?? "generic";
  const profile = profiles.get(name);
  return profile && { name, profile };
}
