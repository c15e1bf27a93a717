import type { ReceivedUnit } from "../../engine/intake/connector.js";
import type { MllpPiece } from "./mllp.js";
import { type ReadingContext, type ReadMessage, readMessage } from "./unit.js";

/** Bytes that are no message. */
export type Remainder = Extract<MllpPiece, { kind: "noise" | "unclosed" }>;

/**
 * Bytes that are no message (noise between blocks, a block never closed) as a journal entry: kept as evidence, never
 * counted, never answered, sealed under a key of its own since nobody knows whom they concern.
 */
export function readNoise(piece: Remainder, context: ReadingContext): ReceivedUnit {
  const partner = context.bound ?? (context.profiles.has("generic") ? "generic" : "unknown");
  const flag = piece.kind === "noise" ? "MLLP_NOISE" : "MLLP_FRAME_NOT_CLOSED";
  return {
    entry: "ENVELOPE",
    partner,
    feed: `${partner}/`,
    format: "MLLP",
    bytes: piece.bytes,
    verdict: { accepted: false, code: flag },
    flags: [flag],
    answer: () => "",
    sealFor: [],
    events: [],
  };
}

/**
 * A block over the size limit, of which only the head was kept: rejected for good, with the control id that the head
 * still tells.
 */
export function readCutOff(head: Buffer, context: ReadingContext): ReadMessage {
  return readMessage(head, { ...context, cutOff: true });
}
