import type { Build } from "../projector/build.js";
import { TributaryError } from "../service/errors.js";
import type { Pool } from "../store/pool.js";

/** First half of the session locks of rebuilds; the second is the build. */
const rebuildLocks = 7_237_144;

/** How long the session of a process that was killed may outlive it: its last statement ends first. */
const afterlifeMilliseconds = 2_000;
const lookMilliseconds = 50;

/** The one process that rebuilds a build, as long as it lives. */
export interface Claim {
  /** Rejects when the claim is lost with its connection. */
  readonly lost: Promise<never>;
  /** Any number of times. */
  release(): void;
}

/**
 * Claims a build for this process: a lock of a session of its own, which ends with the process however that ends. It keeps a
 * second one from doing the same work; what is written is fenced by the checkpoints in any case.
 * @param waitMilliseconds for a process that was killed just now; default 2 s.
 * @throws TRIB_REPLAY_BUSY while another process has it.
 */
export async function claimBuild(
  pool: Pool,
  build: Build,
  waitMilliseconds: number = afterlifeMilliseconds,
): Promise<Claim> {
  const client = await pool.connect();
  const isClaimed = async () => {
    const { rows } = await client.query<{ claimed: boolean }>(
      "SELECT pg_try_advisory_lock($1, hashtext($2)) AS claimed",
      [rebuildLocks, build.schema],
    );
    return rows[0]?.claimed === true;
  };
  let claimed = await isClaimed();
  for (let waited = 0; !claimed && waited < waitMilliseconds; waited += lookMilliseconds) {
    await new Promise((resolve) => setTimeout(resolve, lookMilliseconds));
    claimed = await isClaimed();
  }
  if (!claimed) {
    client.release();
    throw new TributaryError(
      "TRIB_REPLAY_BUSY",
      `Another process rebuilds build ${build.build} of ${build.projection}.`,
      {
        projection: build.projection,
        build: build.build,
      },
    );
  }
  const lost = new Promise<never>((_, reject) => {
    client.once("error", (error) =>
      reject(new TributaryError("TRIB_STORE_UNAVAILABLE", undefined, {}, { cause: error })),
    );
  });
  lost.catch(() => {});
  let held = true;
  return {
    lost,
    release: () => {
      // The session ends, and its lock with it.
      if (held) client.release(true);
      held = false;
    },
  };
}
