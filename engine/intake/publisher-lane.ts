import { randomUUID } from "node:crypto";
import type { IncomingRecord, LaneContext, LaneHandler, LogProducer, Ownership } from "../log/log.js";
import { TributaryError } from "../service/errors.js";
import type { Pool } from "../store/pool.js";
import { decodeEntries, type EntryCodec } from "./decode-entries.js";
import { countUnits, eventRecords, ledgerEntry, type PlacedEntry, placeEntries } from "./journal-batch.js";
import { type Decision, decide, type LedgerEntry, latestAfter } from "./ledger.js";
import {
  type Advance,
  advance,
  type Checkpoint,
  claimFirsts,
  type Fence,
  takeAgain,
  takeOver,
} from "./publisher-checkpoint.js";

export interface PublisherLaneOptions {
  readonly pool: Pool;
  readonly producer: LogProducer;
  readonly codec: EntryCodec;
  /** Id of the journal that is read. */
  readonly journal: string;
  readonly partition: number;
  /** Shown in the checkpoint's row. */
  readonly owner: string;
  /** Entries decided, sent and acknowledged together. */
  readonly batchEntries: number;
  /** Milliseconds before the first repetition of what failed; doubled each time up to five seconds. */
  readonly retryPause: number;
  /** Milliseconds that a lost fence may go unexplained before the publisher stops. */
  readonly fencePatience: number;
  /** Told about each try that failed and will be made again. */
  readonly onRetry: (error: TributaryError, partition: number) => void;
  /** Told about each batch that is published and kept. */
  readonly onPublished: (published: Published) => void;
}

/** What came of a batch. */
export interface Published {
  readonly partition: number;
  readonly entries: number;
  readonly events: number;
  readonly resends: number;
  readonly nextOffset: number;
}

/** Why a batch wasn't finished. */
type Interruption = "moved on" | "lost";

const longestPause = 5_000;

/**
 * Publishes one journal partition: decide, send, wait for every acknowledgment, move the checkpoint, next batch.
 * Why no event is lost and none is out of order is shown in docs/publisher-proof.md.
 */
export class PublisherLane implements LaneHandler {
  readonly #options: PublisherLaneOptions;
  #checkpoint: Checkpoint | undefined;
  /** Of this opening: the same process may be given the partition again while an older statement is still under way. */
  #owner = "";

  constructor(options: PublisherLaneOptions) {
    this.#options = options;
  }

  /** Waits for a store that is away, for as long as the lane is ours. */
  async open(ownership: Ownership = { isOwned: () => true }): Promise<number> {
    const { pool, journal, partition, owner, retryPause, onRetry } = this.#options;
    this.#owner = `${owner}/${randomUUID()}`;
    for (let pause = retryPause; ; pause = Math.min(pause * 2, longestPause)) {
      try {
        this.#checkpoint = await takeOver(pool, journal, partition, this.#owner, ownership);
        return this.#checkpoint.nextOffset;
      } catch (error) {
        const passing = passingError(error);
        if (!passing || !ownership.isOwned()) throw error;
        onRetry(passing, partition);
        await new Promise((resolve) => setTimeout(resolve, pause));
        if (!ownership.isOwned()) throw error;
      }
    }
  }

  async close(): Promise<void> {
    this.#checkpoint = undefined;
  }

  async batch(records: readonly IncomingRecord[], context: LaneContext): Promise<void> {
    const { batchEntries } = this.#options;
    for (let at = 0; at < records.length; at += batchEntries) {
      const part = records.slice(at, at + batchEntries);
      let outcome = await this.#publish(part, context);
      while (outcome === "moved on") outcome = await this.#publish(part, context);
      if (outcome === "lost") return;
    }
  }

  /**
   * @returns `moved on` when the checkpoint, read again after a failure, isn't where the batch began: what is below it
   * was published by another owner, the rest is a batch of its own. `lost` when the lane is someone else's.
   */
  async #publish(given: readonly IncomingRecord[], context: LaneContext): Promise<"published" | Interruption> {
    const { codec, journal, partition, pool, producer } = this.#options;
    const start = this.#checkpoint;
    if (!start) return "lost";
    const records = given.filter(({ offset }) => offset >= start.nextOffset);
    const [head] = records;
    if (!head) return "published";
    if (head.offset !== start.nextOffset) {
      // Our topics have neither transactions nor compaction: a gap is a loss.
      const facts = { partition, expected: start.nextOffset, found: head.offset };
      throw new TributaryError("TRIB_LOG_TRUNCATED", undefined, facts);
    }
    const decoded = await this.#patiently(context, start.nextOffset, () => decodeEntries(codec, records));
    if (typeof decoded === "string") return decoded;
    const entries = placeEntries(records, decoded, start.lastRecordedAt);
    const last = entries.at(-1) as PlacedEntry;
    const next = last.offset + 1;

