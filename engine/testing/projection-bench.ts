import type { IncomingRecord, LaneContext } from "../log/log.js";
import { formatPosition, positionHeader } from "../log/position.js";
import { type Build, createBuild, ensureBuild } from "../projector/build.js";
import { BuildWriter } from "../projector/build-writer.js";
import { ConsumerLane, readingAgain } from "../projector/consumer-lane.js";
import { type Decision, type DecisionLog, Decisions } from "../projector/decisions.js";
import type { AnyProjection } from "../projector/definition.js";
import type { FoldInput } from "../projector/fold.js";
import type { FoldWatch } from "../projector/fold-watch.js";
import type { InHand } from "../projector/in-hand.js";
import { ProjectionLane } from "../projector/lane.js";
import { layOut, type ProjectionLayout } from "../projector/layout.js";
import { Loader } from "../projector/load.js";
import type { HeldHere } from "../projector/parked-limit.js";
import { ParkedOperations } from "../projector/parked-operations.js";
import { Patience } from "../projector/patience.js";
import type { Decoder, Opener, SealedContent } from "../projector/ports.js";
import { type BuiltRow, readTable } from "../projector/read-table.js";
import { TributaryError } from "../service/errors.js";
import type { Pool } from "../store/pool.js";

export interface BenchLaneOptions {
  readonly pool?: Pool;
  readonly cacheRows?: number;
  /** Of another process; default the bench's own. */
  readonly decisions?: Decisions;
  readonly watch?: FoldWatch;
  readonly parkedLimit?: number;
  /** Keys that lanes hold back together; default each its own. */
  readonly heldHere?: HeldHere;
  /** What lanes have in hand together; default each its own. */
  readonly inHand?: InHand;
  /** Another projection on the same log, fed by the same consumer; default none. */
  readonly beside?: ProjectionBench;
  /** Attempts to learn a schema before the lane stops; default 2. */
  readonly schemaAttempts?: number;
}

const unknownSchema = () => new TributaryError("TRIB_LOG_UNKNOWN_SCHEMA");

/** A list of decisions, as the audit topic would give it. */
export function memoryDecisions(decided: Decision[]): DecisionLog {
  return {
    read: async (projection, from) => ({
      decisions: decided.slice(from.get(0) ?? 0).filter((decision) => decision.projection === projection),
      next: new Map([[0, decided.length]]),
    }),
    append: async (decisions) => {
      decided.push(...decisions);
    },
  };
}

/** A log in memory and lanes on a real Postgres: a projection at work without Kafka. */
export class ProjectionBench implements Decoder, Opener {
  readonly layout: ProjectionLayout;
  readonly build: Build;
  readonly pool: Pool;
  /** Messages of the log, at warn and error. */
  readonly messages: string[] = [];
  /** What operators decided, as the audit topic would keep it. */
  readonly decided: Decision[];
  readonly decisions: Decisions;
  #log = new Map<string, { topic: string; partition: number; records: IncomingRecord[] }>();
  #events: FoldInput[] = [];
  #inputs: FoldInput[] = [];
  #sealed = new Map<string, object>();
  #unknown = new Set<string>();
  #garbage = new Set<string>();

  private constructor(layout: ProjectionLayout, build: Build, pool: Pool, decided: Decision[] = []) {
    this.layout = layout;
    this.build = build;
    this.pool = pool;
    this.decided = decided;
    this.decisions = new Decisions(memoryDecisions(this.decided), layout.name);
  }

  /** @param options.beside a build of its own beside those there, empty; default: the projection's current build. */
  static async create(
    projection: AnyProjection,
    pool: Pool,
    options: { readonly beside?: boolean } = {},
  ): Promise<ProjectionBench> {
    const build = await (options.beside ? createBuild : ensureBuild)(pool, projection, "bench");
    return new ProjectionBench(layOut(projection), build, pool);
  }

  /** The same log and decisions with another definition of the projection, or into an empty build beside. */
  async with(projection: AnyProjection, options: { readonly beside?: boolean } = {}): Promise<ProjectionBench> {
    const build = options.beside ? await createBuild(this.pool, projection, "bench") : this.build;
    return this.of(build, projection);
  }

  /** The same log and decisions for another build. */
  of(build: Build, projection: AnyProjection = this.layout.definition): ProjectionBench {
    const other = new ProjectionBench(layOut(projection), build, this.pool, this.decided);
    other.#log = this.#log;
    other.#events = this.#events;
    other.#inputs = this.#inputs;
    other.#sealed = this.#sealed;
    other.#unknown = this.#unknown;
    other.#garbage = this.#garbage;
    return other;
  }

  /** From now on every event can be decoded: bytes that were garbage are mended, schemas that were unknown are known. */
  mend(): void {
    this.#unknown.clear();
    this.#garbage.clear();
  }

  /** Events of the log in its order, repetitions left out, at the offsets they got. */
  get inputs(): readonly FoldInput[] {
    return this.#inputs;
  }

