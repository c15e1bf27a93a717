import type { Intake, ReceivedUnit, SubmittedUnit } from "../../engine/intake/connector.js";
import type { ByteSource } from "../../engine/reception/byte-source.js";
import { AnswerWriter, type FileAnswer } from "./answer.js";
import { FileEntries, type RowEntry } from "./entries.js";
import { FileReader } from "./file-reader.js";
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

const batchEntries = 1_000;
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
    for await (const chunk of source.chunks()) {
      entries.saw(chunk);
      for (const piece of file.push(chunk)) {
        journal.add(entries.entry(piece));
        if (journal.isFull) await journal.flush();
      }
    }
    for (const piece of file.end()) journal.add(entries.entry(piece));
    journal.add(entries.closing());
    await journal.end();
    const problem = rejecting ?? file.problem;
    const summary = await answer.end(problem ?? check.problem, check.totals);
    return { summary, accepted: problem === null && summary.rejected === 0, answer };
  } catch (error) {
    await answer.release();
    throw error;
  }
}

/** Journals entries in order, some batches ahead of the answers, which are written in order too. */
class Journal {
  readonly #intake: Intake;
  readonly #answer: AnswerWriter;
  #batch: (RowEntry | ReceivedUnit)[] = [];
  #bytes = 0;
  #waiting: {
    readonly rows: readonly (RowEntry | ReceivedUnit)[];
    readonly done: Promise<readonly SubmittedUnit[]>;
  }[] = [];

  constructor(intake: Intake, answer: AnswerWriter) {
    this.#intake = intake;
    this.#answer = answer;
  }

  add(entry: RowEntry | ReceivedUnit): void {
    this.#batch.push(entry);
    this.#bytes += unitOf(entry).bytes.length;
  }

  get isFull(): boolean {
    return this.#batch.length >= batchEntries || this.#bytes >= batchBytes;
  }

  async flush(): Promise<void> {
    const rows = this.#batch;
    this.#batch = [];
    this.#bytes = 0;
    if (rows.length > 0) {
      const done = this.#intake.submit(rows.map(unitOf));
      // Whoever waits for it is told; until then its failure is no one's unhandled one.
      done.catch(() => {});
      this.#waiting.push({ rows, done });
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
    const told = batch.rows.flatMap((entry, index) =>
      "unit" in entry ? [{ entry, verdict: submitted[index]?.verdict ?? entry.unit.verdict }] : [],
    );
    await this.#answer.add(told);
  }
}

const unitOf = (entry: RowEntry | ReceivedUnit): ReceivedUnit => ("unit" in entry ? entry.unit : entry);
