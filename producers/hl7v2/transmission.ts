import type { ReceivedUnit, SubmittedUnit, Verdict } from "../../engine/intake/connector.js";
import { KEPT_BYTES } from "./mllp.js";
import { readCutOff } from "./remainder.js";
import { type Slice, sliceTransmission } from "./split.js";
import { type ReadingContext, type ReadMessage, readMessage } from "./unit.js";

/** Most messages and envelopes that are taken together, from a block or a body: each is in memory until all are durable. */
const mostTogether = 10_000;

/** The content of one block, ready for the journal. */
export interface Transmission {
  readonly units: readonly ReceivedUnit[];
  /** A sender's profile can't be used now: nothing of it is journalled, and all of it is to be sent again. */
  readonly isSuspended: boolean;
  /** The blocks that answer it, in order, from what became of each unit; undefined: nothing is durable. */
  readonly answer: (journalled: readonly SubmittedUnit[] | undefined) => readonly Buffer[];
}

/**
 * Reads a block: one message as a rule, else a batch. In a batch each message is a unit with its own verdict and
 * acknowledgment, the batch's own segments (FHS, BHS, BTS, FTS) are envelopes, and a closing entry tells what there was.
 */
export function readTransmission(bytes: Buffer, context: ReadingContext, newReceiptId: () => string): Transmission {
  const slices = sliceTransmission(bytes.toString("latin1"), mostTogether);
  if (slices.length <= 1) return readOnly(readMessage(bytes, context));
  if (slices.length > mostTogether) return readOnly(readCutOff(bytes.subarray(0, KEPT_BYTES), context));
  return readBatch(bytes, slices, context, newReceiptId());
}

const readOnly = (only: ReadMessage): Transmission => ({
  units: [only.unit],
  isSuspended: only.isSuspended,
  answer: (journalled) => answerOf(only, journalled?.[0]),
});

function answerOf(message: ReadMessage, journalled: SubmittedUnit | undefined): readonly Buffer[] {
  return journalled === undefined ? message.tryAgain() : message.answer(journalled.verdict);
}

/** A unit, envelope or closing entry of a batch, and the message that it is, if it is one. */
export interface BatchEntry {
  readonly unit: ReceivedUnit;
  readonly message: ReadMessage | undefined;
}

/**
 * The entries of a batch in order, read as they are asked for, the closing entry last.
 * @param bytes the whole batch.
 */
export function* readEntries(
  bytes: Buffer,
  slices: readonly Slice[],
  context: ReadingContext,
  transmissionId: string,
): Generator<BatchEntry> {
  const messageAt = ({ start, end }: Slice) => readMessage(bytes.subarray(start, end), context);
  // The whole batch goes one way, in the order of its first message's feed.
  const first = slices.find(({ kind }) => kind !== "envelope");
  const leader = first && messageAt(first).unit;
  const partner = leader?.partner ?? context.bound ?? "unknown";
  const feed = leader?.feed ?? `${partner}/`;
  const flags = countFlags(bytes, slices);
  let units = 0;
  for (const [ordinal, slice] of slices.entries()) {
    const transport = { transmissionId, ordinal, byteOffset: slice.start };
    if (slice.kind !== "envelope") {
      const message = messageAt(slice);
      units++;
      yield { unit: { ...message.unit, transport }, message };
      continue;
    }
    const unit: ReceivedUnit = {
      ...entry(partner, feed, flags),
      entry: "ENVELOPE",
      format: bytes.toString("latin1", slice.start, slice.start + 3),
      bytes: bytes.subarray(slice.start, slice.end),
      transport,
    };
    yield { unit, message: undefined };
  }
  const closing: ReceivedUnit = {
    ...entry(partner, feed, flags),
    entry: "CLOSING",
    format: "BATCH",
    bytes: new Uint8Array(0),
    transport: { transmissionId, ordinal: slices.length, byteOffset: bytes.length },
    closing: { entries: slices.length, units, bytes: bytes.length, content: [bytes] },
  };
  yield { unit: closing, message: undefined };
}

function readBatch(
  bytes: Buffer,
  slices: readonly Slice[],
  context: ReadingContext,
  transmissionId: string,
): Transmission {
  const entries = [...readEntries(bytes, slices, context, transmissionId)];
  return {
    units: entries.map(({ unit }) => unit),
    isSuspended: entries.some(({ message }) => message?.isSuspended),
    answer: (journalled) => {
      const all = entries.flatMap(({ message }, index) => (message ? answerOf(message, journalled?.[index]) : []));
      return all.length > 0 ? [Buffer.concat(all)] : [];
    },
  };
}

function entry(partner: string, feed: string, flags: readonly string[]) {
  const verdict: Verdict = { accepted: true };
  return { partner, feed, verdict, flags, answer: () => "", sealFor: [], events: [] };
}

/** BTS-1 tells how many messages the batch has; a batch that was opened has an end, or it was cut off. */
function countFlags(bytes: Buffer, slices: readonly Slice[]): string[] {
  const messages = slices.filter(({ kind }) => kind === "message").length;
  let told: number | undefined;
  const open = { FHS: 0, BHS: 0 };
  for (const { kind, start, end } of slices) {
    if (kind !== "envelope") continue;
    const id = bytes.toString("latin1", start, end).trimStart().slice(0, 3);
    if (id === "FHS" || id === "BHS") open[id] += 1;
    else open[id === "FTS" ? "FHS" : "BHS"] -= 1;
    const count = /^BTS[^A-Za-z0-9](\d+)/.exec(bytes.toString("latin1", start, end))?.[1];
    if (count !== undefined) told = (told ?? 0) + Number(count);
  }
  return [
    ...(told === undefined || told === messages ? [] : ["BATCH_COUNT_MISMATCH"]),
    ...(open.FHS > 0 || open.BHS > 0 ? ["BATCH_NOT_CLOSED"] : []),
  ];
}
