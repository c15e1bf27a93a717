import type { Log } from "../log/log.js";
import type { Decisions, Verdict } from "./decisions.js";
import type { Row } from "./definition.js";
import { type LaneEvent, type ReadContext, readEvents } from "./events.js";
import type { ProjectionLayout, TableLayout } from "./layout.js";
import type { Decoder, Opener } from "./ports.js";
import { openSealed } from "./sealed-content.js";
import { type Additions, KeyFold, type KeyState } from "./verify-key.js";
import { type Standing, standingAfter } from "./verify-order.js";
import { type RowChanged, RowTrail } from "./verify-rows.js";

/** What a projection is recomputed from. */
export interface FoldSource {
  readonly log: Pick<Log, "read">;
  /** Of the projection's topics. */
  readonly decoder: Decoder;
  readonly opener: Opener;
  /** What operators decided about events, read just before; default nothing. */
  readonly decisions?: Pick<Decisions, "decisionAt">;
}

/** Events that Postgres itself refused in the build, `topic/partition/offset`: no fold can know. */
export type RefusedEvents = ReadonlySet<string>;

export interface RecountedPartition {
  readonly topic: string;
  readonly partition: number;
  /** Offset before which it is folded. */
  readonly to: number;
  readonly refused: RefusedEvents;
  /** Records that count; default all. All of a key, or a key of which nothing is asked. */
  readonly only?: (record: { readonly key: string; readonly offset: number }) => boolean;
  /** Told of each event, and of each row that it changed; more than once where a partition is read again. */
  readonly met?: (event: LaneEvent) => void;
  readonly changed?: (change: RowChanged) => void;
}

export interface AppendedRow {
  readonly row: Row;
  readonly event: LaneEvent;
}

/** What a partition comes to. */
export interface Recount {
  /** New ones. */
  readonly events: number;
  readonly rows: RowTrail;
  /** By the table's index, then by the row's key: exact sums, money in cents. */
  readonly sums: readonly ReadonlyMap<string, { readonly key: Row; readonly sums: readonly bigint[] }>[];
  readonly appended: readonly (readonly AppendedRow[])[];
  readonly held: readonly NonNullable<KeyState["held"]>[];
}

/** Highest position of each journal partition: what is not above it is a repetition. */
class Repetitions {
  readonly #highest = new Map<number, readonly [offset: number, index: number]>();

  isFresh({ position: { partition, offset, index } }: LaneEvent): boolean {
    const [lastOffset, lastIndex] = this.#highest.get(partition) ?? [-1, -1];
    if (offset < lastOffset || (offset === lastOffset && index <= lastIndex)) return false;
    this.#highest.set(partition, [offset, index]);
    return true;
  }
}

class Sums implements Additions {
  readonly sums: Map<string, { readonly key: Row; readonly sums: bigint[] }>[];
  readonly appended: AppendedRow[][];

  constructor(layout: ProjectionLayout) {
    this.sums = layout.tables.map(() => new Map());
    this.appended = layout.tables.map(() => []);
  }

  sum({ index, rest, sums: columns }: TableLayout, key: Row, increments: Readonly<Record<string, number>>): void {
    const name = rest.map((column) => String(key[column.name])).join("\0");
    const there = this.sums[index]?.get(name) ?? { key, sums: columns.map(() => 0n) };
    this.sums[index]?.set(name, there);
    for (const [at, column] of columns.entries()) {
      there.sums[at] = (there.sums[at] as bigint) + BigInt(increments[column.name] ?? 0);
    }
  }

  append({ index }: TableLayout, row: Row, event: LaneEvent): void {
    this.appended[index]?.push({ row, event });
  }
}

/**
 * Recomputes one partition from its start, for `projections verify`: event by event on plain maps, and each key that a unit
 * translated again concerns by all that stands of it, from nothing, at each such event. It has the definition and the decoder
 * in common with the lanes and nothing of how they keep, retell, hold and write.
 */
export async function recount(
  source: FoldSource,
  layout: ProjectionLayout,
  place: RecountedPartition,
): Promise<Recount> {
  const folded = await new Partition(source, layout, place, new Set()).fold();
  if (folded) return folded;
  const retold = await new Partition(source, layout, place, new Set()).retoldKeys();
  return (await new Partition(source, layout, place, retold).fold()) as Recount;
}

