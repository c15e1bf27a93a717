import type { Log } from "../log/log.js";
import { createBuild, listBuilds } from "../projector/build.js";
import { Decisions } from "../projector/decisions.js";
import { fillBuild } from "../replay/fill.js";
import { follow } from "../replay/follow.js";
import { openPool } from "../store/pool.js";
import { crashPorts, crashProjection } from "./crash-projection.js";
import { CallSeam, countedDecoder, countedOpener, countedPool } from "./failpoints.js";
import { memoryDecisions } from "./projection-bench.js";

/** Memory in which one partition of the crash history has room, and not the other. */
const memoryBytes = 9_000;

/** Fills the build of {@link crashProjection} that was begun, or a new one, and lets lanes read what did not fit. */
export async function runCrashRebuild(
  databaseUrl: string,
  log: Pick<Log, "read" | "watermarks">,
  seam = new CallSeam(),
): Promise<void> {
  const plain = openPool(databaseUrl, { applicationName: "tributary crash", max: 6 });
  const pool = countedPool(plain, seam);
  const { decoder, opener } = crashPorts();
  const silent = () => {};
  try {
    const left = (await listBuilds(plain, crashProjection.name)).find(({ feed }) => feed === "rebuild");
    const build = left ?? (await createBuild(plain, crashProjection, "crash", "rebuild"));
    const options = {
      projection: crashProjection,
      build,
      log,
      pool,
      decoder: countedDecoder(decoder, seam),
      opener: countedOpener(opener, seam),
      logger: { info: silent, warn: silent, error: silent },
    };
    const decisions = new Decisions(memoryDecisions([]), crashProjection.name);
    const { unfilled } = await fillBuild({ ...options, decisions, memoryBytes, connections: 1 });
    const following = await follow({ ...options, unfilled, interval: 10, cacheRows: 4 });
    while (following.behind() > 0) {
      await Promise.race([following.ended, new Promise((resolve) => setTimeout(resolve, 10))]);
    }
    await following.stop();
  } finally {
    await plain.end();
  }
}
