import type { Log } from "../log/log.js";
import { awaitProjections } from "../projector/await.js";
import { currentBuild } from "../projector/build.js";
import type { AnyProjection } from "../projector/definition.js";
import { quoted } from "../projector/names.js";
import { TributaryError } from "../service/errors.js";
import type { Pool } from "../store/pool.js";

/** What a patient's erasure concerns beside the patient. Surrogate ids. */
export interface PatientSubjects {
  readonly visits: readonly string[];
  readonly claims: readonly string[];
}

export interface TimelineSource {
  readonly log: Pick<Log, "watermarks">;
  readonly pool: Pool;
  /** The read model `timeline`. */
  readonly timeline: AnyProjection;
  /** Milliseconds to wait until it has all that is in the log. */
  readonly timeout: number;
}

/**
 * Every visit and claim that the timeline knows of a patient, once it has all that was in the journal at the call: those
 * of events that name the patient, and claims of such a visit whose events name nobody.
 * @throws TRIB_PROJECT_AWAIT_TIMEOUT, TRIB_PROJECT_BUILD_MISSING
 */
export async function subjectsOfPatient(source: TimelineSource, patient: string): Promise<PatientSubjects> {
  const { log, pool, timeline, timeout } = source;
  await awaitProjections({ log, pool, projections: [timeline], timeout });
  const build = await currentBuild(pool, timeline.name);
  if (!build) throw new TributaryError("TRIB_PROJECT_BUILD_MISSING", undefined, { projection: timeline.name });
  const table = `${quoted(build.schema)}.${quoted("timeline")}`;
  const { rows } = await pool.query<{ visit: string | null; claim: string | null }>(
    `WITH named AS (SELECT DISTINCT visit_id, claim_id FROM ${table} WHERE patient_id = $1)
     SELECT visit_id AS visit, claim_id AS claim FROM named
     UNION SELECT NULL, t.claim_id FROM ${table} AS t
     WHERE t.patient_id IS NULL AND t.claim_id IS NOT NULL AND t.visit_id IN (SELECT visit_id FROM named)`,
    [patient],
  );
  const distinct = (ids: readonly (string | null)[]) =>
    [...new Set(ids.filter((id): id is string => id !== null))].sort();
  return { visits: distinct(rows.map(({ visit }) => visit)), claims: distinct(rows.map(({ claim }) => claim)) };
}
