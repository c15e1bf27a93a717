import type { ReceivedUnit, SubmittedUnit, Verdict } from "../../engine/intake/connector.js";
import { type Slice, sliceTransmission } from "./split.js";
import { type ReadingContext, type ReadMessage, readMessage } from "./unit.js";

/** The content of one block, ready for the journal. */
export interface Transmission {
  readonly units: readonly ReceivedUnit[];
  /** The blocks that answer it, in order, from what became of each unit; undefined: nothing is durable. */
  readonly answer: (journalled: readonly SubmittedUnit[] | undefined) => readonly Buffer[];
}

/**
 * Reads a block: one message as a rule, else a batch. In a batch each message is a unit with its own verdict and
 * acknowledgment, the batch's own segments (FHS, BHS, BTS, FTS) are envelopes, and a closing entry tells what there was.
 */
export function readTransmission(bytes: Buffer, context: ReadingContext, newReceiptId: () => string): Transmission {
  const slices = sliceTransmission(bytes.toString("latin1"));
  if (slices.length <= 1) {
    const only = readMessage(bytes, context);
    return { units: [only.unit], answer: (journalled) => answerOf(only, journalled?.[0]) };
  }
  return readBatch(bytes, slices, context, newReceiptId());
}

function answerOf(message: ReadMessage, journalled: SubmittedUnit | undefined): readonly Buffer[] {
  return journalled === undefined ? message.tryAgain() : message.answer(journalled.verdict);
}

function readBatch(
  bytes: Buffer,
  slices: readonly Slice[],
  context: ReadingContext,
  transmissionId: string,
): Transmission {
  const messages = new Map<number, ReadMessage>();
  slices.forEach((slice, ordinal) => {
    if (slice.kind !== "envelope") messages.set(ordinal, readMessage(bytes.subarray(slice.start, slice.end), context));
  });
  // The whole batch goes one way, in the order of its first message's feed.
  const leader = [...messages.values()][0]?.unit;
  const partner = leader?.partner ?? context.bound ?? "unknown";
  const feed = leader?.feed ?? `${partner}/`;
  const flags = countFlags(bytes, slices);
  const around = (slice: Slice): ReceivedUnit => ({
    ...entry(partner, feed, flags),
    entry: "ENVELOPE",
    format: bytes.toString("latin1", slice.start, slice.start + 3),
    bytes: bytes.subarray(slice.start, slice.end),
  });
  const units: ReceivedUnit[] = slices.map((slice, ordinal) => ({
    ...(messages.get(ordinal)?.unit ?? around(slice)),
    transport: { transmissionId, ordinal, byteOffset: slice.start },
  }));
  units.push({
    ...entry(partner, feed, flags),
    entry: "CLOSING",
    format: "BATCH",
    bytes: new Uint8Array(0),
    transport: { transmissionId, ordinal: slices.length, byteOffset: bytes.length },
    closing: { entries: slices.length, units: messages.size, bytes: bytes.length, content: [bytes] },
  });
  return {
    units,
    answer: (journalled) => {
      const all = [...messages].flatMap(([ordinal, message]) => answerOf(message, journalled?.[ordinal]));
      return all.length > 0 ? [Buffer.concat(all)] : [];
    },
  };
}

function entry(partner: string, feed: string, flags: readonly string[]) {
  const verdict: Verdict = { accepted: true };
  return { partner, feed, verdict, flags, answer: () => "", sealFor: [], events: [] };
}

/** BTS-1 tells how many messages the batch has. */
function countFlags(bytes: Buffer, slices: readonly Slice[]): string[] {
  const messages = slices.filter(({ kind }) => kind === "message").length;
  let told: number | undefined;
  for (const { kind, start, end } of slices) {
    if (kind !== "envelope") continue;
    const count = /^BTS[^A-Za-z0-9](\d+)/.exec(bytes.toString("latin1", start, end))?.[1];
    if (count !== undefined) told = (told ?? 0) + Number(count);
  }
  return told === undefined || told === messages ? [] : ["BATCH_COUNT_MISMATCH"];
}
