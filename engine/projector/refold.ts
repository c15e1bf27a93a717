import type { Log } from "../log/log.js";
import { formatPosition, parsePosition, positionHeader } from "../log/position.js";
import type { Pool } from "../store/pool.js";
import { Changes } from "./changes.js";
import { type LanePlace, storableText } from "./checkpoint.js";
import type { Verdict } from "./decisions.js";
import { Entity } from "./entity.js";
import { tellsAnew } from "./erasures.js";
import { asDecided, asRefused, type LaneEvent, type ReadContext, readEvents } from "./events.js";
import { FoldMachine } from "./fold.js";
import type { FoldWatch } from "./fold-watch.js";
import type { HeldKey } from "./held-keys.js";
import { adoptVersions, keptVersions } from "./kept-versions.js";
import { keyEvents } from "./key-history.js";
import { adoptRows, liveThrough } from "./key-life.js";
import type { ProjectionLayout } from "./layout.js";
import { Loader } from "./load.js";
import { type ParkReason, parkedByOperator } from "./park-reason.js";
import type { Decoder, Opener } from "./ports.js";
import { Positions } from "./positions.js";
import { refusalsOf } from "./refusals.js";
import { differenceOf, eraseHeld } from "./retelling.js";
import { openSealed } from "./sealed-content.js";
import type { ParkedRow } from "./statement-parts.js";

export interface RefoldOptions {
  readonly layout: ProjectionLayout;
  readonly place: LanePlace;
  readonly pool: Pool;
  readonly log: Pick<Log, "read">;
  readonly decoder: Decoder;
  readonly opener: Opener;
  readonly published: boolean;
  readonly watch?: FoldWatch;
}

export interface Refolded {
  readonly changes: Changes;
  /** By key: offsets of the events applied, and where it is parked again, if it is. */
  readonly keys: ReadonlyMap<string, RefoldedKey>;
}

export interface RefoldedKey {
  /** Whether it was folded from its first event on. */
  readonly isWhole: boolean;
  readonly applied: readonly number[];
  readonly again: ParkedRow | undefined;
  /** Events that Postgres refuses and the key is not held at. */
  readonly refusals: readonly ParkedRow[];
}

export interface RefoldWork {
  readonly held: readonly HeldKey[];
  readonly journal: string | null;
  /** Offset at which the lane stands: what follows is not this work's. */
  readonly to: number;
  /** What was decided about an event, and what would be if this work is done. */
  readonly verdict: (offset: number) => Verdict | undefined;
  /** What Postgres refuses of the keys from the events on that they are held at: it is asked about all others anew. */
  readonly refused: ReadonlyMap<number, ParkReason>;
  /** Of the events only those before it, to see what Postgres says to what comes of them; default all. */
  readonly until?: number;
}

/** What stood about events when keys came to be held: what is asked or recorded since about those they are held at did not. */
function stoodOf({ held, verdict }: RefoldWork): RefoldWork["verdict"] {
  const codes = new Map(held.map(({ offset, code }) => [offset, code]));
  return (offset) => {
    if (!codes.has(offset)) return verdict(offset);
    return codes.get(offset) === parkedByOperator.code ? "park" : undefined;
  };
}

/** Events as they count where these decisions stand, and Postgres refused some. */
const readUnder = (
  events: readonly LaneEvent[],
  verdict: RefoldWork["verdict"],
  refused: RefoldWork["refused"],
): readonly LaneEvent[] =>
  asRefused(
    events.map((event) => (verdict(event.offset) === undefined ? event : asDecided(event))),
    refused,
  );

interface Folding {
  readonly held: HeldKey;
  readonly positions: Positions;
  readonly applied: number[];
  entity: Entity | undefined;
  again: ParkedRow | undefined;
  readonly refusals: ParkedRow[];
  /** A unit translated again concerns it since it is held: it is folded from its first event on. */
  isWhole: boolean;
}

const storableId = ({ eventId }: LaneEvent) => (eventId === null ? null : storableText(eventId));

/** Positions seen up to an event, from the headers of everything before it. */
async function positionsUpTo(options: RefoldOptions, journal: string | null, offset: number): Promise<Positions> {
  const positions = new Positions(journal, "{}");
  const { topic, partition } = options.place;
  for await (const records of options.log.read(topic, partition, 0, offset + 1)) {
    for (const { headers } of records) {
      const position = parsePosition(headers[positionHeader] ?? "");
      if (position) positions.take(position, null);
    }
  }
  return positions;
}

