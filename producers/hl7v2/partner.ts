import type { Profile } from "./profile.js";

/** A partner and its profile. */
export interface Partner {
  readonly name: string;
  readonly profile: Profile;
}

/** What a profile's match is worth: both names are more exact than one; undefined when it doesn't fit. */
function exactness(profile: Profile, application: string, facility: string): number | undefined {
  let best: number | undefined;
  for (const match of profile.match) {
    if (match.application !== undefined && match.application !== application) continue;
    if (match.facility !== undefined && match.facility !== facility) continue;
    const worth = (match.application === undefined ? 0 : 1) + (match.facility === undefined ? 0 : 2);
    if (best === undefined || worth > best) best = worth;
  }
  return best;
}

/**
 * Whose message it is: the connection's partner where it has one (own port, client certificate), else the profile that
 * matches MSH-3 and MSH-4 most exactly, else `generic`.
 * @returns undefined for an unknown sender where there is no `generic` (production).
 */
export function partnerOf(
  profiles: ReadonlyMap<string, Profile>,
  application: string,
  facility: string,
  bound?: string,
): Partner | undefined {
  const boundProfile = bound === undefined ? undefined : profiles.get(bound);
  if (bound !== undefined && boundProfile !== undefined) return { name: bound, profile: boundProfile };
  let best: (Partner & { worth: number }) | undefined;
  for (const [name, profile] of profiles) {
    const worth = exactness(profile, application, facility);
    if (worth !== undefined && (best === undefined || worth > best.worth)) best = { name, profile, worth };
  }
  if (best) return { name: best.name, profile: best.profile };
  const generic = profiles.get("generic");
  return generic && { name: "generic", profile: generic };
}
