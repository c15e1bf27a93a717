import { pipeline, type Readable, type Transform } from "node:stream";
import { createBrotliDecompress, createGunzip, createInflate } from "node:zlib";
import { TributaryError } from "../service/errors.js";
import type { Room } from "./room.js";

/** How much of a body is taken. */
export interface BodyLimits {
  /** Most bytes as sent. */
  readonly sent: number;
  /** Most bytes after decompression. */
  readonly decoded: number;
}

/** Bytes after which the rate of decompression is looked at; below it any rate is harmless. */
const harmlessBytes = 1_048_576;
/** Most bytes that one byte sent may become: deflate can't go far beyond 1,000, and real records stay below 100. */
const mostExpansion = 200;

const decoders: Readonly<Record<string, (() => Transform) | undefined>> = {
  gzip: () => createGunzip(),
  "x-gzip": () => createGunzip(),
  deflate: () => createInflate(),
  br: () => createBrotliDecompress(),
};

/** @throws TRIB_RECEPTION_ENCODING_UNKNOWN for any other content encoding than gzip, deflate, br and identity. */
function decoderOf(encoding: string | undefined): Transform | undefined {
  const name = (encoding ?? "identity").trim().toLowerCase();
  if (name === "identity" || name === "") return undefined;
  const decoder = decoders[name];
  if (!decoder) throw new TributaryError("TRIB_RECEPTION_ENCODING_UNKNOWN");
  return decoder();
}

const tooLarge = () => new TributaryError("TRIB_RECEPTION_BODY_TOO_LARGE");

/** Bytes as sent, counted. Stopping early leaves the request open, so that it can still be answered. */
async function* sentChunks(
  sent: Readable,
  limit: number,
  signal: AbortSignal,
  passed: (bytes: number) => void,
): AsyncGenerator<Buffer> {
  const chunks = sent.iterator({ destroyOnReturn: false });
  let stop = () => {};
  const stopped = new Promise<never>((_, reject) => {
    stop = () => reject(new TributaryError("TRIB_RECEPTION_CLOSING"));
  });
  stopped.catch(() => {});
  if (signal.aborted) stop();
  else signal.addEventListener("abort", stop, { once: true });
  let size = 0;
  try {
    for (;;) {
      const { value, done } = (await Promise.race([chunks.next(), stopped])) as IteratorResult<Buffer, undefined>;
      if (done) return;
      size += value.length;
      if (size > limit) throw tooLarge();
      passed(size);
      yield value;
    }
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

/**
 * The decompressed bytes of a request as they come, within the limits. The sender is read no faster than they are taken.
 * @param signal ends the reading.
 * @throws TRIB_RECEPTION_BODY_TOO_LARGE, TRIB_RECEPTION_ENCODING_UNKNOWN, TRIB_RECEPTION_BODY_UNREADABLE (broken
 *   compression, or the sender went away), TRIB_RECEPTION_CLOSING (retriable).
 */
export async function* bodyStream(
  sent: Readable,
  encoding: string | undefined,
  limits: BodyLimits,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  const decoder = decoderOf(encoding);
  let before = 0;
  let after = 0;
  const arriving = sentChunks(sent, limits.sent, signal, (bytes) => {
    before = bytes;
  });
  const refused: { reason?: unknown } = {};
  const decoded = decoder
    ? pipeline(arriving, decoder, (error) => {
        refused.reason ??= error ?? undefined;
      })
    : arriving;
  try {
    for await (const chunk of decoded as AsyncIterable<Buffer>) {
      after += chunk.length;
      if (after > limits.decoded) throw tooLarge();
      if (decoder && after > harmlessBytes && after > before * mostExpansion) throw tooLarge();
      yield chunk;
    }
  } catch (error) {
    const reason = error instanceof TributaryError ? error : (refused.reason ?? error);
    throw reason instanceof TributaryError
      ? reason
      : new TributaryError("TRIB_RECEPTION_BODY_UNREADABLE", undefined, {}, { cause: reason });
  }
}

/** A body in memory. `release` gives its place in the room back. */
export interface HeldBody {
  readonly bytes: Buffer;
  release(): void;
}

/**
 * Reads a body to its end, holding its bytes in the room.
 * @throws what {@link bodyStream} throws; TRIB_RECEPTION_BUSY (retriable) when the room is full.
 */
export async function holdBody(chunks: AsyncIterable<Buffer>, room: Room): Promise<HeldBody> {
  const held: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of chunks) {
      if (!room.hold(chunk.length)) throw new TributaryError("TRIB_RECEPTION_BUSY");
      size += chunk.length;
      held.push(chunk);
    }
  } catch (error) {
    room.release(size);
    throw error;
  }
  const only = held[0];
  const bytes = held.length === 1 && only ? only : Buffer.concat(held, size);
  return { bytes, release: () => room.release(size) };
}
