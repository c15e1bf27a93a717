import { Absence } from "./absence.js";
import { EntityCache } from "./cache.js";
import { Changes } from "./changes.js";
import { type Checkpoint, storableText } from "./checkpoint.js";
import { type LaneDecisions, noDecisions } from "./decisions.js";
import type { Entity } from "./entity.js";
import { tellsAnew } from "./erasures.js";
import { asDecided, asRefused, type LaneEvent } from "./events.js";
import { FoldMachine } from "./fold.js";
import type { FoldWatch } from "./fold-watch.js";
import type { KeyHistory } from "./key-history.js";
import { isHeld, LaneParking, storableId } from "./lane-parking.js";
import type { ProjectionLayout } from "./layout.js";
import type { Loader } from "./load.js";
import { parkedByOperator } from "./park-reason.js";
import type { Opener } from "./ports.js";
import { differenceOf, retellRows } from "./retelling.js";
import { RetoldKey } from "./retold-keys.js";
import { openSealed } from "./sealed-content.js";
import type { Write } from "./statement.js";
import type { ParkedRow } from "./statement-parts.js";

export interface LaneStateOptions {
  readonly layout: ProjectionLayout;
  readonly topic: string;
  readonly partition: number;
  readonly loader: Pick<Loader, "fill">;
  readonly opener: Opener;
  readonly published: boolean;
  /** Most rows kept in memory beside those on their way to Postgres; may change. */
  readonly cacheRows: () => number;
  /** What operators decided about events of this partition; default nothing. */
  readonly decisions?: LaneDecisions;
  readonly watch?: FoldWatch;
  /** What a key is told from that a unit translated again concerns. */
  readonly history?: KeyHistory;
}

/** Everything a lane keeps in memory about its partition, ahead of Postgres by what is folded and not yet written. */
export class LaneState {
  readonly #options: LaneStateOptions;
  readonly #machine: FoldMachine;
  readonly #cache: EntityCache;
  #checkpoint: Checkpoint | undefined;
  /** Offset after the last event folded, and after the last one taken to be written. */
  #next = 0;
  /** Fingerprint of the record before `next`, where it is known. */
  #lastRecord: string | null = null;
  #taken = 0;
  /** Number of the statement that will write what is folded now, and of the last one that is written. */
  #statement = 1;
  #written = 0;
  #changes: Changes;
  readonly #parking = new LaneParking();
  #applied = 0;
  #events = 0;
  #recordedAt: number | null = null;
  /** Keys met since the start of the partition, when it was this lane that began it. */
  #absence: Pick<Absence, "meet"> | undefined;

  constructor(options: LaneStateOptions) {
    this.#options = options;
    this.#machine = new FoldMachine(options.layout);
    this.#cache = new EntityCache(options.cacheRows);
    this.#changes = new Changes(options.layout);
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

  /** Whether anything is folded that was not taken to be written; a move of the checkpoint counts. */
  get hasPending(): boolean {
    return this.#next > this.#taken;
  }

  /** Keys parked by what is folded and not taken. */
  get parked(): readonly ParkedRow[] {
    return this.#parking.parked;
  }

  /** True when the event was handled, or an operator decided about it: nobody needs to decode it. */
  needsNo(offset: number): boolean {
    return offset < this.#next || (this.#options.decisions?.has(offset) ?? false);
  }

  /** Events folded and not taken. */
  get pendingEvents(): number {
    return this.#events;
  }

  /** Rows that wait to be written: they are in memory whatever the cache may hold. */
  get pendingRows(): number {
    return this.#changes.size;
  }

  /** Starts from a checkpoint just read: whatever was folded after it is forgotten. */
  reset(checkpoint: Checkpoint): void {
    this.#checkpoint = checkpoint;
    this.#next = checkpoint.nextOffset;
    this.#lastRecord = checkpoint.lastRecord;
    this.#parking.reset(checkpoint);
    this.#cache.clear();
    this.#begin();
  }

  /**
   * The lane begins a partition, and the tables are empty: a key that it has not met has no rows.
   * @param absence knows the keys that were met before, where this lane goes on with what another began.
   */
  beginEmpty(absence: Pick<Absence, "meet"> = new Absence()): void {
    this.#absence = absence;
  }

  /** What is folded and not taken. */
  get changes(): Changes {
    return this.#changes;
  }

  /** Keys of the entities in memory, those without a row too. */
  keys(): Iterable<string> {
    return this.#cache.keys();
  }

  /** Entities in memory. */
  get entities(): number {
    return this.#cache.size;
  }

  #begin(): void {
    this.#taken = this.#next;
    this.#changes = new Changes(this.#options.layout);
    this.#applied = 0;
    this.#events = 0;
    this.#recordedAt = null;
  }

