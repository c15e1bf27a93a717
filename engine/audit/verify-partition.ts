import type { IncomingRecord } from "../log/log.js";
import { TributaryError } from "../service/errors.js";
import { isSigned, type SignedTreeHead } from "./checkpoint.js";
import type { Finding, PartitionReport } from "./findings.js";
import { Frontier, leafHash } from "./merkle.js";
import { type ChainPlace, chained, chainedGap, chainStart } from "./record-chain.js";
import { type ExportedHead, markBytes } from "./second-place.js";

type KnownHead = SignedTreeHead & { readonly publicKey: Buffer };

/** Everything that is said about a partition, to be compared with its records. */
export interface PartitionEvidence {
  readonly place: ChainPlace;
  /** Every record from the first on, in the order in which the log gives them. */
  readonly records: AsyncIterable<readonly IncomingRecord[]>;
  /** First offset that the log still has, and the one after its last. */
  readonly low: number;
  readonly high: number;
  /** Hashes of the database's chain, in order. */
  readonly chain: AsyncIterable<readonly { readonly offset: number; readonly hash: Buffer }[]>;
  /** Records that the database says are chained. */
  readonly chainedSize: number;
  /** Of the database, smallest first. */
  readonly heads: readonly KnownHead[];
  /** Of the second place, smallest first. */
  readonly exported: readonly ExportedHead[];
  readonly unreadable: readonly number[];
  /** Whether a public key is the notary's. */
  readonly trusted: (publicKey: Buffer) => boolean;
  /** A head of the database that is younger may not have been exported yet; epoch milliseconds. */
  readonly exportedBefore: number;
}

/** One value after the other out of pieces. */
async function* each<Value>(pieces: AsyncIterable<readonly Value[]>): AsyncGenerator<Value, undefined> {
  for await (const piece of pieces) yield* piece;
  return undefined;
}

/** The database's chain, asked in order. */
class KnownHashes {
  readonly #each: ReturnType<typeof each<{ readonly offset: number; readonly hash: Buffer }>>;
  #next: { readonly offset: number; readonly hash: Buffer } | undefined;
  #isDone = false;

  constructor(chain: PartitionEvidence["chain"]) {
    this.#each = each(chain);
  }

  /** Undefined where it has none. */
  async at(offset: number): Promise<Buffer | undefined> {
    while (!this.#isDone && (this.#next?.offset ?? -1) < offset) {
      const { done = false, value } = await this.#each.next();
      this.#isDone = done;
      this.#next = value ?? undefined;
    }
    return this.#next?.offset === offset ? this.#next.hash : undefined;
  }

  close(): Promise<unknown> {
    return this.#each.return(undefined);
  }
}

/** What stands at the next offset is no record any more. */
class UnreadableRecord extends Error {}

/** Bytes that can't be taken apart are a finding; a broker that can't be reached is none. */
async function* readable(pieces: AsyncIterable<readonly IncomingRecord[]>): AsyncGenerator<readonly IncomingRecord[]> {
  try {
    yield* pieces;
  } catch (error) {
    if (error instanceof TributaryError && error.code !== "TRIB_LOG_BATCH_UNREADABLE") throw error;
    throw new UnreadableRecord("", { cause: error });
  }
}

const headName = (size: number): string => `the checkpoint over ${size} records`;

/**
 * Reads a partition again and compares it with the chain, the signed heads, and the heads outside of the database.
 * @throws what keeps it from reading: an unreachable broker or database is no finding.
 */
export async function verifyPartition(evidence: PartitionEvidence): Promise<PartitionReport> {
  const { place, low, high, chainedSize, heads, exported } = evidence;
  const { topic, partition } = place;
  const comparison = new Comparison(evidence);
  const signedSize = Math.max(heads.at(-1)?.size ?? 0, exported.at(-1)?.size ?? 0);
  const vouched = Math.max(chainedSize, signedSize);
  if (chainedSize < signedSize) {
    comparison.found(
      chainedSize,
      "chain missing",
      `the database has no hashes from here on; ${signedSize} were signed`,
    );
  }
  comparison.checkHeads();
  if (low > 0 && vouched > 0) comparison.found(0, "record missing", `the log begins at offset ${low}`);
  else await comparison.readLog();
  if (high < vouched) comparison.found(high, "record missing", `the log ends here; the notary saw ${vouched} records`);
  return {
    topic,
    partition,
    records: high - low,
    chained: Math.min(chainedSize, high),
    ...comparison.covered(),
    unseen: comparison.unseen,
    findings: comparison.findings(),
  };
}

