import type { InterchangeHeader } from "./envelope.js";
import type { Profile } from "./profile.js";

/** Whose interchange it is. `note`: the TA1 code where that can't be, else `000`. */
export interface PartnerChoice {
  readonly partner: string;
  readonly profile: Profile;
  readonly note: string;
}

/**
 * The partner of an interchange, by ISA06 and ISA08. Where it came in (an address, a folder) must be the partner's own, or
 * the one that is open to any sender (`generic`, which production does not have). Whoever came in as another partner
 * speaks for nobody else, also where its profile has no `senders` yet.
 * @param addressed partner whose address or folder it came through.
 */
export function partnerOf(
  header: InterchangeHeader,
  addressed: string,
  profiles: ReadonlyMap<string, Profile>,
): PartnerChoice {
  const here = profiles.get(addressed)!;
  const open = addressed === "generic" && here.senders.length === 0;
  if (here.senders.includes(header.sender)) return receiverChecked(addressed, here, header);
  if (!open) return { partner: addressed, profile: here, note: "006" };
  for (const [partner, profile] of profiles) {
    if (profile.senders.includes(header.sender) && takes(profile, header))
      return receiverChecked(partner, profile, header);
  }
  return receiverChecked(addressed, here, header);
}

function takes(profile: Profile, header: InterchangeHeader): boolean {
  return profile.receivers.length === 0 || profile.receivers.includes(header.receiver);
}

function receiverChecked(partner: string, profile: Profile, header: InterchangeHeader): PartnerChoice {
  if (!takes(profile, header)) return { partner, profile, note: "008" };
  return { partner, profile, note: profile.usage.some((one) => one === header.usage) ? "000" : "020" };
}
