import { TributaryError } from "../service/errors.js";
import type { Pool } from "../store/pool.js";

const lock = 7_237_145;

/**
 * Runs what translates units again, alone: generations are counted from what is in the journal.
 * @throws TRIB_INTAKE_RETRANSLATION_BUSY while another process does it.
 */
export async function alone<Result>(pool: Pool, work: () => Promise<Result>): Promise<Result> {
  const client = await pool.connect();
  try {
    const { rows } = await client.query<{ taken: boolean }>("SELECT pg_try_advisory_lock($1) AS taken", [lock]);
    if (!rows[0]?.taken) throw new TributaryError("TRIB_INTAKE_RETRANSLATION_BUSY");
    return await work();
  } finally {
    // The session ends, and its lock with it.
    client.release(true);
  }
}
