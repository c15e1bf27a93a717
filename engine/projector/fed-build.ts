import type { Log } from "../log/log.js";
import type { Metrics } from "../service/metrics.js";
import type { Pool } from "../store/pool.js";
import type { Absence } from "./absence.js";
import type { Build } from "./build.js";
import { BuildWriter } from "./build-writer.js";
import { type ReadingOptions, readingAgain } from "./consumer-lane.js";
import { type DecisionLog, Decisions } from "./decisions.js";
import type { AnyProjection } from "./definition.js";
import { DerivedKeeper } from "./derived-keeper.js";
import type { EventSelection } from "./events.js";
import type { FoldWatchdog } from "./fold-watch.js";
import { InHand } from "./in-hand.js";
import { ProjectionLane } from "./lane.js";
import { layOut, type ProjectionLayout } from "./layout.js";
import { Loader } from "./load.js";
import { HeldHere } from "./parked-limit.js";
import { ParkedOperations } from "./parked-operations.js";
import type { Patience } from "./patience.js";
import type { Decoder, Opener, ProjectorLogger } from "./ports.js";
import { topicsOfProjections } from "./roles.js";
import { validateProjection } from "./validate.js";

/** What the lanes of any build in this process share. */
export interface FeedParts {
  readonly log: Pick<Log, "read">;
  readonly pool: Pool;
  readonly decoder: Decoder;
  /** Of topics of others; needed when a projection reads one. */
  readonly decoderOfOthers?: Decoder;
  readonly opener: Opener;
  readonly logger: ProjectorLogger;
  readonly metrics?: Metrics;
  /** Where decisions of operators are recorded; without it nothing that they ask for is carried out. */
  readonly decisionLog?: DecisionLog;
  /** What operators decided, where that is settled: an as-of's lanes honour it, and carry out nothing themselves. */
  readonly decisions?: Pick<Decisions, "of"> | undefined;
  /** Of an as-of; default all events. */
  readonly selection?: EventSelection | undefined;
  /** Watches that no fold takes too long; default nobody does. */
  readonly watchdog?: FoldWatchdog;
  /** Most keys a build may hold back; default 10,000. */
  readonly parkedLimit?: number;
  /** Most rows held in memory for one build, over all partitions that this process owns; default 100,000. */
  readonly cacheRows?: number;
  /** What all lanes of this process have in hand; default: those of a build among themselves. */
  readonly inHand?: InHand;
  /** Names this process, for who looks at the checkpoints. */
  readonly owner: string;
  readonly patience: Patience;
  /** Told when a lane stays lost although it is still ours: the process must exit. */
  readonly onFailure?: (error: Error) => void;
}

/** How records of a partition become events of a projection. */
export function readingOf(
  { decoder, decoderOfOthers = decoder, patience, selection }: FeedParts,
  projection: Pick<AnyProjection, "topic">,
  topic: string,
  partition: number,
): ReadingOptions {
  const published = projection.topic === undefined;
  return { topic, partition, decoder: published ? decoder : decoderOfOthers, published, patience, selection };
}

/** A build that lanes of this process write: what they share among them. */
export class FedBuild {
  readonly layout: ProjectionLayout;
  readonly topics: readonly string[];
  readonly keeper: DerivedKeeper | undefined;
  /** As it was when it was last looked at. */
  build: Build;
  /** Lanes open in this process: they share the memory for rows. */
  lanes = 0;
  readonly #parts: FeedParts;
  readonly #inHand: InHand;
  readonly #heldHere = new HeldHere();
  readonly #writer: BuildWriter;
  readonly #loader: Loader;
  readonly #decisions: Decisions | undefined;

  /** @throws TRIB_PROJECT_DEFINITION_INVALID */
  constructor(projection: AnyProjection, build: Build, parts: FeedParts) {
    validateProjection(projection);
    const { pool, patience, decisionLog, owner, logger } = parts;
    const layout = layOut(projection);
    this.layout = layout;
    this.build = build;
    this.topics = topicsOfProjections([projection]);
    this.#parts = parts;
    this.#inHand = parts.inHand ?? new InHand();
    const derived = Object.keys(projection.derived ?? {}).length > 0;
    this.keeper = derived ? new DerivedKeeper({ pool, build, layout, owner, logger }) : undefined;
    const metrics = this.#metrics();
    this.#writer = new BuildWriter({ pool, layout, build, patience, ...(metrics ? { metrics } : {}) });
    this.#loader = new Loader(pool, layout, build);
    this.#decisions = parts.decisions ? undefined : decisionLog && new Decisions(decisionLog, projection.name);
  }

  /** Those of the build that analysts see: the others would be told under the same names. */
  #metrics(): Metrics | undefined {
    const { metrics } = this.#parts;
    if (!metrics) return undefined;
    const isTold = () => this.build.state === "current";
    return {
      count: (...told) => isTold() && metrics.count(...told),
      set: (...told) => isTold() && metrics.set(...told),
      observe: (...told) => isTold() && metrics.observe(...told),
      text: () => metrics.text(),
    };
  }

  /**
   * Counts a lane that was opened, and starts the keeper of the derived tables with the partition that decides who keeps
   * them: a keyed table has one topic, so its projection has one partition 0.
   */
  opened(partition: number): void {
    this.lanes++;
    if (partition === 0) this.keeper?.start();
  }

  async closed(partition: number): Promise<void> {
    this.lanes--;
    if (partition === 0) await this.keeper?.stop();
  }

  /** How records of a partition become events. */
  reading(topic: string, partition: number): ReadingOptions {
    return readingOf(this.#parts, this.layout.definition, topic, partition);
  }

  /** @param met keys met before the lane's first event, where a rebuild began the partition. */
  lane(topic: string, partition: number, met?: { readonly before: number; readonly absence: Absence }): ProjectionLane {
    const { log, pool, opener, logger, watchdog, parkedLimit, cacheRows = 100_000, owner, patience } = this.#parts;
    const { layout, build } = this;
    const decisions = this.#decisions;
    const decided = (this.#parts.decisions ?? decisions)?.of(topic, partition);
    const reading = this.reading(topic, partition);
    const watch = watchdog?.lane({ projection: layout.name, topic, partition });
    const { published, decoder } = reading;
    const shared = { layout, pool, opener, published, logger, ...(watch ? { watch } : {}) };
    const place = { build, topic, partition };
    const metrics = this.#metrics();
    const { onFailure } = this.#parts;
    return new ProjectionLane({
      ...shared,
      ...place,
      writer: this.#writer,
      loader: this.#loader,
      ...readingAgain(log, reading, decided),
      cacheRows: () => cacheRows / Math.max(1, this.lanes),
      inHand: this.#inHand,
      heldHere: this.#heldHere,
      owner,
      patience,
      ...(onFailure ? { onFailure } : {}),
      ...(metrics ? { metrics } : {}),
      ...(decisions ? { operations: new ParkedOperations({ ...shared, place, log, decoder, decisions }) } : {}),
      ...(decided ? { decisions: decided } : {}),
      ...(parkedLimit === undefined ? {} : { parkedLimit }),
      ...(met ? { met } : {}),
    });
  }
}
