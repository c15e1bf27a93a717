import type { Verdict } from "../../engine/intake/connector.js";
import { TemporaryFile } from "../../engine/reception/temporary-file.js";
import type { Charset } from "./charset.js";
import type { ToldRow } from "./entries.js";
import type { FileProblem } from "./layout.js";
import type { ControlTotal } from "./totals.js";

/** What became of a row, as its sender is told. One line of the answer. */
export interface RowAnswer {
  readonly line: number;
  readonly controlId: string | null;
  readonly accepted: boolean;
  readonly code?: string;
  readonly location?: string;
  /** The same as the row before it about the same thing: kept, and no new fact. */
  readonly duplicate?: true;
}

/** A row with its verdict after it was submitted. */
export interface JudgedRow {
  readonly told: ToldRow;
  readonly verdict: Verdict;
}

/** What became of a file: the last line of the answer. */
export interface FileAnswer {
  readonly rows: number;
  readonly accepted: number;
  readonly rejected: number;
  readonly duplicates: number;
  /** Rows with nothing in them, which are no units. */
  readonly blank: number;
  readonly totals: readonly ControlTotal[];
  /** The last row has no line end: as some programs write it, or the file was cut off there. */
  readonly unended?: true;
  /** Why the whole file was rejected. */
  readonly code?: string;
  readonly location?: string;
}

/** Characters with which a cell would be a formula to a spreadsheet. */
const formula = /^[=+\-@\t\r]/;

/** A cell of a CSV of ours: quoted, and never a formula. */
function cell(text: string): string {
  const safe = formula.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

const head = "line,column,code,row\r\n";

/** The answer to a file as it grows: a line of JSON a row, and the rejected rows as CSV. */
export class AnswerWriter {
  readonly verdicts = new TemporaryFile();
  readonly rejected = new TemporaryFile();
  readonly #charset: Charset;
  #rows = 0;
  #accepted = 0;
  #duplicates = 0;
  #blank = 0;

  constructor(charset: Charset) {
    this.#charset = charset;
  }

  async add(rows: readonly JudgedRow[]): Promise<void> {
    let lines = "";
    let bad = this.rejected.size === 0 ? head : "";
    const none = bad.length;
    for (const { told, verdict } of rows) {
      this.#rows += 1;
      if (verdict.accepted) this.#accepted += 1;
      else bad += this.#rejectedLine(told, verdict);
      if (verdict.accepted && told.duplicate) this.#duplicates += 1;
      lines += `${lineOf(told, verdict)}\n`;
    }
    if (lines !== "") await this.verdicts.append(Buffer.from(lines));
    if (bad.length > none) await this.rejected.append(Buffer.from(bad));
  }

  /** Counts rows with nothing in them. */
  addBlank(rows: number): void {
    this.#blank += rows;
  }

  #rejectedLine({ line, column, row }: ToldRow, { code }: Verdict & { accepted: false }): string {
    const written = this.#charset === "utf-16le" ? row.toString("utf16le") : readable(row);
    return `${line},${cell(column ?? "")},${code},${cell(written)}\r\n`;
  }

  /** @param unended whether the last row has no line end. */
  async end(problem: FileProblem | null, totals: readonly ControlTotal[], unended: boolean): Promise<FileAnswer> {
    const answer: FileAnswer = {
      rows: this.#rows,
      accepted: this.#accepted,
      rejected: this.#rows - this.#accepted,
      duplicates: this.#duplicates,
      blank: this.#blank,
      totals,
      ...(unended && { unended }),
      ...(problem && { code: problem.code, location: problem.location }),
    };
    await this.verdicts.append(Buffer.from(`${JSON.stringify(answer)}\n`));
    return answer;
  }

  async release(): Promise<void> {
    await this.verdicts.release();
    await this.rejected.release();
  }
}

/** As UTF-8 when it is, else every byte as the character of its number, so that nothing is lost. */
function readable(bytes: Buffer): string {
  const text = bytes.toString("utf8");
  return text.includes("\uFFFD") ? bytes.toString("latin1") : text;
}

/** The line of a row: put together by hand where there is little to say, as of nearly all. */
function lineOf(told: ToldRow, verdict: Verdict): string {
  if (!verdict.accepted || told.duplicate) return JSON.stringify(rowAnswer(told, verdict));
  return `{"line":${told.line},"controlId":${quoted(told.controlId)},"accepted":true}`;
}

/** A text as JSON: mostly itself in quotes. */
function quoted(text: string | null): string {
  if (text === null) return "null";
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code < 32 || code > 126 || code === 34 || code === 92) return JSON.stringify(text);
  }
  return `"${text}"`;
}

function rowAnswer({ line, controlId, duplicate }: ToldRow, verdict: Verdict): RowAnswer {
  if (verdict.accepted) return { line, controlId, accepted: true, ...(duplicate && { duplicate }) };
  const location = verdict.location ?? `line ${line}`;
  return { line, controlId, accepted: false, code: verdict.code, location };
}

/** Whether a line of an answer is its last. */
export const isFileAnswer = (line: RowAnswer | FileAnswer): line is FileAnswer => "rows" in line;
