import { TributaryError } from "../../engine/service/errors.js";
import type { InterchangeHeader } from "./envelope.js";
import { type Profile, profileSchema } from "./profile.js";

const claimSchema = profileSchema.pick({ senders: true, receivers: true }).strip();

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
 * @param suspended what the files of partners hold whose profiles can't be used.
 * @throws TRIB_RECEPTION_PARTNER_SUSPENDED where it is, or may be, from one of those: it is no other's, and nothing is answered.
 */
export function partnerOf(
  header: InterchangeHeader,
  addressed: string,
  profiles: ReadonlyMap<string, Profile>,
  suspended?: ReadonlyMap<string, unknown>,
): PartnerChoice {
  const here = profiles.get(addressed)!;
  const open = addressed === "generic" && here.senders.length === 0;
  if (here.senders.includes(header.sender)) return receiverChecked(addressed, here, header);
  if (!open) return { partner: addressed, profile: here, note: "006" };
  const out = [...(suspended?.values() ?? [])].map((content) => claimSchema.safeParse(content));
  if (out.some(({ data }) => data?.senders.includes(header.sender) && takes(data, header))) throw beSentAgain();
  for (const [partner, profile] of profiles) {
    if (profile.senders.includes(header.sender) && takes(profile, header))
      return receiverChecked(partner, profile, header);
  }
  // Of whom nothing is known, it may be this one.
  if (out.some(({ success }) => !success)) throw beSentAgain();
  return receiverChecked(addressed, here, header);
}

const beSentAgain = () => new TributaryError("TRIB_RECEPTION_PARTNER_SUSPENDED");

/** Two profiles of one sender are told apart by their receivers, if by nothing else. */
export function overlapOf(one: Profile, other: Profile): string | undefined {
  const apart = one.receivers.length > 0 && other.receivers.length > 0;
  if (apart && !one.receivers.some((receiver) => other.receivers.includes(receiver))) return undefined;
  const sender = one.senders.find((name) => other.senders.includes(name));
  return sender === undefined ? undefined : `sender ${sender} to the same receivers`;
}

function takes(profile: Pick<Profile, "receivers">, header: InterchangeHeader): boolean {
  return profile.receivers.length === 0 || profile.receivers.includes(header.receiver);
}

function receiverChecked(partner: string, profile: Profile, header: InterchangeHeader): PartnerChoice {
  if (!takes(profile, header)) return { partner, profile, note: "008" };
  return { partner, profile, note: profile.usage.some((one) => one === header.usage) ? "000" : "020" };
}
