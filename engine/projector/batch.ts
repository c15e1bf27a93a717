import { formatPosition } from "../log/position.js";
import type { Pool } from "../store/pool.js";
import type { Build } from "./build.js";
import { EntityCache } from "./cache.js";
import { Changes } from "./changes.js";
import { type Checkpoint, storableText } from "./checkpoint.js";
import { type LaneDecisions, noDecisions } from "./decisions.js";
import type { Entity } from "./entity.js";
import type { LaneEvent } from "./events.js";
import { FoldMachine, type ParkReason } from "./fold.js";
import type { FoldWatch } from "./fold-watch.js";
import type { ProjectionLayout } from "./layout.js";
import { Loader } from "./load.js";
import { parkedByOperator } from "./operator-park.js";
import type { Opener } from "./ports.js";
import { type ParkedRow, type WriteStatement, writeStatement } from "./statement.js";

/** A batch that is folded and not yet written. */
export interface FoldedBatch {
  readonly events: readonly LaneEvent[];
  readonly next: number;
  /** Parameters of the fenced statement. */
  readonly values: readonly unknown[];
  readonly applied: number;
  readonly parked: readonly ParkedRow[];
}

export interface FolderOptions {
  readonly layout: ProjectionLayout;
  readonly build: Build;
  readonly topic: string;
  readonly partition: number;
  readonly pool: Pool;
  readonly opener: Opener;
  readonly published: boolean;
  readonly cacheRows: number;
  /** What operators decided about events of this partition; default nothing. */
  readonly decisions?: LaneDecisions;
  readonly watch?: FoldWatch;
}

const storableId = ({ eventId }: LaneEvent) => (eventId === null ? null : storableText(eventId));

/** Everything a lane keeps in memory about its partition, ahead of Postgres by the batches under way. */
export class LaneState {
  readonly statement: WriteStatement;
  readonly #options: FolderOptions;
  readonly #machine: FoldMachine;
  readonly #loader: Loader;
  readonly #cache: EntityCache;
  #checkpoint: Checkpoint | undefined;
  #next = 0;
  #batch = 0;
  /** Events that Postgres refused: on the way to being parked. */
  readonly #refused = new Map<number, ParkReason>();

  constructor(options: FolderOptions) {
    this.#options = options;
    this.statement = writeStatement(options.layout, options.build);
    this.#machine = new FoldMachine(options.layout);
    this.#loader = new Loader(options.layout, options.build);
    this.#cache = new EntityCache(options.cacheRows);
  }

  /** Offset after the last event folded. */
  get next(): number {
    return this.#next;
  }

  get epoch(): number {
    return this.#checkpoint?.epoch ?? 0;
  }

  get heldKeys(): number {
    return this.#checkpoint?.held.size ?? 0;
  }

  /** Starts from a checkpoint just read: whatever was folded after it is forgotten. */
  reset(checkpoint: Checkpoint): void {
    this.#checkpoint = checkpoint;
    this.#next = checkpoint.nextOffset;
    this.#cache.clear();
  }

  /** True when the event was handled, or an operator decided about it: nobody needs to decode it. */
  needsNo(offset: number): boolean {
    return offset < this.#next || (this.#options.decisions?.has(offset) ?? false);
  }

