import { connectLog } from "../../engine/log/kafka.js";
import { connectCodec } from "../../engine/log/registry.js";
import { type Build, currentBuild } from "../../engine/projector/build.js";
import type { AnyProjection } from "../../engine/projector/definition.js";
import { topicsOfProjections } from "../../engine/projector/roles.js";
import { behind, type Vector, vectorOf } from "../../engine/projector/vector.js";
import { type RowDifference, verifyProjection } from "../../engine/projector/verify.js";
import { decoderOf } from "../../engine/service/decoder.js";
import { loadConsumer } from "../../engine/service/discover.js";
import { createLogger } from "../../engine/service/logger.js";
import { closedOpener } from "../../engine/service/sealed-opener.js";
import { readSettings, requireSetting } from "../../engine/service/settings.js";
import { openPool } from "../../engine/store/pool.js";

/** One look at one build: a line of the program's output. */
export interface LiveCheck {
  readonly projection: string;
  readonly events: number;
  readonly rows: number;
  readonly parkedKeys: number;
  readonly differing: number;
  readonly differences: readonly RowDifference[];
  /**
   * The build was at work at the moment of the snapshot: the log had events that were not in it yet, and by the end of
   * the check it had gone on.
   */
  readonly moving: boolean;
}

/**
 * A program that compares the builds of the consumers named with the log, over and over, while they are at work: rows,
 * checkpoints and parked keys of one snapshot beside the fold of the log up to there. Prints a line a check; ends when
 * its input ends.
 */
const settings = readSettings();
const log = connectLog(settings, { clientId: "live-checker", logger: createLogger("live-checker", "error") });
const pool = openPool(requireSetting(settings, "DATABASE_URL"), { applicationName: "tributary checker", max: 2 });
const decoder = decoderOf(await connectCodec(settings));
const projections = (await Promise.all(process.argv.slice(2).map(loadConsumer))).flatMap(({ project }) => project);
const longestLook = 50;
let ended = false;
process.stdin.on("end", () => {
  ended = true;
});
process.stdin.resume();

async function ends(topics: readonly string[]): Promise<Vector> {
  const marks = topics.map(async (topic) => [topic, await log.watermarks(topic)] as const);
  return Object.fromEntries(
    (await Promise.all(marks)).map(([topic, partitions]) => [
      topic,
      Object.fromEntries(partitions.map(({ partition, high }) => [partition, high])),
    ]),
  );
}

/** The ends of a build's topics, at a moment when it is behind them; after some looks, at any moment. */
async function endsAhead(projection: AnyProjection, build: Build): Promise<Vector> {
  for (let looks = 1; ; looks++) {
    const found = await ends(topicsOfProjections([projection]));
    if (looks === longestLook || ended || !behind(await vectorOf(pool, build), found).next().done) return found;
  }
}

while (!ended) {
  for (const projection of projections) {
    const build = await currentBuild(pool, projection.name);
    if (!build) throw new Error(`${projection.name} has no build`);
    const before = await endsAhead(projection, build);
    const found = await verifyProjection({ projection, build, log, pool, decoder, opener: closedOpener });
    const after = await vectorOf(pool, build);
    const check: LiveCheck = {
      projection: projection.name,
      events: found.events,
      rows: found.rows,
      parkedKeys: found.parkedKeys,
      differing: found.differing,
      differences: found.differences,
      moving: !behind(found.vector, before).next().done && !behind(found.vector, after).next().done,
    };
    process.stdout.write(`${JSON.stringify(check)}\n`);
  }
}
await log.close();
await pool.end();
