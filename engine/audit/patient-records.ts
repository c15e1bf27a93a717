import type { Codec } from "../log/codec.js";
import type { Log } from "../log/log.js";
import { eventsTopic } from "../log/schemas.js";
import { type EventPlace, type FindEvents, subjectsWith } from "./event-index.js";
import { type PlacedEvent, placedEvent } from "./placed-event.js";
import { readPlaces } from "./read-places.js";

/** What was once told as a patient's and is another's, as far as it is known now. Surrogate ids. */
export interface Apart {
  /**
   * Whose records were merged with the patient's until that was undone, whose visits were booked on the patient, or whose
   * claims were submitted or paid as the patient's.
   */
  readonly patients: ReadonlySet<string>;
  /** Visits that were booked on the patient and are another's. */
  readonly visits: ReadonlySet<string>;
  /** Claims that were submitted or paid as the patient's, or of such a visit, and are another's. */
  readonly claims: ReadonlySet<string>;
}

/** Of whom a trail is. */
export interface FoundPatient {
  /** The patient, and whose records are merged with its own. */
  readonly patients: ReadonlySet<string>;
  readonly places: EventPlace[];
  readonly apart: Apart;
}

type Source = { readonly log: Pick<Log, "read">; readonly codec: Codec };

export const nothingApart: Apart = { patients: new Set(), visits: new Set(), claims: new Set() };

export const idsOf = (places: readonly EventPlace[], pick: (place: EventPlace) => string | null): Set<string> =>
  new Set(places.flatMap((place) => pick(place) ?? []));

/** When a fact counts: by the message's own time, then by the place of its unit. As read models have it. */
type Clock = readonly number[];
function clockOf({ event, position, origin }: PlacedEvent): Clock {
  const { partition, offset } = origin ?? position;
  return [event.meta.time, partition, offset, position.index];
}
function isLater(left: Clock, right: Clock): boolean {
  const at = left.findIndex((value, index) => value !== right[index]);
  return at >= 0 && (left[at] as number) > (right[at] as number);
}

/** What is kept of a name is what was told last. */
class Latest<Value> {
  readonly #found = new Map<string, { readonly at: Clock; readonly value: Value }>();

