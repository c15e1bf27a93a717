import type { Log } from "../log/log.js";
import { createBuild, listBuilds } from "../projector/build.js";
import { Decisions } from "../projector/decisions.js";
import type { AnyProjection } from "../projector/definition.js";
import { fillBuild } from "../replay/fill.js";
import { follow } from "../replay/follow.js";
import { openPool } from "../store/pool.js";
import type { CrashRun } from "./crash-consumer.js";
import { crashPorts, crashProjection } from "./crash-projection.js";
import { CallSeam, countedDecoder, countedOpener, countedPool } from "./failpoints.js";
import { memoryDecisions } from "./projection-bench.js";

export interface CrashRebuild extends Omit<CrashRun, "definition"> {
  /** Default: {@link crashProjection}. */
  readonly projection?: AnyProjection;
  /** Whose it is; default "crash". */
  readonly consumer?: string;
  /** Default: memory in which one partition of the crash history has room, and not the other. */
  readonly memoryBytes?: number;
}

/** Fills the build that was begun, or a new one, and lets lanes read what did not fit. */
export async function runCrashRebuild(
  databaseUrl: string,
  log: Pick<Log, "read" | "watermarks">,
  seam = new CallSeam(),
  options: CrashRebuild = {},
): Promise<void> {
  const { projection = crashProjection, consumer = "crash", forgotten, decided = [], memoryBytes = 9_000 } = options;
  const plain = openPool(databaseUrl, { applicationName: "tributary crash", max: 6 });
  const pool = countedPool(plain, seam);
  const { decoder, opener } = crashPorts(forgotten);
  const silent = () => {};
  try {
    const left = (await listBuilds(plain, projection.name)).find(({ feed }) => feed === "rebuild");
    const build = left ?? (await createBuild(plain, projection, consumer, "rebuild"));
    const decisionLog = memoryDecisions([...decided]);
    const given = {
      projection,
      build,
      log,
      pool,
      decoder: countedDecoder(decoder, seam),
      opener: countedOpener(opener, seam),
      logger: { info: silent, warn: silent, error: silent },
    };
    const decisions = new Decisions(decisionLog, projection.name);
    await decisions.load();
    const { unfilled } = await fillBuild({ ...given, decisions, memoryBytes, connections: 1 });
    const following = await follow({ ...given, decisionLog, unfilled, interval: 10, cacheRows: 4 });
    while (following.behind() > 0) {
      await Promise.race([following.ended, new Promise((resolve) => setTimeout(resolve, 10))]);
    }
    await following.stop();
  } finally {
    await plain.end();
  }
}