  /**
   * Appends events to the log, each to its source's topic and partition, at the next offset there.
   * @param options.numberOfTimes how often the publisher sends the whole stretch; default 1.
   * @param options.undecodable events whose bytes are to be garbage.
   * @param options.unknown events whose schema nobody knows.
   */
  append(
    events: readonly FoldInput[],
    options: {
      numberOfTimes?: number;
      undecodable?: (event: FoldInput) => boolean;
      unknown?: (event: FoldInput) => boolean;
    } = {},
  ): void {
    for (let time = 0; time < (options.numberOfTimes ?? 1); time++) {
      for (const event of events) {
        const records = this.recordsOf(event.source.topic, event.source.partition);
        const offset = records.length;
        const input = { ...event, source: { ...event.source, offset } };
        const number = this.#events.push(input) - 1;
        if (time === 0) this.#inputs.push(input);
        if (options.undecodable?.(event)) this.#garbage.add(String(number));
        if (options.unknown?.(event)) this.#unknown.add(String(number));
        const { id } = (event.event as { meta: { id: string } }).meta;
        if (event.sealed) this.#sealed.set(id, event.sealed);
        records.push({
          offset,
          timestamp: event.position.recordedAt,
          key: event.key,
          value: Buffer.from(String(number)),
          headers: { [positionHeader]: formatPosition(event.position) },
        });
      }
    }
  }

  recordsOf(topic: string, partition: number): IncomingRecord[] {
    const name = `${topic}/${partition}`;
    let lane = this.#log.get(name);
    if (!lane) {
      lane = { topic, partition, records: [] };
      this.#log.set(name, lane);
    }
    return lane.records;
  }

  /** A lane of its own, as one process would have it. */
  lane(topic: string, partition: number, options: BenchLaneOptions = {}): ConsumerLane {
    const { lane, reading } = this.#lane(topic, partition, options);
    const { beside } = options;
    return new ConsumerLane({ ...reading, lanes: beside ? [lane, beside.#lane(topic, partition, {}).lane] : [lane] });
  }

  #lane(topic: string, partition: number, options: BenchLaneOptions) {
    const note = (_: object, message: string) => void this.messages.push(message);
    const logger = { info: () => {}, warn: note, error: note };
    const patience = new Patience({ logger, shortest: 5, longest: 50 });
    const decisions = options.decisions ?? this.decisions;
    const shared = {
      layout: this.layout,
      pool: options.pool ?? this.pool,
      opener: this,
      published: true,
      logger,
      ...(options.watch ? { watch: options.watch } : {}),
    };
    const place = { build: this.build, topic, partition };
    const { schemaAttempts = 2 } = options;
    const reading = { topic, partition, decoder: this, published: true, patience, schemaAttempts };
    const { layout, pool } = shared;
    const lane = new ProjectionLane({
      ...shared,
      ...place,
      writer: new BuildWriter({ pool, layout, build: this.build, patience }),
      loader: new Loader(pool, layout, this.build),
      ...readingAgain(this, reading, decisions.of(topic, partition)),
      cacheRows: () => options.cacheRows ?? 10_000,
      owner: "bench",
      ...(options.inHand ? { inHand: options.inHand } : {}),
      ...(options.heldHere ? { heldHere: options.heldHere } : {}),
      patience,
      decisions: decisions.of(topic, partition),
      operations: new ParkedOperations({ ...shared, place, log: this, decoder: this, decisions }),
      ...(options.parkedLimit === undefined ? {} : { parkedLimit: options.parkedLimit }),
    });
    return { lane, reading };
  }

  /** A broker's view of a lane; `end` is the offset at which the log ends for it. */
  context(end: number, isOwned = () => true): LaneContext {
    return { highWatermark: end, isOwned, heartbeat: async () => {}, seek: () => {} };
  }

  /** The log as commands and owners read it. */
  async *read(topic: string, partition: number, from: number, to: number): AsyncIterable<readonly IncomingRecord[]> {
    const records = this.recordsOf(topic, partition).slice(from, to);
    // In pieces, as from a broker.
    for (let at = 0; at < records.length; at += 50) yield records.slice(at, at + 50);
  }

  /** Opens a lane for every partition, as after a start, carries out what operators asked for, and reads all of the log in batches. */
  async run(options: BenchLaneOptions & { readonly batch?: number } = {}): Promise<void> {
    for (const { topic, partition, records } of this.#log.values()) {
      const lane = this.lane(topic, partition, options);
      const size = options.batch ?? 100;
      const next = await lane.open();
      await lane.attend();
      for (let from = next; from < records.length; from += size) {
        // As a rule the log ends there for the moment, so that the batch is written; now and then more is known to come.
        const isEnd = Math.floor(from / size) % 3 !== 2;
        await lane.batch(
          records.slice(from, from + size),
          this.context(isEnd ? Math.min(from + size, records.length) : records.length),
        );
      }
      await lane.close();
    }
  }

  /** Rows of a table as they stand in Postgres. */
  async rows(name: string): Promise<readonly BuiltRow[]> {
    const table = this.layout.tables.find((candidate) => candidate.name === name);
    if (!table) throw new Error(`projection ${this.layout.name} has no table ${name}`);
    return readTable(this.pool as never, this.build, table);
  }

  decodeEvent(value: Buffer): ReturnType<Decoder["decodeEvent"]> {
    if (this.#unknown.has(value.toString())) throw unknownSchema();
    const input = this.#events[Number(value.toString())];
    if (!input || this.#garbage.has(value.toString())) throw new Error("no event");
    const sealed = input.sealed ? Buffer.from("sealed") : null;
    return { type: input.type, event: { ...input.event, sealed } };
  }

  async learn(value: Buffer): Promise<void> {
    if (this.#unknown.has(value.toString())) throw unknownSchema();
  }

  async open(contents: readonly SealedContent[]): Promise<readonly (object | null)[]> {
    return contents.map(({ eventId }) => this.#sealed.get(eventId) ?? null);
  }
}
