import type { JournalEntry, JournalledEvent } from "../../schemas/intake/intake.generated.js";
import type { Log } from "../log/log.js";
import { journalTopic } from "../log/schemas.js";
import type { Pool } from "../store/pool.js";
import { decodeEntries, type EntryCodec } from "./decode-entries.js";
import { uuidOf } from "./keyed-hash.js";
import { isBehind } from "./ledger.js";

/** A unit of the journal as it was received, in its place. */
export interface PlacedUnit {
  readonly partition: number;
  readonly offset: number;
  readonly entry: JournalEntry;
}

/** What was made of a unit on one key, by the translation that stands there. */
export interface StandingFacts {
  readonly generation: number;
  readonly events: readonly JournalledEvent[];
}

/** Later translations of units of one partition, by the offset of the unit. */
export class Translations {
  readonly #last = new Map<number, number>();
  readonly #facts = new Map<number, Map<string, StandingFacts>>();
  readonly #undecided = new Set<number>();

  /**
   * Takes an entry of a unit translated again, in the order of the journal.
   * @param isDecided whether the publisher has let it through; else it may, or refuse it for a resend.
   */
  take({ origin, generation, events }: JournalEntry, isDecided = true): void {
    if (!origin) return;
    if (!isDecided) this.#undecided.add(origin.offset);
    // A second entry of one generation is a repetition, of which the ledger publishes nothing.
    if (generation <= (this.#last.get(origin.offset) ?? 0)) return;
    this.#last.set(origin.offset, generation);
    const facts = this.#facts.get(origin.offset) ?? new Map<string, StandingFacts>();
    this.#facts.set(origin.offset, facts);
    for (const [key, made] of byKey(events)) facts.set(key, { generation, events: made });
  }

  /** Highest generation of a unit; 0 when it was never translated again. */
  last(offset: number): number {
    return this.#last.get(offset) ?? 0;
  }

  /** Whether the publisher has yet to decide about a translation of the unit. */
  isUndecided(offset: number): boolean {
    return this.#undecided.has(offset);
  }

  /** What stands of a unit, by key. @param received what was made of it when it was received. */
  standing({ offset, entry }: PlacedUnit): ReadonlyMap<string, StandingFacts> {
    const facts = new Map<string, StandingFacts>();
    if (entry.accepted) for (const [key, events] of byKey(entry.events)) facts.set(key, { generation: 0, events });
    for (const [key, later] of this.#facts.get(offset) ?? []) facts.set(key, later);
    return facts;
  }
}

/** By topic and key, as keys of different entities may be equal. */
export const factKey = ({ topic, key }: { readonly topic: string; readonly key: string }): string => `${topic} ${key}`;

function byKey(events: readonly JournalledEvent[]): Map<string, JournalledEvent[]> {
  const keys = new Map<string, JournalledEvent[]>();
  for (const event of events) keys.set(factKey(event), [...(keys.get(factKey(event)) ?? []), event]);
  return keys;
}

/**
 * Reads what was translated again of a partition.
 * @param decided where the publisher stands, to leave out what it refused: a unit that was rejected may have come again
 *   before its translation did. Default: all that is there, as of units that were accepted.
 */
export async function readTranslations(
  log: Log,
  codec: EntryCodec,
  partition: number,
  decided?: { readonly pool: Pool; readonly upTo: number },
): Promise<Translations> {
  const translations = new Translations();
  const published = new PublishedUnits();
  const { low = 0, high = 0 } = (await log.watermarks(journalTopic)).find((one) => one.partition === partition) ?? {};
  for await (const records of log.read(journalTopic, partition, low, high)) {
    const entries = await decodeEntries(codec, records);
    if (!decided) {
      for (const entry of entries) translations.take(entry);
      continue;
    }
    const placed = entries.map((entry, index) => ({ partition, offset: records[index]?.offset ?? 0, entry }));
    const stand = await published.of(decided.pool, placed);
    for (const unit of placed) {
      const isDecided = unit.offset < decided.upTo;
      if (!isDecided || stand.has(unit)) translations.take(unit.entry, isDecided);
    }
  }
  return translations;
}

/**
 * Which units of a stretch were published when they were received: those that are no resend. To be asked in the order of
 * the journal, from its start, translations made again included: what a resend is may depend on what came before it.
 */
export class PublishedUnits {
  /** Last content by resource, as the ledger keeps it. */
  readonly #latest = new Map<string, { readonly offset: number; readonly identity: string }>();

  async of(pool: Pool, units: readonly PlacedUnit[]): Promise<ReadonlySet<PlacedUnit>> {
    const identities = units.flatMap(({ entry: { accepted, identity, resend } }) =>
      accepted && identity && resend === "EVERY" ? [uuidOf(identity)] : [],
    );
    const { rows } = await pool.query<{ identity: string; partition: number; offset: number }>(
      'SELECT identity, partition, journal_offset AS "offset" FROM engine.ledger WHERE identity = ANY ($1::uuid[])',
      [identities],
    );
    const first = new Map(rows.map(({ identity, partition, offset }) => [identity, `${partition}/${offset}`]));
    return new Set(units.filter((unit) => this.#isPublished(unit, first)));
  }

  #isPublished({ partition, offset, entry }: PlacedUnit, first: ReadonlyMap<string, string>): boolean {
    if (!entry.accepted) return false;
    if (entry.identity === null) return true;
    const identity = uuidOf(entry.identity);
    if (entry.resend === "EVERY") return first.get(identity) === `${partition}/${offset}`;
    if (entry.resend !== "LATEST") return true;
    const resource = entry.resource === null ? "" : uuidOf(entry.resource);
    const before = this.#latest.get(resource);
    if (before?.identity === identity) return false;
    const origin = entry.origin?.offset ?? null;
    if (!before || !isBehind(before, origin)) this.#latest.set(resource, { offset: origin ?? offset, identity });
    return true;
  }
}

/** Where the publisher stands: units from there on are not decided yet. */
export async function publishedUpTo(pool: Pool, journal: string, partition: number): Promise<number> {
  const { rows } = await pool.query<{ next: number }>(
    "SELECT next_offset AS next FROM engine.publisher_checkpoints WHERE journal = $1 AND partition = $2",
    [journal, partition],
  );
  return Number(rows[0]?.next ?? 0);
}
