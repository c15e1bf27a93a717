import type { ReceivedUnit } from "../../../engine/intake/connector.js";
import type { Profile } from "../profile.js";
import { profileSchema } from "../profile.js";
import { deskOf, take } from "./desk.js";
import { interchange, type MadeOptions, type MadeSet } from "./interchange.js";

/**
 * The units of an interchange as `generic` sends it, with these fields in its profile.
 * @throws Error with the answer where it is not accepted.
 */
export async function unitsOf(
  sets: readonly MadeSet[],
  profile: Parameters<typeof profileSchema.parse>[0] = {},
  options: MadeOptions = {},
): Promise<readonly ReceivedUnit[]> {
  const desk = { ...deskOf(), profiles: new Map<string, Profile>([["generic", profileSchema.parse(profile)]]) };
  const { accepted, answer } = await take(interchange(sets, options), desk);
  if (!accepted) throw new Error(answer.toString("latin1"));
  return desk.intake.units.filter(({ entry }) => entry === "UNIT");
}
