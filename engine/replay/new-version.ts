import { type Build, ensureBuild, indexBuild, listBuilds, setFeed } from "../projector/build.js";
import type { AnyProjection } from "../projector/definition.js";
import { dropBuild } from "../projector/swap.js";
import type { Pool } from "../store/pool.js";
import { claimBuild } from "./claim.js";

/** Whether its lanes have read nothing yet: there is no work to lose with it. */
async function isUntouched(pool: Pool, { projection, build }: Build): Promise<boolean> {
  const { rows } = await pool.query(
    "SELECT FROM engine.checkpoints WHERE projection = $1 AND build = $2 AND next_offset > 0 LIMIT 1",
    [projection, build],
  );
  return rows.length === 0;
}

/**
 * Makes the build of a version that is not shown yet, to be filled by a rebuild beside the current one. One that lanes were
 * to make and have read nothing for gives way to it; one that they are making, or that was shown before, stays as it is.
 * Any number of callers at once.
 * @param pool as the owner of the database.
 * @returns the build that is to be filled, undefined when there is none.
 * @throws as `ensureBuild`.
 */
export async function beginVersion(
  pool: Pool,
  projection: AnyProjection,
  consumer: string,
): Promise<Build | undefined> {
  const builds = await listBuilds(pool, projection.name);
  const current = builds.find(({ state }) => state === "current");
  if (!current || current.version === projection.version) return undefined;
  for (const build of builds) {
    if (build.version !== projection.version || build.feed !== "consumer") continue;
    if (build.state !== "building" || !(await isUntouched(pool, build))) return undefined;
    await dropBuild(pool, projection.name, build.build);
  }
  const build = await ensureBuild(pool, projection, consumer, { beside: "rebuild" });
  return build.feed === "rebuild" ? build : undefined;
}

/** The build of a version that is not shown yet and that a rebuild is to fill, or fills. */
export async function unfilledVersion(
  pool: Pool,
  { name, version }: Pick<AnyProjection, "name" | "version">,
): Promise<Build | undefined> {
  const builds = await listBuilds(pool, name);
  const current = builds.find(({ state }) => state === "current");
  if (!current || current.version === version) return undefined;
  return builds.filter((build) => build.version === version && build.feed === "rebuild").at(-1);
}

/**
 * Leaves a build to its consumer's lanes, which make what is missing: each partition from where its checkpoint stands.
 * @throws TRIB_REPLAY_BUSY while somebody fills it.
 */
export async function leaveToLanes(pool: Pool, projection: AnyProjection, build: Build): Promise<void> {
  const claim = await claimBuild(pool, build);
  try {
    await indexBuild(pool, projection, build);
    await setFeed(pool, build, "consumer");
  } finally {
    claim.release();
  }
}
