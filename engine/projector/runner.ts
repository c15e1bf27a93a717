import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import type { LaneHandler, Log } from "../log/log.js";
import type { ConsumerDefinition } from "../service/consumer.js";
import { TributaryError } from "../service/errors.js";
import type { Metrics } from "../service/metrics.js";
import type { Pool } from "../store/pool.js";
import { attended } from "./attendance.js";
import { type Build, ensureBuild, listBuilds } from "./build.js";
import { BuildWriter } from "./build-writer.js";
import { ConsumerLane, readContext } from "./consumer-lane.js";
import { type DecisionLog, Decisions } from "./decisions.js";
import type { AnyProjection } from "./definition.js";
import { DerivedKeeper } from "./derived-keeper.js";
import { readEventsOf } from "./events.js";
import type { FoldWatchdog } from "./fold-watch.js";
import { ProjectionLane } from "./lane.js";
import { layOut, type ProjectionLayout } from "./layout.js";
import { Loader } from "./load.js";
import { ParkedOperations } from "./parked-operations.js";
import { Patience } from "./patience.js";
import type { Decoder, Opener, ProjectorLogger } from "./ports.js";
import { RequestWatch } from "./request-watch.js";
import { applyConsumerGrants, topicsOfProjections } from "./roles.js";
import { validateProjection } from "./validate.js";

export interface ConsumerSurroundings {
  readonly definition: ConsumerDefinition;
  readonly log: Pick<Log, "subscribe" | "read">;
  /** As the consumer's own role; see `prepareConsumer`. */
  readonly pool: Pool;
  readonly decoder: Decoder;
  /** Of topics of others; needed when a projection reads one. */
  readonly decoderOfOthers?: Decoder;
  readonly opener: Opener;
  readonly logger: ProjectorLogger;
  readonly metrics?: Metrics;
  /** Where decisions of operators are recorded; without it nothing that they ask for is carried out. */
  readonly decisionLog?: DecisionLog;
  /** Watches that no fold takes too long; default nobody does. */
  readonly watchdog?: FoldWatchdog;
  /** Most keys a build may hold back; default 10,000. */
  readonly parkedLimit?: number;
  /** Called when the consumer can't go on: the process must exit. */
  readonly onFailure: (error: Error) => void;
  /** Most rows held in memory for one projection, over all partitions that this process owns; default 100,000. */
  readonly cacheRows?: number;
}

export interface RunningConsumer {
  /** False when no batch and no empty fetch came for two minutes. */
  live(): boolean;
  /** True once partitions are assigned. */
  ready(): boolean;
  /** Projections with their builds, and partitions owned. */
  state(): Readonly<Record<string, unknown>>;
  /** Finishes the batches in hand. */
  close(): Promise<void>;
}

/** A broker that is away is waited for; a consumer that makes no progress for longer is not alive. */
const longestIdleMilliseconds = 120_000;

/**
 * What a consumer needs before it runs: builds, views, its role with its grants. Idempotent, any number at once.
 * @param admin as the owner of the database.
 * @throws TRIB_PROJECT_DEFINITION_INVALID, TRIB_PROJECT_BUILD_CHANGED
 */
export async function prepareConsumer(
  admin: Pool,
  definition: ConsumerDefinition,
  options: { readonly password?: string } = {},
): Promise<readonly Build[]> {
  const builds: Build[] = [];
  for (const projection of definition.project) builds.push(await ensureBuild(admin, projection, definition.name));
  await applyConsumerGrants(admin, definition, options);
  return builds;
}

async function buildFor(pool: Pool, projection: AnyProjection): Promise<Build> {
  const builds = (await listBuilds(pool, projection.name)).filter(({ version }) => version === projection.version);
  const build = builds.find(({ state }) => state === "current") ?? builds.at(-1);
  if (!build) {
    throw new TributaryError(
      "TRIB_PROJECT_BUILD_MISSING",
      `Projection ${projection.name} has no build of version ${projection.version} that this role may see.`,
      { projection: projection.name, version: projection.version },
    );
  }
  return build;
}

interface Fed {
  readonly layout: ProjectionLayout;
  readonly build: Build;
  readonly topics: readonly string[];
  readonly keeper: DerivedKeeper | undefined;
  readonly writer: BuildWriter;
  readonly loader: Loader;
  readonly decisions: Decisions | undefined;
  /** Lanes open in this process: they share the memory for rows. */
  lanes: number;
}

/**
 * Counts a lane among its projections' open ones, and starts the keepers with the partition that decides who keeps the
 * derived tables.
 */
