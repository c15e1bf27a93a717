import { createHash } from "node:crypto";
import { setImmediate as breathe } from "node:timers/promises";
import type { ReceivedUnit } from "../../engine/intake/connector.js";
import { contextOf, type Desk, openText, readText, submitAll } from "./desk.js";
import { type IssueCode, type Problem, wordsOf } from "./problem.js";
import { type ReadResource, readResource } from "./unit.js";

/** A line that was rejected. */
export interface RejectedLine {
  /** From 1. */
  readonly line: number;
  readonly status: number;
  readonly code: IssueCode;
  readonly place: string;
}

/** What became of a file of NDJSON. */
export interface LinesReception {
  readonly accepted: number;
  /** All rejected ones are counted, the first ten thousand told. */
  readonly rejected: number;
  readonly rejections: readonly RejectedLine[];
}

const mostTold = 10_000;
const batchLines = 200;
const batchBytes = 1_000_000;
const breathLines = 20;
/** Bytes of a line over the limit that are kept. */
const headBytes = 65_536;
const lineFeed = 0x0a;

interface Line {
  readonly bytes: Buffer;
  /** From 1, empty lines counted. */
  readonly number: number;
  readonly offset: number;
  readonly cut: boolean;
}

/**
 * Takes NDJSON in, a resource a line (FHIR Bulk Data): read, judged and journalled in batches, so memory stays flat however
 * long it is; the sender is read no faster than the journal takes it.
 * @param lineLimit most bytes of a line; of a longer one only the head is kept, rejected.
 * @throws TRIB_INTAKE_UNAVAILABLE (retriable): the whole is sent again, and what was journalled is known then.
 */
export async function receiveLines(
  chunks: AsyncIterable<Buffer> | Iterable<Buffer>,
  partner: string,
  desk: Desk,
  lineLimit: number,
): Promise<LinesReception> {
  const intake = new LineIntake(partner, desk);
  const splitter = new LineSplitter(lineLimit);
  for await (const chunk of chunks) {
    for (const line of splitter.push(chunk)) await intake.take(line);
  }
  for (const line of splitter.end()) await intake.take(line);
  return intake.end(splitter.bytes);
}

/** Cuts a stream into lines. */
class LineSplitter {
  bytes = 0;
  readonly #limit: number;
  #parts: Buffer[] = [];
  #size = 0;
  #number = 1;
  #start = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  *push(chunk: Buffer): Generator<Line> {
    let from = 0;
    for (let at = chunk.indexOf(lineFeed); at >= 0; at = chunk.indexOf(lineFeed, from)) {
      this.#keep(chunk.subarray(from, at));
      yield* this.#cut();
      from = at + 1;
      this.#start = this.bytes + from;
      this.#number += 1;
    }
    this.#keep(chunk.subarray(from));
    this.bytes += chunk.length;
  }

  *end(): Generator<Line> {
    yield* this.#cut();
  }

  #keep(part: Buffer): void {
    this.#size += part.length;
    if (this.#size <= this.#limit) this.#parts.push(part);
    else this.#parts = [Buffer.from(Buffer.concat([...this.#parts, part]).subarray(0, headBytes))];
  }

  *#cut(): Generator<Line> {
    const bytes = this.#parts.length === 1 ? this.#parts[0]! : Buffer.concat(this.#parts);
    const cut = this.#size > this.#limit;
    this.#parts = [];
    this.#size = 0;
    if (bytes.some((byte) => byte > 0x20)) yield { bytes, number: this.#number, offset: this.#start, cut };
  }
}

class LineIntake {
  readonly #partner: string;
  readonly #desk: Desk;
  readonly #transmissionId: string;
  readonly #hash = createHash("sha256");
  readonly #rejections: RejectedLine[] = [];
  #batch: { readonly line: Line; readonly read: ReadResource }[] = [];
  #batchBytes = 0;
  #units = 0;
  #accepted = 0;

  constructor(partner: string, desk: Desk) {
    this.#partner = partner;
    this.#desk = desk;
    this.#transmissionId = desk.intake.newReceiptId();
  }

  async take(line: Line): Promise<void> {
    this.#units += 1;
    this.#hash.update(line.bytes).update("\n");
    const context = contextOf(this.#desk, this.#partner);
    const transport = { transmissionId: this.#transmissionId, ordinal: this.#units, byteOffset: line.offset };
    const arrival = { bytes: line.bytes, stored: true, transport };
    const tooLong: Problem = { code: "too-long", place: "Resource" };
    const read = line.cut
      ? readResource({ ...arrival, resource: undefined, problems: [tooLong] }, context)
      : readText(openText(line.bytes), arrival, context);
    this.#batch.push({ line, read });
    this.#batchBytes += line.bytes.length;
    if (this.#units % breathLines === 0) await breathe();
    if (this.#batch.length >= batchLines || this.#batchBytes >= batchBytes) await this.#flush();
  }

  async #flush(): Promise<void> {
    const batch = this.#batch;
    if (batch.length === 0) return;
    this.#batch = [];
    this.#batchBytes = 0;
    const verdicts = await submitAll(
      this.#desk,
      batch.map(({ read }) => read),
    );
    for (const [index, { line }] of batch.entries()) {
      const { status, outcome } = verdicts[index]!;
      if (status < 300) this.#accepted += 1;
      else if (this.#rejections.length < mostTold) {
        const [issue] = outcome.issue;
        const place = issue?.expression?.[0] ?? "Resource";
        this.#rejections.push({ line: line.number, status, code: issue?.code as IssueCode, place });
      }
    }
  }

  async end(bytes: number): Promise<LinesReception> {
    await this.#flush();
    if (this.#units > 0) await this.#desk.intake.submit([this.#closing(bytes)]);
    return { accepted: this.#accepted, rejected: this.#units - this.#accepted, rejections: this.#rejections };
  }

  #closing(bytes: number): ReceivedUnit {
    return {
      entry: "CLOSING",
      partner: this.#partner,
      feed: this.#partner,
      format: "NDJSON",
      bytes: new Uint8Array(0),
      verdict: { accepted: true },
      answer: () => (this.#accepted === this.#units ? "200" : "422"),
      sealFor: [],
      events: [],
      transport: { transmissionId: this.#transmissionId, ordinal: this.#units + 1, byteOffset: bytes },
      closing: { entries: this.#units, units: this.#units, bytes, content: [this.#hash.digest()] },
    };
  }
}

/** An OperationOutcome of a file: how many were taken, and each line that was not. */
export function linesOutcome({ accepted, rejected, rejections }: LinesReception): object {
  const summary = {
    severity: rejected > 0 ? "warning" : "information",
    code: "informational",
    details: { text: `${accepted} resources accepted and durable, ${rejected} rejected.` },
  };
  const issue = rejections.map(({ line, code, place }) => ({
    severity: "error",
    code,
    details: { text: wordsOf(code) },
    expression: [`line[${line}].${place}`],
  }));
  return { resourceType: "OperationOutcome", issue: [summary, ...issue] };
}