class Comparison {
  readonly #evidence: PartitionEvidence;
  readonly #found: Finding[] = [];
  /** Valid heads by size: what the tree's root must be then. */
  readonly #roots = new Map<number, { readonly root: Buffer; readonly outside: boolean }>();
  #head: Buffer;
  readonly #frontier = new Frontier();
  /** First offset at which the recomputed chain is another than the database's, with the database's words still believed. */
  #chainBreak: number | undefined;
  #markBreak: number | undefined;
  #exportIndex = 0;
  /** First record that was put where none was when the notary passed. */
  #inserted: number | undefined;
  /** The first record that is not chained yet. */
  unseen: PartitionReport["unseen"] = null;
  /** Largest sizes whose root was recomputed and found signed. */
  #signed = 0;
  #witnessed = 0;

  constructor(evidence: PartitionEvidence) {
    this.#evidence = evidence;
    this.#head = chainStart(evidence.place);
  }

  found(offset: number, what: Finding["what"], detail: string): void {
    const { topic, partition } = this.#evidence.place;
    this.#found.push({ topic, partition, offset, what, detail });
  }

  findings(): readonly Finding[] {
    return [...this.#found].sort((left, right) => left.offset - right.offset);
  }

  covered(): { readonly signed: number; readonly witnessed: number } {
    return { signed: this.#signed, witnessed: this.#witnessed };
  }

  /** Signatures, gaps and contradictions among heads, before any record is read. */
  checkHeads(): void {
    const { heads, exported, unreadable, exportedBefore, trusted } = this.#evidence;
    const judged = new Map<string, boolean>();
    const isValid = (head: KnownHead) => {
      // The same head in both places is judged once.
      const name = `${head.size} ${head.signedAt} ${Buffer.concat([head.root, head.publicKey, head.signature]).toString("hex")}`;
      const valid = judged.get(name) ?? (trusted(head.publicKey) && isSigned(head.publicKey, head));
      judged.set(name, valid);
      return valid;
    };
    let before = 0;
    for (const head of exported) {
      if (!isValid(head)) {
        this.found(before, "checkpoint not ours", `${headName(head.size)} in the second place has no valid signature`);
        continue;
      }
      if (head.previous !== before) {
        // A file that a crash cut off is named as such, not as a gap.
        const detail = `${headName(head.previous)} is gone from the second place`;
        if (!unreadable.includes(head.previous)) this.found(before, "checkpoint missing", detail);
      }
      this.#roots.set(head.size, { root: head.root, outside: true });
      before = head.size;
    }
    for (const size of unreadable) {
      // The newest one may be under way, and a torn one is covered by those after it.
      if (exported.some((head) => head.size > size)) continue;
      if (heads.some((head) => head.size === size && head.signedAt >= exportedBefore)) continue;
      this.found(before, "checkpoint unreadable", `${headName(size)} in the second place is no checkpoint`);
    }
    before = 0;
    const inside = new Set(heads.map(({ size }) => size));
    for (const { size } of exported) {
      if (!inside.has(size)) this.found(before, "checkpoint missing", `${headName(size)} is gone from the database`);
      before = size;
    }
    before = 0;
    const outside = new Map(exported.map((head) => [head.size, head]));
    for (const head of heads) {
      const other = outside.get(head.size);
      if (!isValid(head)) {
        this.found(before, "checkpoint not ours", `${headName(head.size)} in the database has no valid signature`);
      } else if (other && !other.root.equals(head.root)) {
        this.found(before, "checkpoint contradicts", `${headName(head.size)} is another one in the second place`);
      } else {
        if (!other && head.signedAt < exportedBefore && !unreadable.includes(head.size)) {
          this.found(before, "checkpoint missing", `${headName(head.size)} is not in the second place`);
        }
        if (!other) this.#roots.set(head.size, { root: head.root, outside: false });
      }
      before = head.size;
    }
  }

  /** All records, the chain beside them, and the roots where they are signed. */
  async readLog(): Promise<void> {
    const { records, chain, chainedSize, high } = this.#evidence;
    // One after the other: a partition has a signed size a minute, over the years more than a call takes.
    let end = chainedSize;
    for (const size of this.#roots.keys()) end = Math.max(end, size);
    const known = new KnownHashes(chain);
    const last = Math.min(end, high);
    try {
      for await (const record of each(readable(records))) {
        if (!(await this.#passGap(known, Math.min(record.offset, end), `the log goes on at offset ${record.offset}`)))
          return;
        const offset = this.#frontier.size;
        if (record.offset >= end) {
          this.unseen = { offset: record.offset, appendedAt: record.timestamp };
          break;
        }
        if (record.offset !== offset) {
          this.found(offset, "record missing", `the log goes on at offset ${record.offset}`);
          return;
        }
        const before = this.#head;
        this.#compare(chained(before, record), await known.at(offset), before);
      }
      // An offset that was altered may make the log seem longer than what can be read of it.
      if (!(await this.#passGap(known, last, "the log has no record from here on"))) return;
    } catch (error) {
      if (!(error instanceof UnreadableRecord)) throw error;
      this.found(this.#frontier.size, "record unreadable", "what stands here in the log is no record any more");
      return;
    } finally {
      await known.close();
    }
    this.#concludeChain();
  }

  /**
   * Goes on to an offset over those without a record, as the notary passed over them.
   * @returns false when the notary saw a record among them.
   */
  async #passGap(known: KnownHashes, to: number, detail: string): Promise<boolean> {
    for (let offset = this.#frontier.size; offset < to; offset++) {
      const gap = chainedGap(this.#head, offset);
      const hash = await known.at(offset);
      const mark = hash ?? this.#markAt(offset);
      if (this.#chainBreak === undefined && !mark?.equals(gap.subarray(0, mark.length))) {
        this.found(offset, "record missing", detail);
        return false;
      }
      this.#compare(gap, hash);
    }
    return true;
  }

  /** @param before of a record, the chain before it. */
  #compare(head: Buffer, hash: Buffer | undefined, before?: Buffer): void {
    const { chainedSize } = this.#evidence;
    const offset = this.#frontier.size;
    this.#head = head;
    this.#frontier.append(leafHash(head));
    if (offset < chainedSize) {
      if (!hash) this.#missesChain(offset);
      else if (!hash.equals(head)) {
        if (before && hash.equals(chainedGap(before, offset))) this.#inserted ??= offset;
        this.#chainBreak ??= offset;
      }
    }
    const mark = this.#markAt(offset);
    if (mark && !mark.equals(head.subarray(0, markBytes))) this.#markBreak ??= offset;
    this.#compareRoot(offset + 1);
  }

  #missedChain = false;
  #missesChain(offset: number): void {
    if (!this.#missedChain) this.found(offset, "chain missing", "the notary's hash of this record is gone");
    this.#missedChain = true;
  }

  /** What the second place has of the chain at an offset; asked in order. */
  #markAt(offset: number): Buffer | undefined {
    const { exported } = this.#evidence;
    while ((exported[this.#exportIndex]?.size ?? Number.POSITIVE_INFINITY) <= offset) this.#exportIndex += 1;
    const head = exported[this.#exportIndex];
    if (!head || offset < head.previous) return undefined;
    const at = (offset - head.previous) * markBytes;
    const mark = head.marks.subarray(at, at + markBytes);
    return mark.length === markBytes ? mark : undefined;
  }

  #compareRoot(size: number): void {
    const expected = this.#roots.get(size);
    if (!expected) return;
    if (this.#frontier.root().equals(expected.root)) {
      // What differs below is the table's or the marks' own fault: the records are those that were signed.
      this.#signed = size;
      if (expected.outside) this.#witnessed = size;
      if (this.#chainBreak !== undefined) this.#blameTable(this.#chainBreak);
      if (this.#chainBreak !== undefined || this.#markBreak !== undefined) {
        this.#chainBreak = undefined;
        this.#markBreak = undefined;
      }
      return;
    }
    const first = Math.min(this.#chainBreak ?? size, this.#markBreak ?? size);
    const where = expected.outside ? "the second place" : "the database";
    const detail = `the log is not what ${headName(size)} in ${where} vouches for`;
    if (first < size) this.#breaksAt(first, `this is the first record that differs: ${detail}`);
    else this.#breaksAt(this.#signed, `the first that differs is one from here to offset ${size - 1}: ${detail}`);
  }

  #blamedTable = false;
  #blameTable(offset: number): void {
    const detail = "the notary's hash of this record was changed; the record is the one that was signed";
    if (!this.#blamedTable) this.found(offset, "chain changed", detail);
    this.#blamedTable = true;
  }

  #broken = false;
  #breaksAt(offset: number, detail: string): void {
    const what = offset === this.#inserted ? "there was no record here" : undefined;
    if (!this.#broken) this.found(offset, "record changed", [what, detail].filter(Boolean).join("; "));
    this.#broken = true;
  }

  /** What is chained and not signed yet: record and hash disagree, and nothing tells which is right. */
  #concludeChain(): void {
    if (this.#chainBreak === undefined || this.#broken) return;
    this.#breaksAt(this.#chainBreak, "record and hash differ; neither is signed yet");
  }
}
