import type { Intake, ReceivedUnit, SubmittedUnit } from "../../engine/intake/connector.js";
import type { ByteSource } from "../../engine/reception/byte-source.js";
import { AnswerWriter, type FileAnswer, type JudgedRow } from "./answer.js";
import { FileEntries, type RowEntry, type ToldRow } from "./entries.js";
import { FileReader } from "./file-reader.js";
import type { Piece } from "./piece.js";
import type { Profile } from "./profile.js";
import { checkTotals, type TotalsCheck } from "./totals.js";

/** What every reception needs. */
export interface Desk {
  readonly intake: Intake;
  readonly profiles: ReadonlyMap<string, Profile>;
  /** Epoch milliseconds. */
  now(): number;
}

/** What became of a file. */
export interface Reception {
  readonly summary: FileAnswer;
  /** Every row was accepted, and there was a file at all. */
  readonly accepted: boolean;
  /** Its verdicts, a line of JSON a row and one for the file, and its rejected rows. To be released when they were given. */
  readonly answer: AnswerWriter;
}

/**
 * Rows of a batch. Three batches are under way: with so few all is over before the garbage collector has seen a row twice.
 * With half as many again it took many for lasting, and moved three times as much (docs/performance.md).
 */
const batchEntries = 160;
const batchBytes = 2_097_152;
/** Batches that wait for the log at once. */
const mostWaiting = 2;

/**
 * Takes a file in: where the profile asks for control totals it is checked as a whole first, then its rows are journalled,
 * each with its own verdict. Memory holds a few batches, whatever the file's size.
 * @throws TRIB_INTAKE_UNAVAILABLE (retriable) when it can't be made durable: nothing may be answered then.
 */
export async function receive(source: ByteSource, partner: string, desk: Desk): Promise<Reception> {
  const profile = desk.profiles.get(partner)!;
  const check: TotalsCheck = profile.totals ? await checkTotals(source, profile) : { totals: [], problem: null };
  const rejecting = profile.totals?.mismatch === "reject" ? check.problem : null;
  const file = new FileReader(profile);
  const entries = new FileEntries(file, {
    partner,
    profile,
    surrogate: desk.intake.surrogate,
    transmissionId: desk.intake.newReceiptId(),
    receivedAt: desk.now(),
    refusal: rejecting,
    flags: check.problem && !rejecting ? ["CONTROL_TOTALS_DIFFER"] : [],
  });
  const answer = new AnswerWriter(profile.writing.charset);
  try {
    const journal = new Journal(desk.intake, answer);
    const take = (piece: Piece) => {
      if (piece.kind === "blank") answer.addBlank(piece.rows);
      journal.add(entries.entry(piece));
    };
    for await (const chunk of source.chunks()) {
      entries.saw(chunk);
      file.feed(chunk);
      for (let piece = file.next(); piece; piece = file.next()) {
        take(piece);
        if (journal.isFull) await journal.flush();
      }
    }
    file.finish();
    for (let piece = file.next(); piece; piece = file.next()) take(piece);
    journal.add(entries.closing());
    await journal.end();
    const problem = rejecting ?? file.problem;
    const summary = await answer.end(problem ?? check.problem, check.totals, entries.isUnended);
    return { summary, accepted: problem === null && summary.rejected === 0, answer };
  } catch (error) {
    await answer.release();
    throw error;
  }
}

/** Rows under way, as their sender will be told of them. */
interface Waiting {
  /** Null for what is no row. */
  readonly told: readonly (ToldRow | null)[];
  readonly done: Promise<readonly SubmittedUnit[]>;
}

/**
 * Journals entries in order, some batches ahead of the answers, which are written in order too. What waits for the log
 * lives long enough to be moved by the garbage collector, so it is little: enough for the log's answer to arrive while
 * the next rows are read.
 */
class Journal {
  readonly #intake: Intake;
  readonly #answer: AnswerWriter;
  #units: ReceivedUnit[] = [];
  #told: (ToldRow | null)[] = [];
  #bytes = 0;
  #waiting: Waiting[] = [];

  constructor(intake: Intake, answer: AnswerWriter) {
    this.#intake = intake;
    this.#answer = answer;
  }

  add(entry: RowEntry | ReceivedUnit): void {
    const isRow = "unit" in entry;
    const unit = isRow ? entry.unit : entry;
    this.#units.push(unit);
    this.#told.push(isRow ? entry.told : null);
    this.#bytes += unit.bytes.length;
  }

  get isFull(): boolean {
    return this.#units.length >= batchEntries || this.#bytes >= batchBytes;
  }

  async flush(): Promise<void> {
    if (this.#units.length > 0) {
      const done = this.#intake.submit(this.#units);
      // Whoever waits for it is told; until then its failure is no one's unhandled one.
      done.catch(() => {});
      this.#waiting.push({ told: this.#told, done });
      this.#units = [];
      this.#told = [];
      this.#bytes = 0;
    }
    while (this.#waiting.length > mostWaiting) await this.#settle();
  }

  async end(): Promise<void> {
    await this.flush();
    while (this.#waiting.length > 0) await this.#settle();
  }

  async #settle(): Promise<void> {
    const batch = this.#waiting.shift();
    if (!batch) return;
    const submitted = await batch.done;
    const rows: JudgedRow[] = [];
    for (let index = 0; index < batch.told.length; index++) {
      const told = batch.told[index];
      const verdict = submitted[index]?.verdict;
      if (told && verdict) rows.push({ told, verdict });
    }
    await this.#answer.add(rows);
  }
}
