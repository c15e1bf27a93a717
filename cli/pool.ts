import { requireSetting } from "../engine/service/settings.js";
import { openPool, type Pool } from "../engine/store/pool.js";
import { type Installation, runningInstallation } from "./installation.js";

/** Runs a command's queries on the installation's database, and closes the pool whatever happens. */
export async function withPool<Result>(
  work: (pool: Pool, installation: Installation) => Promise<Result>,
): Promise<Result> {
  const installation = await runningInstallation();
  const pool = openPool(requireSetting(installation.settings, "DATABASE_URL"), {
    applicationName: "tributary cli",
    max: 4,
  });
  try {
    return await work(pool, installation);
  } finally {
    await pool.end();
  }
}
