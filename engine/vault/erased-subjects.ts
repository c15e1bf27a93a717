import { eventIndex } from "../audit/event-index.js";
import { subjectsOfOthers } from "../audit/patient-records.js";
import type { Codec } from "../log/codec.js";
import { awaitProjections } from "../projector/await.js";
import { currentBuild } from "../projector/build.js";
import { quoted } from "../projector/names.js";
import { TributaryError } from "../service/errors.js";
import { type HeldSource, heldRows } from "./held-subjects.js";

/** What a patient's erasure concerns beside the patient. Surrogate ids. */
export interface PatientSubjects {
  readonly visits: readonly string[];
  readonly claims: readonly string[];
  /** Of these, those that are another's by what was told last: only what was sealed for the patient goes. */
  readonly anothers: ReadonlySet<string>;
}

/** All that is the patient's own, the patient included: what is sealed under their keys goes. */
export const ownOf = (patient: string, { visits, claims, anothers }: PatientSubjects): readonly string[] =>
  [patient, ...visits, ...claims].filter((id) => !anothers.has(id));

export interface TimelineSource extends HeldSource {
  readonly codec: Codec;
  /** Milliseconds to wait until it has all that is in the log. */
  readonly timeout: number;
}

/**
 * Every visit and claim that the timeline knows of a patient, once it has all that was in the journal at the call: those
 * of events that name the patient, and claims of such a visit whose events name nobody, which go with it. What it holds
 * back of parked keys counts as if it had it. Of whom a visit or a claim is by what was told last, the log says.
 * @throws TRIB_PROJECT_AWAIT_TIMEOUT, TRIB_PROJECT_BUILD_MISSING; as {@link heldRows}.
 */
export async function subjectsOfPatient(source: TimelineSource, patient: string): Promise<PatientSubjects> {
  const { log, pool, timeline, timeout } = source;
  const { parkedKeys } = await awaitProjections({ log, pool, projections: [timeline], timeout });
  const build = await currentBuild(pool, timeline.name);
  if (!build) throw new TributaryError("TRIB_PROJECT_BUILD_MISSING", undefined, { projection: timeline.name });
  const table = `${quoted(build.schema)}.${quoted("timeline")}`;
  const held = parkedKeys > 0 ? await heldRows(source, build) : [];
  const column = (name: string) => held.map((row) => row[name] ?? null);
  const told =
    held.length > 0
      ? `(SELECT patient_id, visit_id, claim_id FROM ${table} UNION ALL SELECT * FROM unnest($2::uuid[], $3::uuid[], $4::uuid[])) AS told (patient_id, visit_id, claim_id)`
      : table;
  const { rows } = await pool.query<{ visit: string | null; claim: string | null; via: string | null }>(
    `WITH named AS (SELECT DISTINCT visit_id, claim_id FROM ${told} WHERE patient_id = $1)
     SELECT visit_id AS visit, claim_id AS claim, NULL AS via FROM named
     UNION SELECT NULL, claim_id, visit_id FROM ${told}
     WHERE patient_id IS NULL AND claim_id IS NOT NULL AND visit_id IN (SELECT visit_id FROM named)`,
    held.length > 0 ? [patient, column("patient_id"), column("visit_id"), column("claim_id")] : [patient],
  );
  const distinct = (ids: readonly (string | null)[]) =>
    [...new Set(ids.filter((id): id is string => id !== null))].sort();
  const { find } = await eventIndex(source);
  const others = await subjectsOfOthers(find, source, new Set([patient]));
  const isOwn = ({ via }: { readonly via: string | null }) => via === null || !others.has(via);
  const own = new Set(rows.filter(isOwn).map(({ claim }) => claim));
  const gone = distinct(rows.map(({ claim }) => claim)).filter((claim) => !own.has(claim));
  return {
    visits: distinct(rows.map(({ visit }) => visit)),
    claims: distinct(rows.map(({ claim }) => claim)),
    anothers: new Set([...others, ...gone]),
  };
}
