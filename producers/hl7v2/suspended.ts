import type { z } from "zod";
import { profileSchema } from "./profile.js";

const identitySchema = profileSchema.pick({ match: true, port: true, certificate: true, authentication: true }).strip();

/** By what a partner is known. */
export type Identity = z.output<typeof identitySchema>;

/** Partners whose profiles can't be used, as far as their files still say who they are. */
export interface Suspended {
  readonly known: ReadonlyMap<string, Identity>;
  /** Whether there is one of which nothing is known: whoever no other profile names may be this one. */
  readonly hasUnknown: boolean;
}

/** @param contents what their files hold, by partner; undefined where that is no JSON. */
export function suspendedOf(contents: ReadonlyMap<string, unknown> | undefined): Suspended | undefined {
  if (contents === undefined || contents.size === 0) return undefined;
  const known = new Map<string, Identity>();
  for (const [partner, content] of contents) {
    const parsed = identitySchema.safeParse(content);
    if (parsed.success) known.set(partner, parsed.data);
  }
  return { known, hasUnknown: known.size < contents.size };
}