async function foldingOf(options: RefoldOptions, journal: string | null, held: HeldKey): Promise<Folding> {
  const positions =
    held.positions === null && options.published
      ? await positionsUpTo(options, journal, held.offset)
      : new Positions(journal, held.positions ?? "{}");
  return { held, positions, applied: [], entity: undefined, again: undefined, refusals: [], isWhole: false };
}

/** Held keys that a unit translated again concerns since they are held. */
async function retoldKeys(
  { log, place, layout }: RefoldOptions,
  { held, to }: RefoldWork,
  context: ReadContext,
): Promise<ReadonlySet<string>> {
  const offsets = new Map(held.map(({ key, offset }) => [key, offset]));
  const retold = new Set<string>();
  const from = Math.min(...offsets.values());
  for await (const records of log.read(place.topic, place.partition, from, to)) {
    const wanted = records.filter(({ key, offset }) => offset >= (offsets.get(storableText(key)) ?? to));
    for (const event of await readEvents(wanted, context)) if (tellsAnew(layout, event)) retold.add(event.key);
  }
  return retold;
}

interface Retelling {
  readonly options: RefoldOptions;
  readonly work: RefoldWork;
  readonly stood: RefoldWork["verdict"];
  /** Decodes what any of the two readings needs. */
  readonly context: ReadContext;
  readonly machine: FoldMachine;
  readonly loader: Loader;
  readonly changes: Changes;
}

/** Folds held keys from their first event on, and changes what is written of them to what came of it. */
async function retellHeld(
  { options, work, stood, context, machine, loader, changes }: Retelling,
  foldings: readonly Folding[],
): Promise<void> {
  if (foldings.length === 0) return;
  const { layout, log, opener, pool, place } = options;
  const { verdict, to } = work;
  const byKey = new Map(foldings.map((folding) => [folding.held.key, folding]));
  const lives = await keyEvents(log, context)(new Set(byKey.keys()), to);
  if (layout.readsSealed) {
    const folded = [...lives.values()].flat().filter(({ type }) => type !== undefined && machine.folds(type));
    await openSealed(folded, opener);
  }
  const entities = new Map([...lives.keys()].map((key) => [key, new Entity(key)]));
  await loader.fill(entities);
  const refusedBefore = await refusalsOf(pool, place.build, place.topic, place.partition);
  const kept = await keptVersions(pool, layout, place, lives.keys());
  const versions = new Changes(layout);
  for (const [key, events] of lives) {
    const folding = byKey.get(storableText(key)) as Folding;
    const { held } = folding;
    const told = { layout, machine };
    const refused = new Map([...refusedBefore].filter(([offset]) => offset < held.offset).concat([...work.refused]));
    const before = liveThrough(
      { ...told, verdict: stood, heldAt: held.offset },
      key,
      readUnder(events, stood, refusedBefore),
    );
    const some = events.filter(({ offset }) => offset < (work.until ?? to));
    const after = liveThrough({ ...told, verdict }, key, readUnder(some, verdict, refused));
    changes.book(differenceOf(layout, before.changes, after.changes));
    for (const [index, all] of after.changes.history.entries()) versions.history[index]?.push(...all);
    adoptRows(changes, entities.get(key) as Entity, after.entity);
    const applied = events.filter(({ offset }) => offset >= held.offset && verdict(offset) !== "skip");
    folding.applied.push(...applied.map(({ offset }) => offset));
    const at = after.parked?.event.offset;
    const rowAt = async (event: LaneEvent, reason: ParkReason) => {
      const positions = options.published ? await positionsUpTo(options, work.journal, event.offset) : undefined;
      return parkedRow(held.key, event, reason, positions?.stored() ?? "{}");
    };
    if (after.parked) folding.again = await rowAt(after.parked.event, after.parked.reason);
    for (const event of events) {
      const why = work.refused.get(event.offset);
      if (why && event.offset !== at) folding.refusals.push(await rowAt(event, why));
    }
  }
  adoptVersions(layout, changes, kept, versions);
}

const parkedRow = (key: string, event: LaneEvent, { code, reason }: ParkReason, positions: string): ParkedRow => ({
  offset: event.offset,
  key,
  position: storableText(formatPosition(event.position)),
  eventId: storableId(event),
  eventType: event.type ?? null,
  code,
  reason: storableText(reason),
  positions,
});

