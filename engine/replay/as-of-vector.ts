import { setTimeout as pause } from "node:timers/promises";
import type { Log } from "../log/log.js";
import type { EventPosition } from "../log/position.js";
import { journalTopic } from "../log/schemas.js";
import { readJournalId } from "../log/topics.js";
import type { AnyProjection } from "../projector/definition.js";
import type { EventSelection } from "../projector/events.js";
import { TributaryError } from "../service/errors.js";
import type { Pool } from "../store/pool.js";

/** How much of what partners sent was recorded at a moment. */
export interface AsOfVector {
  /** Id of the journal; name of the topic where a projection reads one of others. */
  readonly journal: string;
  /** By partition the first entry recorded after the moment: what is below was known. */
  readonly offsets: ReadonlyMap<number, number>;
}

/**
 * Looks up the vector of a moment. Recorded time never runs backwards along a partition, so one offset a partition says it.
 *
 * @param at epoch milliseconds, inclusive.
 * @param clocks.skew milliseconds by which clocks may differ: younger moments may still get records.
 * @throws TRIB_REPLAY_AS_OF_TOO_YOUNG; TRIB_LOG_JOURNAL_UNMADE; TRIB_LOG_TOPIC_MISSING
 */
export async function vectorAt(
  log: Log,
  { topic }: Pick<AnyProjection, "topic">,
  at: number,
  clocks: { readonly now: number; readonly skew: number },
): Promise<AsOfVector> {
  const latest = clocks.now - clocks.skew;
  if (!(at < latest)) {
    throw new TributaryError(
      "TRIB_REPLAY_AS_OF_TOO_YOUNG",
      `${new Date(at).toISOString()} is not before ${new Date(latest).toISOString()}, which is now less the clocks' allowed difference of ${clocks.skew / 1000} s.`,
    );
  }
  const found = await log.offsetsAfter(topic ?? journalTopic, at);
  return {
    journal: topic ?? (await readJournalId(log)),
    offsets: new Map(found.map(({ partition, offset }) => [partition, offset])),
  };
}

/**
 * Waits until all entries below the vector are published: their events are in the topics then.
 * @param timeout milliseconds.
 * @throws TRIB_REPLAY_UNPUBLISHED
 */
export async function awaitPublished(pool: Pool, { journal, offsets }: AsOfVector, timeout: number): Promise<void> {
  const deadline = performance.now() + timeout;
  for (;;) {
    const { rows } = await pool.query<{ partition: number; next: number }>(
      "SELECT partition, next_offset AS next FROM engine.publisher_checkpoints WHERE journal = $1",
      [journal],
    );
    const reached = new Map(rows.map(({ partition, next }) => [partition, Number(next)]));
    // The first entry of a partition only names the journal.
    const behind = [...offsets].filter(([partition, offset]) => offset > 1 && offset > (reached.get(partition) ?? 0));
    if (behind.length === 0) return;
    if (performance.now() >= deadline) {
      const [[partition, offset]] = behind as [[number, number]];
      throw new TributaryError(
        "TRIB_REPLAY_UNPUBLISHED",
        `Journal partition ${partition} is published up to ${reached.get(partition) ?? 0}, not up to ${offset}.`,
        { partition, offset },
      );
    }
    await pause(100);
  }
}

/** The events below a vector, and of these those that happened up to a moment. Notes the schemas they were written with. */
export class AsOfSelection implements EventSelection {
  readonly #vector: AsOfVector;
  readonly #effectiveAt: number | undefined;
  readonly #schemas = new Set<number>();

  /** @param effectiveAt epoch milliseconds, inclusive; undefined for all that was known. */
  constructor(vector: AsOfVector, effectiveAt?: number) {
    this.#vector = vector;
    this.#effectiveAt = effectiveAt;
  }

  /** Ids in the registry, ascending. */
  get schemaIds(): readonly number[] {
    return [...this.#schemas].sort((left, right) => left - right);
  }

  position({ journal, partition, offset }: EventPosition): boolean {
    if (journal !== this.#vector.journal) {
      throw new TributaryError("TRIB_PROJECT_JOURNAL_UNKNOWN", undefined, { partition, offset });
    }
    return offset < (this.#vector.offsets.get(partition) ?? 0);
  }

  event(event: object, bytes: Buffer): boolean {
    const time = (event as { readonly meta?: { readonly time?: number } }).meta?.time;
    if (this.#effectiveAt !== undefined && time !== undefined && time > this.#effectiveAt) return false;
    if (bytes.length >= 5 && bytes[0] === 0) this.#schemas.add(bytes.readUInt32BE(1));
    return true;
  }
}