  tell(name: string, event: PlacedEvent, value: Value): void {
    const [at, before] = [clockOf(event), this.#found.get(name)];
    if (!before || !isLater(before.at, at)) this.#found.set(name, { at, value });
  }
  get values(): Value[] {
    return [...this.#found.values()].map(({ value }) => value);
  }
}

interface Pair {
  readonly ids: readonly [string, string];
  readonly merged: boolean;
}

/** A merge or its undoing, when it was told. */
interface ToldPair extends Pair {
  readonly retired: string;
  readonly at: Clock;
}

/** A record is merged into the one that was told last, of those that stand: as the read model has it. */
function standing(pairs: readonly ToldPair[]): readonly Pair[] {
  const last = new Map<string, ToldPair>();
  for (const pair of pairs) {
    const before = last.get(pair.retired);
    if (pair.merged && (!before || isLater(pair.at, before.at))) last.set(pair.retired, pair);
  }
  return pairs.map((pair) => ({ ids: pair.ids, merged: pair.merged && last.get(pair.retired) === pair }));
}

/** Which records were merged with each other, and whether that stands, among some events. */
async function pairsAmong({ log, codec }: Source, places: readonly EventPlace[]): Promise<readonly Pair[]> {
  const told = places.filter(({ type }) => type === "PatientsMerged" || type === "PatientsUnmerged");
  const pairs = new Latest<ToldPair>();
  for (const record of await readPlaces(log, told)) {
    const placed = await placedEvent(codec, record);
    const { survivingPatientId: into, retiredPatientId: from, otherPatientId: other } = placed.event;
    const merged = placed.type === "PatientsMerged";
    const ids = (merged ? [String(into), String(from)] : [record.record.key, String(other)]).sort();
    pairs.tell(ids.join(" "), placed, {
      ids: ids as [string, string],
      merged,
      retired: String(from),
      at: clockOf(placed),
    });
  }
  return standing(pairs.values);
}

/** Whose records are merged with a patient's, over any number of merges, whichever way. */
function reached(id: string, pairs: readonly Pair[]): Set<string> {
  const found = new Set([id]);
  for (let size = 0; size < found.size; ) {
    size = found.size;
    for (const { ids, merged } of pairs) {
      if (merged && ids.some((one) => found.has(one))) for (const one of ids) found.add(one);
    }
  }
  return found;
}

/** A patient with all whose records are merged with its own, the events that name any of them, and who was un-merged. */
async function closure(find: FindEvents, source: Source, id: string) {
  let asked = new Set([id]);
  for (;;) {
    const named = await find(subjectsWith({ patients: asked }));
    const pairs = await pairsAmong(source, named);
    const patients = reached(id, pairs);
    if ([...patients].some((one) => !asked.has(one))) {
      asked = new Set([...asked, ...patients]);
      continue;
    }
    const others = pairs.filter(({ ids }) => ids.some((one) => patients.has(one))).flatMap(({ ids }) => ids);
    return {
      patients,
      named: named.filter(({ patientId }) => patients.has(patientId ?? "")),
      unmerged: new Set(others.filter((one) => !patients.has(one))),
    };
  }
}

/** An erasure names whom a visit was of, and says nothing new of that. */
const isOfVisit = ({ topic, type }: EventPlace): boolean => topic === eventsTopic("visit") && type !== "SubjectErased";

/**
 * Of visits that were booked on a patient and on others, those that are another's by what was told last; and who the
 * others are.
 */
async function movedAway(
  { log, codec }: Source,
  places: readonly EventPlace[],
  patients: ReadonlySet<string>,
): Promise<Pick<Apart, "patients" | "visits">> {
  const visits = new Map<string, EventPlace[]>();
  for (const place of places) {
    if (!isOfVisit(place) || place.visitId === null || place.patientId === null) continue;
    visits.set(place.visitId, [...(visits.get(place.visitId) ?? []), place]);
  }
  const isOwn = ({ patientId }: EventPlace) => patients.has(patientId ?? "");
  const several = [...visits.values()].filter((named) => named.some(isOwn) && !named.every(isOwn)).flat();
  const latest = new Latest<{ readonly visit: string; readonly patient: string }>();
  for (const record of await readPlaces(log, several)) {
    const placed = await placedEvent(codec, record);
    const visit = record.record.key;
    latest.tell(visit, placed, { visit, patient: String(placed.event.patientId) });
  }
  const away = latest.values.filter(({ patient }) => !patients.has(patient)).map(({ visit }) => visit);
  const others = several.filter((place) => !isOwn(place));
  return { visits: new Set(away), patients: idsOf(others, ({ patientId }) => patientId) };
}

const submissions: ReadonlySet<string> = new Set(["ClaimSubmitted", "ClaimReplaced", "ClaimVoided"]);

/**
 * Of claims that name somebody else, too, or alone, those that are another's: whom the last submission names that names
 * anybody, else the last answer, as the read model has it. And whom submissions name beside the patient: a remittance may
 * name the subscriber of whom a member of the family is insured, and says nothing of that one.
 */
async function claimedElsewhere(
  { log, codec }: Source,
  places: readonly EventPlace[],
  patients: ReadonlySet<string>,
): Promise<Pick<Apart, "patients" | "claims">> {
  const isOwn = ({ patientId }: EventPlace) => patients.has(patientId ?? "");
  const naming = places.filter(
    ({ topic, type, claimId, patientId }) =>
      topic === eventsTopic("claim") && type !== "SubjectErased" && claimId !== null && patientId !== null,
  );
  const doubted = new Set(naming.filter((place) => !isOwn(place)).map(({ claimId }) => claimId));
  const [submitted, answered] = [new Latest<string>(), new Latest<string>()];
  const owners = new Map<string, string>();
  const others = new Set<string>();
  const told = naming.filter(({ claimId }) => doubted.has(claimId));
  for (const record of await readPlaces(log, told)) {
    const placed = await placedEvent(codec, record);
    const [claim, patient] = [record.record.key, String(placed.event.patientId)];
    const isSubmission = submissions.has(placed.type);
    (isSubmission ? submitted : answered).tell(claim, placed, `${claim} ${patient}`);
    if (isSubmission && !patients.has(patient)) others.add(patient);
  }
  for (const pair of [...answered.values, ...submitted.values]) {
    const [claim = "", patient = ""] = pair.split(" ");
    owners.set(claim, patient);
  }
  const away = [...owners].filter(([, patient]) => !patients.has(patient));
  return {
    claims: new Set(away.map(([claim]) => claim)),
    patients: new Set([...others, ...away.map(([, patient]) => patient)]),
  };
}

/**
 * All events about a patient, whose records are merged with its own, and their visits and claims; without another person:
 * records that were un-merged are not the patient's, nor is a visit that was moved to somebody else, nor a claim that was
 * submitted anew for somebody else. Of such a visit only that it was moved is told.
 */
export async function eventsAboutPatient(find: FindEvents, source: Source, id: string): Promise<FoundPatient> {
  const { patients, named, unmerged } = await closure(find, source, id);
  const visits = idsOf(named, ({ visitId }) => visitId);
  const claims = idsOf(named, ({ claimId }) => claimId);
  const all = await find(subjectsWith({ patients, visits, claims }));
  const moved = await movedAway(source, all, patients);
  const kept = new Set([...visits].filter((visit) => !moved.visits.has(visit)));
  // Those of a visit that was moved away went with it.
  const isReached = ({ patientId, visitId }: EventPlace) => patients.has(patientId ?? "") || kept.has(visitId ?? "");
  const reachedClaims = idsOf(all.filter(isReached), ({ claimId }) => claimId);
  const ofClaims = all.filter(({ claimId }) => reachedClaims.has(claimId ?? ""));
  const claimed = await claimedElsewhere(source, ofClaims, patients);
  const others = new Set([...unmerged, ...moved.patients, ...claimed.patients]);
  const apart = { visits: moved.visits, claims: claimed.claims, patients: others };
  if (moved.visits.size === 0 && claimed.claims.size === 0) return { patients, places: all, apart };
  const isAway = ({ topic, visitId, claimId }: EventPlace) =>
    (topic === eventsTopic("visit") && moved.visits.has(visitId ?? "")) || claimed.claims.has(claimId ?? "");
  const own = new Set([...claims].filter((claim) => !claimed.claims.has(claim)));
  const places = (await find(subjectsWith({ patients, visits: kept, claims: own }))).filter((place) => !isAway(place));
  return {
    patients,
    places: [...places, ...all.filter((place) => isAway(place) && place.type === "VisitMoved")],
    apart,
  };
}

/**
 * Of the visits and claims of whom some patients are told, those that are another's by what was told last, as
 * {@link eventsAboutPatient} tells them apart.
 */
export async function subjectsOfOthers(
  find: FindEvents,
  source: Source,
  patients: ReadonlySet<string>,
): Promise<ReadonlySet<string>> {
  const named = await find(subjectsWith({ patients }));
  const visits = idsOf(named, ({ visitId }) => visitId);
  const claims = idsOf(named, ({ claimId }) => claimId);
  const all = await find(subjectsWith({ visits, claims }));
  const moved = await movedAway(source, all, patients);
  const claimed = await claimedElsewhere(source, all, patients);
  return new Set([...moved.visits, ...claimed.claims]);
}
