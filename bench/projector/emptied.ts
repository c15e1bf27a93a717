import { listBuilds } from "../../engine/projector/build.js";
import { dropBuild } from "../../engine/projector/swap.js";
import type { ConsumerDefinition } from "../../engine/service/consumer.js";
import type { Place } from "./place.js";

/** Forgets all that a consumer has made, so that it begins again with empty tables. Its processes must be gone. */
export async function emptied(place: Place, { project }: ConsumerDefinition): Promise<void> {
  for (const { name } of project) {
    for (const { build, state } of await listBuilds(place.pool, name)) {
      // What the views are on is not dropped; this database has no readers.
      if (state === "current") {
        await place.pool.query(
          "UPDATE engine.builds SET state = 'previous', views = '{}' WHERE projection = $1 AND build = $2",
          [name, build],
        );
        await place.pool.query(`DROP SCHEMA IF EXISTS projections, projections_restricted CASCADE;
          CREATE SCHEMA projections; CREATE SCHEMA projections_restricted`);
      }
      await dropBuild(place.pool, name, build);
    }
  }
}
