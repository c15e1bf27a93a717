import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import type { LaneHandler, Log } from "../log/log.js";
import type { ConsumerDefinition } from "../service/consumer.js";
import { TributaryError } from "../service/errors.js";
import type { Pool } from "../store/pool.js";
import { attended } from "./attendance.js";
import { type Build, ensureBuild, listBuilds } from "./build.js";
import type { ReadingOptions } from "./consumer-lane.js";
import type { AnyProjection } from "./definition.js";
import { FedBuild, type FeedParts, readingOf } from "./fed-build.js";
import { FedPartition } from "./fed-partition.js";
import { InHand } from "./in-hand.js";
import { Patience } from "./patience.js";
import { RequestWatch } from "./request-watch.js";
import { applyConsumerGrants, topicsOfProjections } from "./roles.js";
import { validateProjection } from "./validate.js";

export interface ConsumerSurroundings extends Omit<FeedParts, "log" | "owner" | "patience" | "onFailure"> {
  readonly definition: ConsumerDefinition;
  readonly log: Pick<Log, "subscribe" | "read" | "watermarks">;
  /** As the consumer's own role; see `prepareConsumer`. */
  readonly pool: Pool;
  /** Called when the consumer can't go on: the process must exit. */
  readonly onFailure: (error: Error) => void;
  /** Milliseconds between looks at which builds there are; default 1,000. */
  readonly lookMilliseconds?: number;
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

/** The builds of a consumer's projections that its lanes write: those of the versions known here that are its to feed. */
class Feeds {
  readonly #projections: readonly AnyProjection[];
  readonly #parts: FeedParts;
  #fed: readonly FedBuild[] = [];
  /** Names of projections of which a rebuild fills the build of this version: it is handed over when it is whole. */
  #filled: ReadonlySet<string> = new Set();

  constructor(projections: readonly AnyProjection[], parts: FeedParts) {
    this.#projections = projections;
    this.#parts = parts;
  }

  get all(): readonly FedBuild[] {
    return this.#fed;
  }

  of(topic: string): readonly FedBuild[] {
    return this.#fed.filter(({ topics }) => topics.includes(topic));
  }

  /** Looks which builds there are now. */
  async look(): Promise<void> {
    const fed: FedBuild[] = [];
    const filled = new Set<string>();
    for (const projection of this.#projections) {
      for (const build of await listBuilds(this.#parts.pool, projection.name)) {
        if (build.version !== projection.version) continue;
        if (build.feed === "rebuild") filled.add(projection.name);
        if (build.feed !== "consumer") continue;
        const found = this.#fed.find((one) => one.build.schema === build.schema);
        if (found) found.build = build;
        fed.push(found ?? new FedBuild(projection, build, this.#parts));
      }
    }
    this.#fed = fed;
    this.#filled = filled;
  }

  /** How the records of a topic become events: it is ours or of others, whatever is folded from it. */
  reading(topic: string, partition: number): ReadingOptions {
    const reader = this.#projections.find((one) => topicsOfProjections([one]).includes(topic)) as AnyProjection;
    return readingOf(this.#parts, reader, topic, partition);
  }

  /** @throws TRIB_PROJECT_BUILD_MISSING */
  assertComplete(): void {
    for (const { name, version } of this.#projections) {
      if (this.#filled.has(name) || this.#fed.some(({ build }) => build.projection === name)) continue;
      throw new TributaryError(
        "TRIB_PROJECT_BUILD_MISSING",
        `Projection ${name} has no build of version ${version} that this role may see.`,
        { projection: name, version },
      );
    }
  }
}

/**
 * Runs a projecting consumer: group `tributary.<name>`, one lane a partition and build. Builds that a rebuild hands over are
 * taken up while it runs, and those about to be dropped let go. Where a rebuild fills the build of this version, the others
 * are fed meanwhile.
 * @throws TRIB_PROJECT_BUILD_MISSING, TRIB_PROJECT_DEFINITION_INVALID
 */
export async function runConsumer(surroundings: ConsumerSurroundings): Promise<RunningConsumer> {
  const { definition, log, logger, onFailure, lookMilliseconds = 1_000 } = surroundings;
  const owner = `${hostname()}:${process.pid}:${randomUUID().slice(0, 8)}`;
  const patience = new Patience({ logger });
  for (const projection of definition.project) validateProjection(projection);
  const feeds = new Feeds(definition.project, { ...surroundings, inHand: new InHand(), owner, patience });
  await feeds.look();
  feeds.assertComplete();
  // Postgres may be away: then it is looked again later.
  const watch = setInterval(() => void feeds.look().catch(() => {}), lookMilliseconds);
  watch.unref();

  const requests = new RequestWatch(surroundings.pool, () => feeds.all.map(({ build }) => build));
  const laneOf = (topic: string, partition: number): LaneHandler => {
    feeds.assertComplete();
    const reading = feeds.reading(topic, partition);
    const builds = () => feeds.of(topic);
    const inner = new FedPartition({ topic, partition, log, reading, builds, look: () => feeds.look() });
    return attended(
      inner,
      () => inner.attend(),
      async () => inner.isBehind() || (await requests.concerns(topic, partition)),
    );
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
      projections: feeds.all.map(({ build }) => ({
        name: build.projection,
        build: build.build,
        schema: build.schema,
      })),
      partitions: subscription.assignment(),
    }),
    async close() {
      clearInterval(watch);
      await subscription.close();
      await Promise.all(feeds.all.map(({ keeper }) => keeper?.stop()));
    },
  };
}
