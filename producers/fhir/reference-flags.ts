import { child, children, type Element } from "./element.js";
import { targetOf } from "./reference.js";
import { isSameBase, serverUnder } from "./servers.js";
import type { Speaker } from "./speaker.js";

type Named = "Patient" | "Encounter" | "Claim";

/** The references by which a resource names patients, visits, claims and decisions, each with what it may name. */
function referencesOf(resource: Element): readonly (readonly [named: Named | undefined, reference: Element])[] {
  const found: (readonly [Named | undefined, Element])[] = [];
  const add = (named: Named | undefined, reference: Element | undefined) => {
    if (reference) found.push([named, reference]);
  };
  for (const name of ["subject", "patient", "beneficiary", "subscriber"]) add("Patient", child(resource, name));
  for (const name of ["claim", "request"]) add("Claim", child(resource, name));
  add(undefined, child(resource, "claimResponse"));
  for (const link of children(resource, "link")) add("Patient", child(link, "other"));
  for (const item of children(resource, "item"))
    for (const encounter of children(item, "encounter")) add("Encounter", encounter);
  return found;
}

/**
 * What is unusual about the ways in which a resource, and what it refers to, is named.
 * @param mixed whether the entries of its bundle are of more than one server.
 */
export function referenceFlags(resource: Element, speaker: Speaker, mixed: boolean): readonly string[] {
  const flags = new Set<string>();
  const { home, profile } = speaker;
  if (home !== undefined) {
    const { kind } = serverUnder(home, speaker);
    if (kind === "other") flags.add("OTHER_SERVER");
    if (kind === "assumed" && mixed) flags.add("SERVER_ASSUMED");
  }
  for (const [named, reference] of referencesOf(resource)) {
    const target = targetOf(reference, speaker);
    if (target.kind === "id" && typeof target.at === "object") {
      const { kind } = serverUnder(target.at.base, speaker);
      if (kind === "other") flags.add("OTHER_SERVER");
      // One server names itself by one base: two of them, or one beside none, may be another's.
      if (kind === "assumed" && !(home !== undefined && isSameBase(home, target.at.base))) flags.add("SERVER_ASSUMED");
    }
    if (named === undefined || (target.kind !== "id" && target.kind !== "identifier")) continue;
    if (target.type !== "" && target.type !== named) continue;
    const system = profile.naming[named];
    if (target.kind === "id" && system !== undefined) flags.add("REFERENCE_BY_ID");
    if (target.kind === "identifier" && target.system !== system) flags.add("REFERENCE_BY_IDENTIFIER");
  }
  return [...flags];
}
