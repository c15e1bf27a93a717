import type { Log } from "../log/log.js";
import type { EventPosition } from "../log/position.js";
import type { Decisions } from "../projector/decisions.js";
import type { AnyProjection } from "../projector/definition.js";
import { asRefused, type LaneEvent, readEvents } from "../projector/events.js";
import { withEvent } from "../projector/origins.js";
import type { Decoder, Opener } from "../projector/ports.js";
import { Positions } from "../projector/positions.js";
import type { PureInput } from "../projector/pure.js";
import { topicsOfProjections } from "../projector/roles.js";
import { openSealed } from "../projector/sealed-content.js";
import { AsOfSelection, type AsOfVector } from "../replay/as-of-vector.js";
import type { RowDifference, TableDifferences } from "./as-of-diff.js";
import type { NotApplied } from "./held-back.js";
import { ChangeTeller, type RowChange } from "./row-changes.js";

/** An event that made rows differ. */
export interface DiffEvent {
  /** `topic/partition/offset`. */
  readonly place: string;
  readonly eventId: string;
  readonly type: string;
  /** By the message's own time, and as the engine recorded it; epoch milliseconds. */
  readonly occurredAt: number | null;
  readonly recordedAt: number;
  /** Place in the journal of the unit as it was received, `partition/offset`. */
  readonly unit: string;
  /** Place of the entry that brought it: another than the unit's where that was translated again. */
  readonly entry: string;
  /** Which translation of the unit says it: 0 as it was received. */
  readonly generation: number;
}

export type ExplainedDifference = RowDifference & {
  /** In the order in which they were applied. None where a row is a sum of many, or follows from other rows. */
  readonly events: readonly DiffEvent[];
  /** From where on the key is held back at the second moment: neither that event nor those after it are in the row. */
  readonly held: { readonly place: string; readonly code: string } | null;
};

/** What a difference is explained from: the log, and what the build of the second moment made nothing of. */
export interface DiffSource extends NotApplied {
  readonly projection: AnyProjection;
  readonly log: Pick<Log, "read" | "watermarks">;
  readonly decoder: Decoder;
  readonly opener: Opener;
  /** Loaded. */
  readonly decisions: Pick<Decisions, "decisionAt">;
  /** What was known at the first moment, and at the second. */
  readonly from: AsOfVector;
  readonly to: AsOfVector;
  /** Whether restricted columns are looked at. */
  readonly opens: boolean;
}

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** What the events of one key did between the two moments. */
interface KeyStory {
  readonly teller: ChangeTeller;
  readonly told: { readonly event: DiffEvent; readonly changes: readonly RowChange[] }[];
  /** Events that stand so far: one of a unit translated again folds the key anew from them. */
  standing: readonly LaneEvent[];
}

const nameOfRow = ({ key }: RowDifference): string => Object.values(key).map(String).join(" ");
const ownKey = ({ key }: RowDifference): string => String(Object.values(key)[0]);
/** Entities that the values changed name: what another's event did to a row is found there. */
const named = ({ columns }: RowDifference): string[] =>
  Object.values(columns)
    .flat(2)
    .filter((value): value is string => typeof value === "string" && uuid.test(value));