class Partition {
  readonly #source: FoldSource;
  readonly #layout: ProjectionLayout;
  readonly #place: RecountedPartition;
  readonly #retold: ReadonlySet<string>;
  readonly #fold: KeyFold;
  readonly #rows: RowTrail;
  readonly #sums: Sums;
  readonly #states = new Map<string, KeyState>();

  constructor(source: FoldSource, layout: ProjectionLayout, place: RecountedPartition, retold: ReadonlySet<string>) {
    this.#source = source;
    this.#layout = layout;
    this.#place = place;
    this.#retold = retold;
    this.#fold = new KeyFold(layout);
    this.#rows = new RowTrail(layout, place.partition, place.changed);
    this.#sums = new Sums(layout);
  }

  #verdict(offset: number): Verdict | undefined {
    return this.#source.decisions?.decisionAt(this.#place.topic, this.#place.partition, offset);
  }

  async *#events(): AsyncGenerator<readonly LaneEvent[]> {
    const { topic, partition, to, only } = this.#place;
    const published = this.#layout.definition.topic === undefined;
    const context: ReadContext = {
      topic,
      partition,
      published,
      decoder: this.#source.decoder,
      decided: (offset) => this.#verdict(offset) !== undefined,
      wait: async (error) => {
        throw error;
      },
    };
    const repetitions = new Repetitions();
    for await (const records of this.#source.log.read(topic, partition, 0, to)) {
      const events = await readEvents(only ? records.filter(only) : records, context);
      // In topics of others an event is its own position.
      const fresh = published ? events.filter((event) => repetitions.isFresh(event)) : events;
      yield fresh;
    }
  }

  /** Keys that units translated again concern. */
  async retoldKeys(): Promise<ReadonlySet<string>> {
    const keys = new Set<string>();
    for await (const events of this.#events()) for (const { key, origin } of events) if (origin) keys.add(key);
    return keys;
  }

  /** @returns undefined when it met a key that was told again and was not known as such. */
  async fold(): Promise<Recount | undefined> {
    const { met } = this.#place;
    const told = new Map<string, LaneEvent[]>([...this.#retold].map((key) => [key, []]));
    let count = 0;
    for await (const events of this.#events()) {
      if (this.#layout.readsSealed) await openSealed(events.filter(this.#isFolded), this.#source.opener);
      for (const event of events) {
        met?.(event);
        const life = told.get(event.key);
        if (life) life.push(event);
        else if (event.origin) return undefined;
        else this.#follow(event);
      }
      count += events.length;
    }
    for (const [key, life] of told) this.#tell(key, life);
    const held = [...this.#states.values()].flatMap((state) => (state.held ? [state.held] : []));
    return { events: count, rows: this.#rows, sums: this.#sums.sums, appended: this.#sums.appended, held };
  }

  readonly #isFolded = ({ type }: LaneEvent) => type !== undefined && this.#layout.eventTypes.includes(type);

  #isRefused({ topic, partition, offset }: LaneEvent): boolean {
    return this.#place.refused.has(`${topic}/${partition}/${offset}`) && this.#verdict(offset) === undefined;
  }

  #after(state: KeyState, { event, isRefused }: Standing, additions?: Additions): KeyState {
    return this.#fold.next(state, event, { decided: this.#verdict(event.offset), isRefused }, additions);
  }

  #follow(event: LaneEvent): void {
    const before = this.#states.get(event.key) ?? this.#fold.start();
    const after = this.#after(before, { event, isRefused: this.#isRefused(event) }, this.#sums);
    if (after === before) return;
    this.#states.set(event.key, after);
    this.#rows.take(event, before.rows, after.rows);
  }

  /** A key's life, in the order of the log: what it is after each event is what then stands of it, folded from nothing. */
  #tell(key: string, life: readonly LaneEvent[]): void {
    let standing: readonly Standing[] = [];
    let state = this.#fold.start();
    for (const event of life) {
      const next = { event, isRefused: this.#isRefused(event) };
      const before = state;
      standing = standingAfter(standing, next);
      const isOnTop = !event.origin && standing.at(-1) === next;
      state = isOnTop ? this.#after(before, next) : this.#whole(standing);
      this.#rows.take(event, before.rows, state.rows);
    }
    this.#states.set(key, this.#whole(standing, this.#sums));
  }

  #whole(standing: readonly Standing[], additions?: Additions): KeyState {
    return standing.reduce((state, next) => this.#after(state, next, additions), this.#fold.start());
  }
}