    const decided = await this.#patiently(context, start.nextOffset, ({ fence }) => this.#decide(entries, fence));
    if (typeof decided === "string") return decided;
    const { decisions, latest } = decided;
    const published = entries.filter((entry) => entry.entry.accepted && !decisions.get(entry)?.resendOf);
    const events = published.flatMap((entry) => [...eventRecords(entry, { journal, partition })]);
    // After a failure the whole batch is sent again: some of it may be in the log already, and repeating it is allowed.
    const sent = await this.#patiently(context, start.nextOffset, async () => {
      if (events.length > 0) await producer.append(events);
      return true;
    });
    if (typeof sent === "string") return sent;

    const step: Advance = {
      first: start.nextOffset,
      next,
      lastRecordedAt: last.recordedAt,
      counts: countUnits(entries, (entry) => decisions.get(entry)),
      latest,
    };
    const moved = await this.#patiently(context, start.nextOffset, async ({ fence }) =>
      (await advance(pool, fence, step)) ? true : undefined,
    );
    // A try in doubt that was committed after all looks like another owner's progress, and is handled alike.
    if (typeof moved === "string") return moved;
    if (!this.#checkpoint) return "lost";
    this.#checkpoint = { ...this.#checkpoint, nextOffset: next, lastRecordedAt: last.recordedAt };
    const resends = step.counts.reduce((sum, count) => sum + count.resends, 0);
    this.#options.onPublished({
      partition,
      entries: entries.length,
      events: events.length,
      resends,
      nextOffset: next,
    });
    return "published";
  }

  /** Commits the decisions on a batch. @returns undefined when the fence is lost. */
  async #decide(entries: readonly PlacedEntry[], fence: Fence) {
    const { pool, partition } = this.#options;
    const judged: PlacedEntry[] = [];
    const ledgerEntries: LedgerEntry[] = [];
    for (const entry of entries) {
      const known = ledgerEntry(entry);
      if (!known) continue;
      judged.push(entry);
      ledgerEntries.push(known);
    }
    const state = await claimFirsts(pool, fence, entries[0]?.offset ?? 0, ledgerEntries);
    if (!state) return undefined;
    const verdicts = decide(partition, ledgerEntries, state);
    const decisions = new Map<PlacedEntry, Decision>();
    for (const [index, entry] of judged.entries()) decisions.set(entry, verdicts[index] as Decision);
    return { decisions, latest: latestAfter(ledgerEntries, verdicts) };
  }

  /**
   * Runs a step until it succeeds, as long as the lane is ours. After a failed statement it is unknown whether it was
   * committed: the lane takes itself over anew, which waits for the one in doubt and shuts it out.
   * @param first where the checkpoint must be.
   * @param step gives undefined when the fence is lost.
   */
  async #patiently<Result extends object | true>(
    context: LaneContext,
    first: number,
    step: (checkpoint: Checkpoint) => Promise<Result | undefined>,
  ): Promise<Result | Interruption> {
    let pause = this.#options.retryPause;
    let inDoubt = false;
    while (this.#checkpoint && context.isOwned()) {
      try {
        if (inDoubt) {
          const { pool, journal, partition } = this.#options;
          const again = await takeAgain(pool, journal, partition, this.#owner);
          if (!again) return await this.#lostFence(context);
          if (!this.#checkpoint) return "lost";
          this.#checkpoint = again;
          inDoubt = false;
          if (again.nextOffset !== first) return "moved on";
        }
        const result = await step(this.#checkpoint);
        return result ?? (await this.#lostFence(context));
      } catch (error) {
        const passing = passingError(error);
        if (!passing) throw error;
        // What the server has undone is in no doubt.
        inDoubt ||= passing === error && passing.code === "TRIB_STORE_UNAVAILABLE";
        this.#options.onRetry(passing, this.#options.partition);
        await this.#wait(pause, context);
        pause = Math.min(pause * 2, longestPause);
      }
    }
    return "lost";
  }

  /**
   * Somebody else took the partition over. While groups rebalance that is the normal course of things, and we are told a
   * little later; a fence that stays lost in a lane that stays ours is two installations on one journal.
   */
  async #lostFence(context: LaneContext): Promise<"lost"> {
    const { partition, fencePatience, retryPause } = this.#options;
    const until = performance.now() + fencePatience;
    while (this.#checkpoint && context.isOwned()) {
      if (performance.now() > until) throw new TributaryError("TRIB_INTAKE_FENCE_LOST", undefined, { partition });
      await this.#wait(retryPause, context);
    }
    return "lost";
  }

  async #wait(milliseconds: number, context: LaneContext): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, milliseconds));
    if (context.isOwned()) await context.heartbeat().catch(() => {});
  }
}

const passingCodes = new Set(["TRIB_STORE_UNAVAILABLE", "TRIB_LOG_UNAVAILABLE", "TRIB_LOG_REGISTRY_UNAVAILABLE"]);
/** Serialization failure, deadlock, lock not available: the server has undone the statement and wants it again. */
const undoneCodes = new Set(["40001", "40P01", "55P03"]);

/** What comes back by itself, as an error of ours; undefined for all that stops the publisher: it never skips. */
function passingError(error: unknown): TributaryError | undefined {
  if (error instanceof TributaryError) return passingCodes.has(error.code) ? error : undefined;
  const code = (error as { readonly code?: unknown } | null)?.code;
  if (typeof code !== "string" || !undoneCodes.has(code)) return undefined;
  return new TributaryError("TRIB_STORE_UNAVAILABLE", undefined, { reason: code }, { cause: error });
}