/** Folds the events of some keys as an as-of of the second moment does, and notes what those after the first one changed. */
async function storiesOf(source: DiffSource, keys: ReadonlySet<string>): Promise<ReadonlyMap<string, KeyStory>> {
  const { projection, log, decoder, opener, decisions, from, to, opens } = source;
  const stories = new Map<string, KeyStory>();
  const selection = new AsOfSelection(to);
  const published = projection.topic === undefined;
  const apply = (event: LaneEvent) => {
    let story = stories.get(event.key);
    if (!story) {
      story = { teller: new ChangeTeller([projection], opens, () => ({ decisions })), told: [], standing: [] };
      stories.set(event.key, story);
    }
    const { teller, standing: before } = story;
    story.standing = withEvent(before, event);
    const { changes } =
      event.origin && !event.refused ? teller.retell(event, before, story.standing) : teller.apply(inputOf(event));
    if (event.position.offset < (from.offsets.get(event.position.partition) ?? 0) || changes.length === 0) return;
    story.told.push({ event: diffEvent(event), changes });
  };
  for (const topic of topicsOfProjections([projection])) {
    for (const { partition, high } of await log.watermarks(topic)) {
      const positions = new Positions(undefined, "{}");
      const refused = await source.refused(topic, partition);
      for await (const records of log.read(topic, partition, 0, high)) {
        const wanted = records.filter(({ key }) => keys.has(key));
        const wait = async (error: unknown) => {
          throw error;
        };
        const decided = (offset: number) => decisions.decisionAt(topic, partition, offset) !== undefined;
        const read = await readEvents(wanted, { topic, partition, published, decoder, selection, decided, wait });
        const fresh = read.filter(({ position, eventId }) => !published || positions.take(position, eventId));
        if (opens) await openSealed(fresh, opener);
        for (const event of asRefused(fresh, refused)) apply(event);
      }
    }
  }
  return stories;
}

/** What was refused holds its key back as what can't be decoded does. */
function inputOf({ type, key, event, opened, position, topic, partition, offset, ...rest }: LaneEvent): PureInput {
  const source = { topic, partition, offset };
  const undecodable = rest.refused ?? rest.undecodable;
  return { type, key, event, sealed: opened ?? null, position, source, ...(undecodable && { undecodable }) };
}

function diffEvent({ topic, partition, offset, eventId, type, event, position, origin }: LaneEvent): DiffEvent {
  const time = (event as { readonly meta?: { readonly time?: number } }).meta?.time;
  return {
    place: `${topic}/${partition}/${offset}`,
    eventId: eventId ?? "",
    type: type ?? "",
    occurredAt: time ?? null,
    recordedAt: position.recordedAt,
    unit: placeInJournal(origin ?? position),
    entry: placeInJournal(position),
    generation: origin?.generation ?? 0,
  };
}

const placeInJournal = ({ partition, offset }: Pick<EventPosition, "partition" | "offset">): string =>
  `${partition}/${offset}`;

/** {@link TableDifferences} with the events. */
export interface ExplainedTable extends TableDifferences {
  readonly rows: readonly ExplainedDifference[];
}

/**
 * Finds the events that made rows differ: of the row's own entity those that changed the row; where there is none, since the
 * row shows what others did to it, those of the entities that its changed columns name.
 */
export async function explained(
  source: DiffSource,
  differences: Readonly<Record<string, TableDifferences>>,
): Promise<Readonly<Record<string, ExplainedTable>>> {
  const keyed = (table: string) => source.projection.tables[table]?.kind === "keyed";
  const rows = Object.values(differences).flatMap((table) => table.rows);
  const keys = new Set(rows.filter(({ table }) => keyed(table)).flatMap((row) => [ownKey(row), ...named(row)]));
  const stories = await storiesOf(source, keys);
  const eventsOf = (row: RowDifference): readonly DiffEvent[] => {
    if (!keyed(row.table)) return [];
    const own = (stories.get(ownKey(row))?.told ?? []).filter(({ changes }) =>
      changes.some(({ table, row: name }) => table === row.table && name === nameOfRow(row)),
    );
    if (own.length > 0) return own.map(({ event }) => event);
    const others = named(row).flatMap((key) => stories.get(key)?.told ?? []);
    const events = new Map(others.map(({ event }) => [event.place, event] as const));
    return [...events.values()].sort((left, right) => left.recordedAt - right.recordedAt);
  };
  const heldOf = (row: RowDifference) => (keyed(row.table) ? (source.held.get(ownKey(row)) ?? null) : null);
  return Object.fromEntries(
    Object.entries(differences).map(([table, { differing, rows: found }]) => [
      table,
      { differing, rows: found.map((row) => ({ ...row, events: eventsOf(row), held: heldOf(row) })) },
    ]),
  );
}
