import type { Log } from "../log/log.js";
import { awaitProjections } from "../projector/await.js";
import type { AnyProjection } from "../projector/definition.js";
import type { Pool } from "../store/pool.js";

/**
 * Records of the same person, the patient's own among them, as `persons` has them once all that was accepted before the
 * call is applied: an erasure that read them earlier would leave some.
 * @param projections all there are; only that of `persons` is waited for.
 * @param timeout milliseconds.
 * @throws TRIB_PROJECT_AWAIT_TIMEOUT
 */
export async function recordsOfPerson(
  parts: {
    readonly log: Pick<Log, "watermarks">;
    readonly pool: Pool;
    readonly projections: readonly AnyProjection[];
    readonly timeout: number;
  },
  patient: string,
): Promise<readonly string[]> {
  const persons = parts.projections.filter(({ derived }) => derived?.persons);
  await awaitProjections({ ...parts, projections: persons });
  const { rows } = await parts.pool.query<{ ids: readonly string[] }>(
    "SELECT patient_ids AS ids FROM projections.persons WHERE $1::uuid = ANY (patient_ids)",
    [patient],
  );
  return rows[0]?.ids ?? [patient];
}
