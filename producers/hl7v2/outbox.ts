import { gunzipSync } from "node:zlib";
import { MllpFramer } from "./mllp.js";
import { sliceTransmission } from "./split.js";

/** What a file holds to be sent. */
export interface Outbox {
  /** Contents of the blocks to send, in order, byte for byte. */
  readonly messages: readonly Buffer[];
  /** Whether any of them begins like a message. */
  readonly readable: boolean;
}

/**
 * Takes the messages out of a file, as a partner's outbox would hold them: framed by MLLP (only complete blocks count),
 * or one after another, each beginning with MSH; batch envelopes stay behind. A gzip file is unpacked. A file without
 * any message is one thing to send, so that the receiver has its say.
 */
export function readOutbox(file: Buffer): Outbox {
  const bytes = file[0] === 0x1f && file[1] === 0x8b ? gunzipSync(file) : file;
  if ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff)) {
    return { messages: [bytes], readable: true };
  }
  const messages: Buffer[] = [];
  let readable = false;
  for (const part of blocksOf(bytes)) {
    for (const { kind, start, end } of sliceTransmission(part.toString("latin1"))) {
      const content = part.subarray(start, end);
      if (kind === "envelope" || content.every((byte) => byte === 0x0a || byte === 0x0d)) continue;
      if (kind === "message") readable = true;
      messages.push(content);
    }
  }
  return { messages, readable };
}

function blocksOf(bytes: Buffer): Buffer[] {
  if (!bytes.includes(0x0b)) return [bytes];
  const framer = new MllpFramer(Number.MAX_SAFE_INTEGER);
  return framer.push(bytes).flatMap((piece) => (piece.kind === "block" ? [piece.bytes] : []));
}