  /** From now on this event parks its key instead of being folded. @returns false when it already did. */
  refuse(offset: number, code: string): boolean {
    if (this.#refused.has(offset)) return false;
    this.#refused.set(offset, {
      code: "TRIB_PROJECT_WRITE_REFUSED",
      reason: `Postgres refuses the rows of this event (SQLSTATE ${code})`,
    });
    return true;
  }

  /**
   * Folds the events at and after `next`.
   * @returns undefined when there are none.
   */
  async fold(events: readonly LaneEvent[]): Promise<FoldedBatch | undefined> {
    const checkpoint = this.#checkpoint;
    const ahead = events.filter(({ offset }) => offset >= this.#next);
    const last = ahead.at(-1);
    if (!checkpoint || !last) return undefined;
    // Everything that waits for others comes first: it may have to be done again, and must leave no trace until it is.
    const wanted = ahead.filter(
      ({ type, key }) => (type === undefined || this.#machine.folds(type)) && !checkpoint.held.has(storableText(key)),
    );
    const entities = await this.#entitiesOf(wanted, this.#batch + 1);
    await this.#open(wanted);
    return this.#foldAll({ checkpoint, ahead, entities, next: last.offset + 1 });
  }

  async #entitiesOf(events: readonly LaneEvent[], batch: number): Promise<ReadonlyMap<string, Entity>> {
    const entities = new Map<string, Entity>();
    const missing = new Map<string, Entity>();
    for (const { key } of events) {
      if (entities.has(key)) continue;
      let entity = this.#cache.touch(key, batch);
      if (!entity) {
        entity = this.#cache.add(key, batch);
        missing.set(key, entity);
      }
      entities.set(key, entity);
    }
    try {
      if (missing.size > 0) await this.#loader.fill(this.#options.pool, missing);
    } catch (error) {
      // Half filled entities must not be taken for whole ones. Others stay: their rows may be under way.
      for (const key of missing.keys()) this.#cache.remove(key);
      throw error;
    }
    return entities;
  }

  async #open(events: readonly LaneEvent[]): Promise<void> {
    if (!this.#options.layout.readsSealed) return;
    const closed = events.filter(({ opened, type }) => opened === undefined && type !== undefined);
    if (closed.length === 0) return;
    const contents = await this.#options.opener.open(
      closed.map(({ type, eventId, sealed }) => ({
        type: type as NonNullable<typeof type>,
        eventId: eventId ?? "",
        sealed: sealed as Buffer,
      })),
    );
    closed.forEach((event, index) => {
      event.opened = contents[index] ?? null;
    });
  }

  #foldAll(work: {
    readonly checkpoint: Checkpoint;
    readonly ahead: readonly LaneEvent[];
    readonly entities: ReadonlyMap<string, Entity>;
    readonly next: number;
  }): FoldedBatch {
    const { checkpoint, ahead, entities, next } = work;
    const { topic, partition, published, decisions = noDecisions } = this.#options;
    const batch = ++this.#batch;
    const changes = new Changes(this.#options.layout);
    const parked: ParkedRow[] = [];
    let applied = 0;
    let recordedAt: number | null = null;
    for (const event of ahead) {
      if (published && !checkpoint.positions.take(event.position, storableId(event))) continue;
      recordedAt = Math.max(recordedAt ?? 0, event.position.recordedAt);
      const decided = decisions.size > 0 ? decisions.get(event.offset) : undefined;
      if (decided === "skip") continue;
      if (decided === undefined && event.type !== undefined && !this.#machine.folds(event.type)) continue;
      const key = storableText(event.key);
      if (checkpoint.held.has(key)) continue;
      const entity = entities.get(event.key) as Entity;
      const reason =
        decided === "park"
          ? parkedByOperator
          : (this.#refused.get(event.offset) ?? event.undecodable ?? this.#apply(event, entity));
      if (reason) {
        checkpoint.held.add(key);
        parked.push({
          offset: event.offset,
          key,
          position: storableText(formatPosition(event.position)),
          eventId: storableId(event),
          eventType: event.type ?? null,
          code: reason.code,
          reason: storableText(reason.reason),
          positions: checkpoint.positions.stored(),
        });
        continue;
      }
      const source = { recordedAt: event.position.recordedAt, partition, offset: event.offset };
      changes.take(this.#machine.scopes, entity, source);
      applied++;
    }
    this.#options.watch?.end();
    const write = {
      epoch: checkpoint.epoch,
      first: this.#next,
      next,
      journal: checkpoint.positions.journal,
      positions: checkpoint.positions.stored(),
      recordedAt,
      changes,
      parked,
    };
    const values = this.statement.values(write, { topic, partition });
    this.#next = next;
    // What this batch and the one before it touched may still be on its way.
    this.#cache.evict(batch - 1);
    return { events: ahead, next, values, applied, parked };
  }

  #apply(event: LaneEvent, entity: Entity): ParkReason | undefined {
    const { topic, partition, watch } = this.#options;
    watch?.begin(event.offset);
    return this.#machine.apply(
      {
        type: event.type as NonNullable<typeof event.type>,
        key: event.key,
        event: event.event,
        sealed: event.opened ?? null,
        position: event.position,
        source: { topic, partition, offset: event.offset },
      },
      entity,
    );
  }
}
