import type { Intake, ReceivedUnit, UnitIdentity, Verdict } from "../../engine/intake/connector.js";
import type { ByteSource } from "../../engine/reception/byte-source.js";
import { answerTo } from "./answer.js";
import { type FileReport, InterchangeCheck, type InterchangeReport } from "./check.js";
import { answeredEntry, InterchangeEntries, interchangeIdentity } from "./entries.js";
import { type PartnerChoice, partnerOf } from "./partner.js";
import type { Profile } from "./profile.js";
import type { RecentInterchanges } from "./recent.js";
import { type Slice, Splitter, unitKinds } from "./splitter.js";
import { Tokenizer } from "./tokenizer.js";
import { isAcknowledged, isRejected } from "./verdict.js";

/** What every reception needs. */
export interface Desk {
  readonly intake: Intake;
  readonly profiles: ReadonlyMap<string, Profile>;
  /** What the files of partners hold whose profiles can't be used, by partner. Default: none. */
  readonly suspended?: ReadonlyMap<string, unknown>;
  /** Largest journal record in bytes. */
  readonly unitLimit: number;
  readonly recent: RecentInterchanges;
  /** The clock of answers. */
  now(): Date;
}

/** What became of a file or body. */
export interface Reception {
  readonly report: FileReport;
  /** Everything in it was accepted. */
  readonly accepted: boolean;
  /** TA1, 999 and 997 for the sender; empty when there is nothing to say. */
  readonly answer: Buffer;
  /** Units journalled, accepted or not. */
  readonly units: number;
  /**
   * To be called when the sender has the answer: from then on the same interchange is a duplicate. Journals the answers;
   * rejects where the log can't be reached, which does no harm: the interchange would only be answered once more as before.
   */
  answered(): Promise<void>;
}

/** Part of the record limit that a slice may take; sealing, events and the record's own fields take the rest. */
const SLICE_SHARE = 0.7;
const BATCH_ENTRIES = 256;
const BATCH_BYTES = 1_048_576;
/** Batches on their way to the log while the next is read; more would only cost memory. */
const BATCHES_ABROAD = 1;
/** Part of the record limit, and bytes, below which a claim or a person's unit is surely taken. */
const SMALL_SHARE = 1 / 16;
const SMALL_BYTES = 65_536;

/**
 * Takes a file or body in: checks it in a first pass, journals it in a second, and makes the answer.
 * @param addressed the partner whose address or folder it came through.
 * @throws TRIB_INTAKE_UNAVAILABLE (retriable) when it can't be made durable: nothing may be answered then.
 */
export async function receive(source: ByteSource, addressed: string, desk: Desk): Promise<Reception> {
  const choices = new Map<InterchangeReport, PartnerChoice>();
  const report = await examine(source, addressed, desk, choices);
  await markDuplicates(report, desk, choices);
  const units = await journal(source, addressed, desk, report, choices);
  const answers = new Map<InterchangeReport, Buffer | null>();
  for (const interchange of report.interchanges) {
    const alwaysAcknowledge = choices.get(interchange)!.profile.acknowledgeInterchange === "always";
    answers.set(interchange, answerTo(interchange, { now: desk.now(), alwaysAcknowledge }));
  }
  return {
    report,
    accepted: report.problem === null && report.interchanges.every(isAccepted),
    answer: Buffer.concat([...answers.values()].filter((answer) => answer !== null)),
    units,
    answered: () => rememberAnswers(desk, choices, answers),
  };
}

/** Keeps what was answered to interchanges that were taken in; their identity enters the ledger with it. */
async function rememberAnswers(
  desk: Desk,
  choices: ReadonlyMap<InterchangeReport, PartnerChoice>,
  answers: ReadonlyMap<InterchangeReport, Buffer | null>,
): Promise<void> {
  const entries: ReceivedUnit[] = [];
  for (const [interchange, answer] of answers) {
    if (interchange.note !== "000") continue;
    const entry = answeredEntry(choices.get(interchange)!.partner, interchange, answer ?? Buffer.alloc(0));
    desk.recent.add(identityText(entry.identity!));
    entries.push(entry);
  }
  if (entries.length > 0) await desk.intake.submit(entries);
}

