import { listBuilds } from "../../engine/projector/build.js";
import type { Pool } from "../../engine/store/pool.js";

/** Drops the contender's builds and forgets their checkpoints. */
export async function dropBuilds(admin: Pool): Promise<void> {
  for (const { schema, projection } of await listBuilds(admin, "visits")) {
    await admin.query(`DROP SCHEMA ${schema} CASCADE`);
    await admin.query("DELETE FROM engine.builds WHERE projection = $1", [projection]);
  }
}