function accompanied(lane: LaneHandler, here: readonly Fed[], keepers: readonly DerivedKeeper[]): LaneHandler {
  let counted = 0;
  const count = (by: 1 | -1) => {
    counted += by;
    for (const projection of here) projection.lanes += by;
  };
  return {
    async open(ownership) {
      const offset = await lane.open(ownership);
      count(1);
      for (const keeper of keepers) keeper.start();
      return offset;
    },
    batch: (records, context) => lane.batch(records, context),
    async close() {
      if (counted > 0) count(-1);
      await Promise.all(keepers.map((keeper) => keeper.stop()));
      await lane.close();
    },
  };
}

/**
 * Runs a projecting consumer: group `tributary.<name>`, one lane a partition and projection.
 * @throws TRIB_PROJECT_BUILD_MISSING, TRIB_PROJECT_DEFINITION_INVALID
 */
export async function runConsumer(surroundings: ConsumerSurroundings): Promise<RunningConsumer> {
  const { definition, log, pool, decoder, opener, logger, metrics, onFailure, cacheRows = 100_000 } = surroundings;
  const owner = `${hostname()}:${process.pid}:${randomUUID().slice(0, 8)}`;
  const { watchdog, parkedLimit } = surroundings;
  const others = surroundings.decoderOfOthers ?? decoder;
  const patience = new Patience({ logger });
  const fed: Fed[] = [];
  for (const projection of definition.project) {
    validateProjection(projection);
    const layout = layOut(projection);
    const build = await buildFor(pool, projection);
    const derived = Object.keys(projection.derived ?? {}).length > 0;
    const keeper = derived ? new DerivedKeeper({ pool, build, layout, owner, logger }) : undefined;
    fed.push({
      layout,
      build,
      topics: topicsOfProjections([projection]),
      keeper,
      writer: new BuildWriter({ pool, layout, build, patience, ...(metrics ? { metrics } : {}) }),
      loader: new Loader(pool, layout, build),
      decisions: surroundings.decisionLog && new Decisions(surroundings.decisionLog, projection.name),
      lanes: 0,
    });
  }

  const requests = new RequestWatch(
    pool,
    fed.map(({ build }) => build),
  );
  const laneOf = (topic: string, partition: number): LaneHandler => {
    const here = fed.filter(({ topics }) => topics.includes(topic));
    const foreign = here.some(({ layout }) => layout.definition.topic !== undefined);
    const reading = { topic, partition, decoder: foreign ? others : decoder, published: !foreign, patience };
    const lanes = here.map((projection) => {
      const { layout, build, writer, loader, decisions } = projection;
      const watch = watchdog?.lane({ projection: layout.name, topic, partition });
      const { published } = reading;
      const shared = { layout, pool, opener, published, logger, ...(watch ? { watch } : {}) };
      const place = { build, topic, partition };
      const operations =
        decisions && new ParkedOperations({ ...shared, place, log, decoder: reading.decoder, decisions });
      return new ProjectionLane({
        ...shared,
        ...place,
        writer,
        loader,
        again: (from, to) => readEventsOf(log.read(topic, partition, from, to), readContext(reading)),
        cacheRows: () => cacheRows / Math.max(1, projection.lanes),
        owner,
        onFailure,
        patience,
        ...(metrics ? { metrics } : {}),
        ...(operations && decisions ? { operations, decisions: decisions.of(topic, partition) } : {}),
        ...(parkedLimit === undefined ? {} : { parkedLimit }),
      });
    });
    const inner = new ConsumerLane({ ...reading, lanes });
    const lane = attended(
      inner,
      () => inner.attend(),
      () => requests.concerns(topic, partition),
    );
    // A keyed table has one topic, so its projection has one partition 0.
    const keepers = partition === 0 ? here.flatMap(({ keeper }) => (keeper ? [keeper] : [])) : [];
    return accompanied(lane, here, keepers);
  };

  const subscription = await log.subscribe({
    group: `tributary.${definition.name}`,
    topics: topicsOfProjections(definition.project),
    lane: laneOf,
    onFailure,
    // All partitions of a fetch at once: their lanes share statements.
    concurrency: 64,
  });
  return {
    live: () => subscription.idleMilliseconds() < longestIdleMilliseconds,
    ready: () => subscription.assignment().length > 0,
    state: () => ({
      projections: fed.map(({ build }) => ({ name: build.projection, build: build.build, schema: build.schema })),
      partitions: subscription.assignment(),
    }),
    async close() {
      await subscription.close();
      await Promise.all(fed.map(({ keeper }) => keeper?.stop()));
    },
  };
}