/**
 * Folds held keys from the event at which each was parked up to where the lane stands, on the rows as they are, without
 * writing. One reading of the log for all of them.
 *
 * @throws TRIB_LOG_UNKNOWN_SCHEMA when an event's schema can't be learned: nothing is parked for that reason.
 */
export async function refold(options: RefoldOptions, work: RefoldWork): Promise<Refolded> {
  const { layout, place, pool, log, decoder, opener, published, watch } = options;
  const { topic, partition } = place;
  const { journal, to, verdict } = work;
  const machine = new FoldMachine(layout);
  const loader = new Loader(pool, layout, place.build);
  const changes = new Changes(layout);
  const keys = new Map<string, Folding>();
  for (const held of work.held) keys.set(held.key, await foldingOf(options, journal, held));

  const apply = (event: LaneEvent, folding: Folding): ParkReason | undefined => {
    watch?.begin(event.offset);
    try {
      return machine.apply(event, folding.entity as Entity);
    } finally {
      watch?.end();
    }
  };

  const take = (event: LaneEvent): void => {
    const folding = keys.get(storableText(event.key)) as Folding;
    // Positions were kept with the event at which the key was parked, it included.
    const isFirst = event.offset === folding.held.offset;
    if (!isFirst && published && !folding.positions.take(event.position, storableId(event))) return;
    const erase = () => eraseHeld({ machine, verdict }, changes, folding.entity as Entity, event);
    const row = (why: ParkReason) => parkedRow(folding.held.key, event, why, folding.positions.stored());
    if (folding.again) {
      if (event.refused) folding.refusals.push(row(event.refused));
      else erase();
      return;
    }
    const decided = verdict(event.offset);
    if (decided === "skip") return;
    if (decided === undefined && !event.refused && event.type !== undefined && !machine.folds(event.type)) return;
    const reason =
      (decided === "park" ? parkedByOperator : undefined) ??
      event.refused ??
      event.undecodable ??
      apply(event, folding);
    if (reason) {
      folding.again = row(reason);
      erase();
      return;
    }
    changes.take(machine.scopes, folding.entity as Entity, event.position.recordedAt, event.offset, event.event);
    folding.applied.push(event.offset);
  };

  const context = {
    topic,
    partition,
    published,
    decoder,
    decided: (offset: number) => verdict(offset) !== undefined,
    wait: async (error: unknown) => {
      throw error;
    },
  };
  const stood = stoodOf(work);
  const either = { ...context, decided: (offset: number) => context.decided(offset) && stood(offset) !== undefined };
  for (const key of await retoldKeys(options, work, either)) {
    const folding = keys.get(storableText(key));
    if (folding) folding.isWhole = true;
  }
  await retellHeld(
    { options, work, stood, context: either, machine, loader, changes },
    [...keys.values()].filter(({ isWhole }) => isWhole),
  );
  const from = Math.min(...work.held.map(({ offset }) => offset));
  for await (const records of log.read(topic, partition, from, work.until ?? to)) {
    const wanted = records.filter(({ key, offset }) => {
      const folding = keys.get(storableText(key));
      if (folding === undefined || folding.isWhole || offset < folding.held.offset) return false;
      // Where it is held again, what comes after may still erase.
      return folding.again === undefined || layout.readsSealed || work.refused.size > 0;
    });
    if (wanted.length === 0) continue;
    const events = asRefused(await readEvents(wanted, context), work.refused);
    const missing = new Map<string, Entity>();
    for (const { key } of events) {
      const folding = keys.get(storableText(key)) as Folding;
      if (folding.entity || folding.isWhole) continue;
      folding.entity = new Entity(key);
      missing.set(key, folding.entity);
    }
    if (missing.size > 0) await loader.fill(missing);
    if (layout.readsSealed) await openSealed(events, opener);
    for (const event of events) take(event);
  }
  return { changes, keys };
}

/** Offsets of the events of a held key, in order, that Postgres may be asked about one after the other. */
export async function offsetsOf(
  { log, place }: Pick<RefoldOptions, "log" | "place">,
  held: Pick<HeldKey, "key" | "offset">,
  isWhole: boolean,
  to: number,
): Promise<readonly number[]> {
  const offsets: number[] = [];
  for await (const records of log.read(place.topic, place.partition, isWhole ? 0 : held.offset, to)) {
    for (const { key, offset } of records) if (storableText(key) === held.key) offsets.push(offset);
  }
  return offsets;
}
