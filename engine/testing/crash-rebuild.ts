import type { Log } from "../log/log.js";
import { createBuild, listBuilds } from "../projector/build.js";
import { Decisions } from "../projector/decisions.js";
import type { AnyProjection } from "../projector/definition.js";
import { fillBuild } from "../replay/fill.js";
import { follow } from "../replay/follow.js";
import { type RebuildProgress, rebuildProjection } from "../replay/rebuild.js";
import { openPool, type Pool } from "../store/pool.js";
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
  /** Also hands it over, compares it and swaps; then the seam counts the calls from the hand-over on, and no other. */
  readonly whole?: boolean;
}

/** Fills the build that was begun, or a new one, and lets lanes read what did not fit; or does a whole rebuild. */
export async function runCrashRebuild(
  databaseUrl: string,
  log: Pick<Log, "read" | "watermarks">,
  seam = new CallSeam(),
  options: CrashRebuild = {},
): Promise<void> {
  const { projection = crashProjection, consumer = "crash", forgotten, decided = [], memoryBytes = 9_000 } = options;
  const { whole = false } = options;
  const plain = openPool(databaseUrl, { applicationName: "tributary crash", max: 6 });
  const counted = countedPool(plain, seam);
  const { decoder, opener } = crashPorts(forgotten);
  const silent = () => {};
  try {
    if (whole) {
      let isCounted = false;
      const now = () => (isCounted ? counted : plain);
      const pool = {
        query: (...all: [string]) => now().query(...all),
        connect: () => now().connect(),
      } as unknown as Pool;
      const progress = ({ step }: RebuildProgress) => {
        isCounted ||= step === "hand over";
      };
      const definition = { name: consumer, project: [projection] };
      const ports = { log, pool, decoder, opener, logger: { info: silent, warn: silent, error: silent } };
      const given = { ...ports, projection, memoryBytes, connections: 1, cacheRows: 4, interval: 10, progress };
      await rebuildProjection({ ...given, consumer: definition, decisionLog: memoryDecisions([...decided]) });
      return;
    }
    const pool = counted;
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
