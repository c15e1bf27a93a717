import type { EventDraft } from "../../engine/intake/connector.js";
import { isOverlong } from "../../engine/intake/surrogate.js";
import { clearIdentifier, ownFirst, type PatientIdentifier, type Speaker } from "./identify.js";
import { type Message, placeOf, type Segment, triggerOf } from "./message.js";
import type { Prior } from "./prior.js";
import type { ReasonName } from "./reasons.js";
import { mergeTriggers } from "./tables.js";
import type { Telling } from "./telling.js";

/** One PID and the MRG after it. */
export interface Merge {
  readonly pid: Segment;
  /** Identifiers of the PID, the facility's own first. */
  readonly surviving: readonly PatientIdentifier[];
  /** Identifiers of the MRG that really change, the facility's own first. */
  readonly retired: readonly PatientIdentifier[];
  readonly pairs: readonly Pair[];
  /** The identifiers are of different types: nothing is merged, and a person has to decide. */
  readonly held: boolean;
}

interface Pair {
  readonly retired: PatientIdentifier;
  readonly surviving: PatientIdentifier;
}

export interface Merges {
  readonly merges: readonly Merge[];
  readonly problems: readonly { readonly reason: ReasonName; readonly place: string }[];
}

/** Whether a message is one that merges patients. */
export const isMerge = (message: Message): boolean => mergeTriggers.has(triggerOf(message));

/**
 * Reads the merges of a message: every MRG belongs to the PID before it, and each identifier in MRG-1 goes to the one in
 * PID-3 of the same authority and type, else of the same authority, else to the first as sent.
 */
export function readMerges(message: Message, priors: readonly Prior[], speaker: Speaker): Merges {
  const merges: Merge[] = [];
  const problems: { reason: ReasonName; place: string }[] = [];
  for (const { mrg, pid, now, before } of priors) {
    if (pid === undefined) continue;
    if (now.length === 0) problems.push({ reason: "NO_PID3", place: placeOf(message, pid, 3) });
    else if (before.length === 0) problems.push({ reason: "NO_MRG1", place: placeOf(message, mrg, 1) });
    else {
      const merge = pairUp(message, pid, now, before, speaker);
      if (merge === undefined) problems.push({ reason: "SELF_MERGE", place: placeOf(message, mrg, 1) });
      else merges.push(merge);
      if (now.some(isOverlong)) problems.push({ reason: "OVERSIZED_FIELD", place: placeOf(message, pid, 3) });
      if (before.some(isOverlong)) problems.push({ reason: "OVERSIZED_FIELD", place: placeOf(message, mrg, 1) });
    }
  }
  if (merges.length === 0 && problems.length === 0) problems.push({ reason: "NO_MRG", place: "MRG" });
  return { merges, problems };
}

/** A record number is not merged into a national one: where both sides name a type, it is the same. */
const typesDiffer = ({ retired, surviving }: Pair): boolean =>
  retired.type !== "" && surviving.type !== "" && retired.type !== surviving.type;

/** Triggers that put another identifier, maybe of another type, in the place of one. */
const CHANGES_OF_ID = new Set(["A46", "A47"]);
export const changesId = (message: Message): boolean => CHANGES_OF_ID.has(triggerOf(message));

/** @returns undefined when nothing would change: the retired patient is the surviving one. */
function pairUp(
  message: Message,
  pid: Segment,
  sent: readonly PatientIdentifier[],
  given: readonly PatientIdentifier[],
  speaker: Speaker,
): Merge | undefined {
  const surviving = ownFirst(sent, speaker.profile);
  const all = ownFirst(given, speaker.profile)
    .map((retired) => ({ retired, surviving: partnerOf(retired, sent) }))
    // An identifier that both sides share stays as it is.
    .filter(({ retired, surviving: other }) => retired.id !== other.id);
  const first = all[0];
  if (first === undefined || first.retired.id === surviving[0]?.id) return undefined;
  const pairs = changesId(message) ? all : all.filter((pair) => !typesDiffer(pair));
  const held = !pairs.includes(first);
  return { pid, surviving, retired: all.map(({ retired }) => retired), pairs: held ? all : pairs, held };
}

function partnerOf(retired: PatientIdentifier, surviving: readonly PatientIdentifier[]): PatientIdentifier {
  return (
    surviving.find((one) => one.authority === retired.authority && one.type === retired.type) ??
    surviving.find((one) => one.authority === retired.authority) ??
    (surviving[0] as PatientIdentifier)
  );
}

/**
 * The two events of a merge: one on the patient that remains, one on the patient that is retired. A merge that is held has
 * one, on the patient that would be retired.
 */
export function mergeEvents({ speaker, time, flags }: Telling, merge: Merge): EventDraft[] {
  const own = merge.surviving[0] as PatientIdentifier;
  const survivingPatientId = own.id;
  const retiredPatientId = (merge.retired[0] as PatientIdentifier).id;
  if (merge.held) {
    const fields = { facility: speaker.facility, survivingPatientId, reason: "TYPES_DIFFER" as const, flags };
    return [{ type: "PatientMergeHeld", subject: retiredPatientId, ...time, fields }];
  }
  const merges = merge.pairs.map(({ retired, surviving }) => ({
    retired: clearIdentifier(retired, own, speaker),
    surviving: clearIdentifier(surviving, own, speaker),
  }));
  return (["SURVIVING", "RETIRED"] as const).map((role) => {
    const subject = role === "SURVIVING" ? survivingPatientId : retiredPatientId;
    const side = role === "SURVIVING" ? "surviving" : "retired";
    return {
      type: "PatientsMerged",
      subject,
      ...time,
      fields: { facility: speaker.facility, role, survivingPatientId, retiredPatientId, merges, flags },
      sealed: { values: merge.pairs.map((pair) => pair[side].value) },
      sealFor: subject,
    };
  });
}