function identityText(identity: UnitIdentity): string {
  return JSON.stringify(identity.parts);
}

function isAccepted(interchange: InterchangeReport): boolean {
  if (interchange.note !== "000") return false;
  return interchange.groups.every((group) => group.codes.length === 0 && !group.sets.some(isRejected));
}

/** The first pass. Verdicts are known after it, those of the intake on size and encoding included. */
async function examine(
  source: ByteSource,
  addressed: string,
  desk: Desk,
  choices: Map<InterchangeReport, PartnerChoice>,
): Promise<FileReport> {
  const tokenizer = new Tokenizer();
  const splitter = new Splitter(sliceLimit(desk));
  const check = new InterchangeCheck({
    characters: (header) => partnerOf(header, addressed, desk.profiles, desk.suspended).profile.characters,
  });
  let entries: InterchangeEntries | null = null;
  let next = 0;
  const inspect = (slice: Slice): void => {
    if (slice.kind === "isa" && !slice.continued) {
      const interchange = check.report.interchanges[next]!;
      next += 1;
      const choice = partnerOf(interchange.header, addressed, desk.profiles, desk.suspended);
      if (interchange.note === "000") interchange.note = choice.note;
      choices.set(interchange, choice);
      entries = entriesOf(interchange, choice, desk, "");
    }
    if (!entries) return;
    if (!unitKinds.has(slice.kind) || isSurelyTaken(slice, desk)) {
      entries.pass(slice);
      return;
    }
    const entry = entries.entry(slice);
    const { set } = entries;
    if (!set) return;
    const verdict: Verdict = slice.continued ? { accepted: false, code: "UNIT_TOO_LARGE" } : desk.intake.check(entry);
    if (!verdict.accepted)
      set.refusal ??= { code: verdict.code, location: verdict.location ?? slice.segments[0]?.id ?? "ST" };
  };
  const take = (tokens: ReturnType<Tokenizer["push"]>): void => {
    for (const token of tokens) check.accept(token, tokenizer.byteOrderMark);
    for (const slice of splitter.push(tokens)) inspect(slice);
  };
  for await (const chunk of source.chunks()) take(tokenizer.push(chunk));
  take(tokenizer.end());
  for (const slice of splitter.end()) inspect(slice);
  return check.end(tokenizer.problem);
}

/**
 * Whether the journal takes a unit whatever is in it, so that the first pass need not make it. What the syntax lets through
 * always encodes, and an event is a few times the size of its bytes at most. Payments and remittances are always made:
 * their sums might not fit an amount. Would one be refused all the same, the second pass would still see it.
 */
function isSurelyTaken({ kind, bytes, continued }: Slice, { unitLimit }: Desk): boolean {
  return (
    !continued &&
    (kind === "claim" || kind === "member") &&
    bytes.length < Math.min(SMALL_BYTES, unitLimit * SMALL_SHARE)
  );
}

function sliceLimit(desk: Desk): number {
  return Math.floor(desk.unitLimit * SLICE_SHARE);
}

function entriesOf(
  interchange: InterchangeReport,
  choice: PartnerChoice,
  desk: Desk,
  transmissionId: string,
): InterchangeEntries {
  const { partner, profile } = choice;
  return new InterchangeEntries(interchange, { partner, profile, surrogate: desk.intake.surrogate, transmissionId });
}

/** An interchange answered before (says the ledger, or this process), or seen earlier in the same file, gets TA1 R 025. */
async function markDuplicates(
  report: FileReport,
  desk: Desk,
  choices: ReadonlyMap<InterchangeReport, PartnerChoice>,
): Promise<void> {
  const candidates = report.interchanges.filter((interchange) => interchange.note === "000");
  const identities = candidates.map((one) => interchangeIdentity(choices.get(one)!.partner, one));
  const known = candidates.length === 0 ? [] : await desk.intake.known(identities);
  const here = new Set<string>();
  for (const [index, interchange] of candidates.entries()) {
    const text = identityText(identities[index]!);
    if (here.has(text) || known[index] === true || desk.recent.has(text)) interchange.note = "025";
    here.add(text);
  }
}