  /** Counts what stands before an offset as handled: nothing of it is folded. */
  pass(offset: number): void {
    if (offset <= this.#next) return;
    this.#next = offset;
    this.#lastRecord = null;
  }

  /** From now on this event holds its key instead of being folded. @returns false when it already did. */
  refuse(offset: number, code: string): boolean {
    return this.#parking.refuse(offset, code);
  }

  /** Folds the events at and after `next`. */
  async fold(events: readonly LaneEvent[]): Promise<void> {
    const checkpoint = this.#checkpoint;
    const ahead = asRefused(
      underDecisions(eventsFrom(events, this.#next), this.#options.decisions),
      this.#parking.refused,
    );
    const last = ahead.at(-1);
    if (!checkpoint || !last) return;
    // Everything that waits for others comes first: it may have to be done again, and must leave no trace until it is.
    const isAnew = (event: LaneEvent) => tellsAnew(this.#options.layout, event);
    const again = ahead.some(isAnew) ? new Set(ahead.filter(isAnew).map(({ key }) => key)) : undefined;
    const { entities, missing } = this.#entitiesOf(ahead, checkpoint, again);
    if (missing) await this.#load(missing);
    const { layout } = this.#options;
    if (layout.readsSealed) await this.#open(ahead.filter((_, index) => entities[index]));
    const retold = again && (await this.#retoldKeys(again, ahead[0] as LaneEvent));
    try {
      this.#foldAll(checkpoint, ahead, entities, retold);
    } finally {
      this.#options.watch?.end();
    }
    this.#next = last.offset + 1;
    this.#lastRecord = last.fingerprint ?? null;
    // Not when a statement ends: that may be while an event waits for what was just read for it.
    this.#cache.evict(this.#written);
  }

  /** The entities of events that concern this projection, those made now apart: they have no rows yet. */
  #entitiesOf(events: readonly LaneEvent[], checkpoint: Checkpoint, again: ReadonlySet<string> | undefined) {
    const { decisions = noDecisions } = this.#options;
    const entities: (Entity | undefined)[] = new Array(events.length);
    let missing: Map<string, Entity> | undefined;
    for (let index = 0; index < events.length; index++) {
      const event = events[index] as LaneEvent;
      const { type, key, offset, origin } = event;
      // What is told again may concern events that are folded here, and may release its key.
      if (!origin && type !== undefined && !this.#machine.folds(type) && !decisions.has(offset)) continue;
      if (isHeld(checkpoint, key) && !again?.has(key) && !this.#machine.erases(event)) continue;
      let entity = this.#cache.get(key);
      if (!entity) {
        entity = this.#cache.add(key);
        if (!this.#absence?.meet(key)) {
          missing ??= new Map();
          missing.set(key, entity);
        }
      }
      entities[index] = entity;
    }
    return { entities, missing };
  }

  async #load(missing: ReadonlyMap<string, Entity>): Promise<void> {
    if (this.#options.layout.keyed.length === 0) return;
    try {
      await this.#options.loader.fill(missing);
    } catch (error) {
      // Half filled entities must not be taken for whole ones. Others stay: their rows may be under way. Keys met for the
      // first time in these events are met again when they are folded again, and then asked for.
      for (const key of missing.keys()) this.#cache.remove(key);
      throw error;
    }
  }

  /** Opens what the projection folds; it may open nothing else. */
  #open(events: readonly LaneEvent[]): Promise<void> {
    const folded = events.filter(({ type }) => type !== undefined && this.#machine.folds(type));
    return openSealed(folded, this.#options.opener);
  }

  /** What stands of the keys that are told again in these events, before the first of these. */
  async #retoldKeys(keys: ReadonlySet<string>, first: LaneEvent): Promise<ReadonlyMap<string, RetoldKey>> {
    const { history, layout } = this.#options;
    if (!history) throw new RangeError("a lane without a history met an event of a unit translated again");
    const standing = await history(keys, first.offset, this.#parking.refused);
    if (layout.readsSealed) await this.#open([...standing.values()].flat());
    return new Map([...standing].map(([key, events]) => [key, new RetoldKey(events)]));
  }

  #foldAll(
    checkpoint: Checkpoint,
    ahead: readonly LaneEvent[],
    entities: readonly (Entity | undefined)[],
    retold: ReadonlyMap<string, RetoldKey> | undefined,
  ): void {
    const { published, decisions = noDecisions, watch } = this.#options;
    const { scopes } = this.#machine;
    for (let index = 0; index < ahead.length; index++) {
      const event = ahead[index] as LaneEvent;
      if (published && !checkpoint.positions.take(event.position, storableId(event))) continue;
      const { recordedAt } = event.position;
      if (this.#recordedAt === null || recordedAt > this.#recordedAt) this.#recordedAt = recordedAt;
      const decided = decisions.size > 0 ? decisions.get(event.offset) : undefined;
      const entity = entities[index];
      const again = retold?.get(event.key);
      if (again) {
        if (entity && !event.refused && tellsAnew(this.#options.layout, event)) {
          entity.statement = this.#statement;
          this.#retell(checkpoint, event, entity, again);
          continue;
        }
        again.take(event);
      }
      if (decided === "skip") continue;
      if (isHeld(checkpoint, event.key)) {
        if (event.refused) this.#parking.noteRefused(checkpoint, event, event.refused);
        else if (entity && decided === undefined) this.#eraseOnly(event, entity);
        continue;
      }
      if (!entity) continue;
      entity.statement = this.#statement;
      watch?.begin(event.offset);
      const reason =
        (decided === "park" ? parkedByOperator : undefined) ??
        event.refused ??
        event.undecodable ??
        this.#machine.apply(event, entity);
      if (reason) {
        this.#parking.park(checkpoint, event, reason);
        if (decided === undefined) this.#eraseOnly(event, entity);
      } else {
        this.#changes.take(scopes, entity, recordedAt, event.offset, event.event);
        this.#applied++;
      }
    }
    this.#events += ahead.length;
  }

  /**
   * Folds the key anew, with this event in the place of what it supersedes: see `origins.ts`. Rows become what is told
   * now; sums and appended rows change by what is told otherwise; the key is held where the new order holds it.
   */
  #retell(checkpoint: Checkpoint, event: LaneEvent, entity: Entity, key: RetoldKey): void {
    const { layout, watch, decisions = noDecisions } = this.#options;
    const machine = this.#machine;
    const options = { layout, machine, watch, verdict: (offset: number) => decisions.get(offset) };
    const name = storableText(event.key);
    const [before, after] = key.retell(options, event);
    this.#changes.book(differenceOf(layout, before.changes, after.changes));
    retellRows(machine, this.#changes, entity, after.entity, event);
    this.#applied++;
    const was = checkpoint.held.has(name) ? before.parked : undefined;
    if (was?.event.offset === after.parked?.event.offset && was?.reason.code === after.parked?.reason.code) return;
    if (was) this.#parking.release(checkpoint, name, was.event.offset);
    if (after.parked) this.#parking.park(checkpoint, after.parked.event, after.parked.reason);
  }

  /** What an event of a held key erases, unless Postgres refused that. */
  #eraseOnly(event: LaneEvent, entity: Entity): void {
    entity.statement = this.#statement;
    if (event.refused || !this.#machine.eraseOnly(event, entity)) return;
    this.#changes.take(this.#machine.scopes, entity, event.position.recordedAt, event.offset, event.event);
  }

  /** Hands over all that is folded, to be encoded at once and written. One at a time: until `wrote` or `reset`. */
  take(): Write & { readonly applied: number } {
    const { positions, epoch } = this.#checkpoint as Checkpoint;
    const { topic, partition } = this.#options;
    const write = {
      topic,
      partition,
      epoch,
      first: this.#taken,
      next: this.#next,
      journal: positions.journal,
      positions: positions.stored(),
      lastRecord: this.#lastRecord,
      recordedAt: this.#recordedAt,
      changes: this.#changes,
      ...this.#parking.take(),
      applied: this.#applied,
    };
    this.#statement++;
    this.#begin();
    return write;
  }

  /** What was taken last is written. */
  wrote(): void {
    this.#written = this.#statement - 1;
    this.#parking.wrote();
  }
}

const eventsFrom = (events: readonly LaneEvent[], next: number): readonly LaneEvent[] =>
  events[0] && events[0].offset >= next ? events : events.filter(({ offset }) => offset >= next);

/** Other projections of the consumer may have needed what was decided about for this one. */
const underDecisions = (events: readonly LaneEvent[], decisions: LaneDecisions = noDecisions): readonly LaneEvent[] =>
  decisions.size > 0 && events.some(({ offset }) => decisions.has(offset))
    ? events.map((event) => (decisions.has(event.offset) ? asDecided(event) : event))
    : events;
