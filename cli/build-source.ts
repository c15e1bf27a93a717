import type { Codec } from "../engine/log/codec.js";
import { codecOfOthers } from "../engine/log/codec-of-others.js";
import { connectCodec } from "../engine/log/registry.js";
import { auditDecisions } from "../engine/projector/audit-decisions.js";
import type { DecisionLog } from "../engine/projector/decisions.js";
import type { AnyProjection } from "../engine/projector/definition.js";
import { FoldWatchdog } from "../engine/projector/fold-watch.js";
import type { DatedOpener, Decoder } from "../engine/projector/ports.js";
import { openedEventTypes } from "../engine/projector/roles.js";
import type { FillOptions } from "../engine/replay/fill.js";
import type { ConsumerDefinition } from "../engine/service/consumer.js";
import { decoderOf } from "../engine/service/decoder.js";
import { projectionNamed } from "../engine/service/discover.js";
import { TributaryError } from "../engine/service/errors.js";
import { closedOpener, sealedOpener } from "../engine/service/sealed-opener.js";
import { kekSettings, requireSetting, type Settings } from "../engine/service/settings.js";
import { openPool } from "../engine/store/pool.js";
import { commandLogger, withLog } from "./log.js";

/** What a build is made from, as far as every way of making one needs it. */
export interface BuildSource
  extends Pick<
    FillOptions,
    "projection" | "pool" | "decoder" | "logger" | "watchdog" | "memoryBytes" | "parkedLimit" | "connections"
  > {
  readonly consumer: ConsumerDefinition;
  readonly projection: AnyProjection;
  readonly opener: DatedOpener;
  readonly decisionLog: DecisionLog;
  readonly signal: AbortSignal;
  /** Whether it opens what identifies a person. */
  readonly opens: boolean;
}

type LogParts = Parameters<Parameters<typeof withLog>[0]>[0];

export interface BuildParts {
  readonly source: BuildSource;
  readonly log: LogParts["log"];
  readonly codec: Codec;
  readonly settings: Settings;
}

/**
 * Runs a command that makes builds of a projection, and closes everything. It ends with TRIB_REPLAY_INTERRUPTED when it is
 * told to.
 * @param options.sealed leaves restricted columns empty.
 */
export async function withBuildSource<Result>(
  name: string,
  options: { readonly connections: number; readonly sealed?: boolean },
  work: (parts: BuildParts) => Promise<Result>,
): Promise<Result> {
  const { consumer, projection } = await projectionNamed(name);
  return withLog(async ({ log, settings }) => {
    const codec = await connectCodec(settings);
    // Besides those that write: those that hold claims (a difference has two), and one for all else.
    const pool = openPool(requireSetting(settings, "DATABASE_URL"), {
      applicationName: `tributary build ${name}`,
      max: options.connections + 3,
    });
    const opens = !options.sealed && openedEventTypes({ ...consumer, project: [projection] }).length > 0;
    const opener = opens ? sealedOpener(pool, kekSettings(settings), codec) : closedOpener;
    const watchdog = new FoldWatchdog(settings.FOLD_SECONDS, consumer.name);
    const ending = new AbortController();
    const end = () => ending.abort(new TributaryError("TRIB_REPLAY_INTERRUPTED"));
    process.once("SIGINT", end);
    process.once("SIGTERM", end);
    try {
      const source: BuildSource = {
        consumer,
        projection,
        pool,
        decoder: projection.topic === undefined ? decoderOf(codec) : (codecOfOthers(settings) as Decoder),
        opener,
        logger: commandLogger(),
        decisionLog: auditDecisions(log, codec),
        watchdog,
        memoryBytes: settings.REBUILD_MEMORY_MB * 1e6,
        parkedLimit: settings.PROJECTION_PARKED_LIMIT,
        connections: options.connections,
        signal: ending.signal,
        opens,
      };
      return await work({ source, log, codec, settings });
    } finally {
      process.off("SIGINT", end);
      process.off("SIGTERM", end);
      opener.close();
      await watchdog.close();
      await pool.end();
    }
  });
}