/** The second pass. @returns how many units were journalled. */
async function journal(
  source: ByteSource,
  addressed: string,
  desk: Desk,
  report: FileReport,
  choices: ReadonlyMap<InterchangeReport, PartnerChoice>,
): Promise<number> {
  const tokenizer = new Tokenizer();
  const splitter = new Splitter(sliceLimit(desk));
  const writer = new BatchWriter(desk.intake);
  let entries: InterchangeEntries | null = null;
  let current: InterchangeReport | null = null;
  let next = 0;
  const put = (slice: Slice): void => {
    if (slice.kind === "isa" && !slice.continued) {
      if (entries) writer.add(entries.closing(), null);
      current = report.interchanges[next]!;
      next += 1;
      entries = entriesOf(current, choices.get(current)!, desk, desk.intake.newReceiptId());
    } else if (slice.kind === "noise" && (!current || current.complete)) {
      if (entries) writer.add(entries.closing(), null);
      entries = null;
      current = null;
      writer.add(unreadable(slice, addressed, report), null);
      return;
    }
    if (entries) {
      const entry = entries.entry(slice);
      writer.add(entry, entries.set);
    }
  };
  for await (const chunk of source.chunks()) {
    for (const slice of splitter.push(tokenizer.push(chunk))) {
      put(slice);
      if (writer.isFull) await writer.flushFull();
    }
  }
  for (const slice of [...splitter.push(tokenizer.end()), ...splitter.end()]) put(slice);
  const last = entries as InterchangeEntries | null;
  if (last) writer.add(last.closing(), null);
  await writer.flush();
  return writer.units;
}

/** Bytes that are no interchange: kept, with the reason. */
function unreadable(slice: Slice, partner: string, report: FileReport): ReceivedUnit {
  const code = `X12_${report.problem?.code ?? "NOT_AN_INTERCHANGE"}`;
  return {
    entry: slice.continued ? "ENVELOPE" : "UNIT",
    partner,
    feed: partner,
    format: "X12",
    bytes: slice.bytes,
    verdict: { accepted: false, code, location: "ISA" },
    answer: () => "400",
    sealFor: [],
    events: [],
  };
}

interface WaitingEntry {
  readonly entry: ReceivedUnit;
  readonly set: InterchangeEntries["set"];
}

/**
 * Journals in order, a batch at a time, and notes on the sets what the intake refused after all. A few batches are on
 * their way while the next is read: what is submitted first is journalled first.
 */
class BatchWriter {
  units = 0;
  readonly #intake: Intake;
  #batch: WaitingEntry[] = [];
  #bytes = 0;
  #abroad: Promise<void>[] = [];

  constructor(intake: Intake) {
    this.#intake = intake;
  }

  add(entry: ReceivedUnit, set: InterchangeEntries["set"]): void {
    this.#batch.push({ entry, set });
    this.#bytes += entry.bytes.length;
    if (entry.entry === "UNIT") this.units += 1;
  }

  get isFull(): boolean {
    return this.#batch.length >= BATCH_ENTRIES || this.#bytes >= BATCH_BYTES;
  }

  /** Sends what is there, and waits until few enough batches are on their way. */
  async flushFull(): Promise<void> {
    this.#send();
    while (this.#abroad.length > BATCHES_ABROAD) await this.#abroad.shift();
  }

  async flush(): Promise<void> {
    if (this.#batch.length > 0) this.#send();
    for (const sent of this.#abroad.splice(0)) await sent;
  }

  #send(): void {
    const batch = this.#batch;
    this.#batch = [];
    this.#bytes = 0;
    const sent = submitBatch(this.#intake, batch);
    // The first to fail is thrown where it is waited for; those after it failed with it.
    sent.catch(() => undefined);
    this.#abroad.push(sent);
  }
}

function submitBatch(intake: Intake, batch: readonly WaitingEntry[]): Promise<void> {
  // Apart from the entries, which needn't be kept until the log has them.
  const judged = batch.map(({ entry, set }) => (entry.verdict.accepted ? set : null));
  return intake.submit(batch.map(({ entry }) => entry)).then((submitted) => {
    for (const [index, set] of judged.entries()) {
      const verdict = submitted[index]?.verdict;
      if (verdict && !verdict.accepted && set && isAcknowledged(set)) {
        set.refusal ??= { code: verdict.code, location: verdict.location ?? "ST" };
      }
    }
  });
}
