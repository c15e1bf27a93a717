import type { IncomingRecord } from "../log/log.js";
import { TributaryError } from "../service/errors.js";
import { isSigned, type SignedTreeHead } from "./checkpoint.js";
import type { Finding, PartitionReport } from "./findings.js";
import { Frontier, leafHash } from "./merkle.js";
import { type ChainPlace, chained, chainStart } from "./record-chain.js";
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
    const { records, chain, chainedSize, exported, high } = this.#evidence;
    // One after the other: a partition has a signed size a minute, over the years more than a call takes.
    let end = chainedSize;
    for (const size of this.#roots.keys()) end = Math.max(end, size);
    const known = each(chain);
    let next = await known.next();
    let exportIndex = 0;
    try {
      for await (const record of each(readable(records))) {
        const offset = this.#frontier.size;
        if (offset >= end) break;
        if (record.offset !== offset) {
          this.found(offset, "record missing", `the log goes on at offset ${record.offset}`);
          return;
        }
        this.#head = chained(this.#head, record);
        this.#frontier.append(leafHash(this.#head));
        while (!next.done && next.value.offset < offset) next = await known.next();
        if (offset < chainedSize) {
          if (next.done || next.value.offset !== offset) this.#missesChain(offset);
          else if (!next.value.hash.equals(this.#head)) this.#chainBreak ??= offset;
        }
        while ((exported[exportIndex]?.size ?? Number.POSITIVE_INFINITY) <= offset) exportIndex += 1;
        this.#compareMark(exported[exportIndex], offset);
        this.#compareRoot(offset + 1);
      }
    } catch (error) {
      if (!(error instanceof UnreadableRecord)) throw error;
      this.found(this.#frontier.size, "record unreadable", "what stands here in the log is no record any more");
      return;
    } finally {
      await known.return(undefined);
    }
    // An offset that was altered may make the log seem longer than what can be read of it.
    const { size } = this.#frontier;
    if (size < Math.min(end, high)) this.found(size, "record missing", "the log has no record from here on");
    this.#concludeChain();
  }

  #missedChain = false;
  #missesChain(offset: number): void {
    if (!this.#missedChain) this.found(offset, "chain missing", "the notary's hash of this record is gone");
    this.#missedChain = true;
  }

  #compareMark(head: ExportedHead | undefined, offset: number): void {
    if (!head || offset < head.previous || this.#markBreak !== undefined) return;
    const at = (offset - head.previous) * markBytes;
    const mark = head.marks.subarray(at, at + markBytes);
    if (mark.length === markBytes && !mark.equals(this.#head.subarray(0, markBytes))) this.#markBreak = offset;
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
    if (!this.#broken) this.found(offset, "record changed", detail);
    this.#broken = true;
  }

  /** What is chained and not signed yet: record and hash disagree, and nothing tells which is right. */
  #concludeChain(): void {
    if (this.#chainBreak === undefined || this.#broken) return;
    this.#breaksAt(this.#chainBreak, "record and hash differ; neither is signed yet");
  }
}
