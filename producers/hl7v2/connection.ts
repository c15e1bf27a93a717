import type { Duplex } from "node:stream";
import type { Logger } from "pino";
import type { Intake, ReceivedUnit, SubmittedUnit } from "../../engine/intake/connector.js";
import { TributaryError } from "../../engine/service/errors.js";
import type { Allowance } from "./allowance.js";
import { frame, MllpFramer, type MllpPiece } from "./mllp.js";
import type { Profile } from "./profile.js";
import { readCutOff, readNoise } from "./remainder.js";
import type { Suspended } from "./suspended.js";
import { readTransmission } from "./transmission.js";

/** Blocks of one connection that may be in the engine's hands at once; above it the sender is held back. */
const IN_FLIGHT_BLOCKS = 64;
const IN_FLIGHT_BYTES = 16 * 1024 * 1024;
/** Noise after which a connection is no HL7 sender's. */
const NOISE_LIMIT = 8;
const CLOSING_MILLISECONDS = 1_000;

export interface ConnectionOptions {
  readonly intake: Intake;
  readonly profiles: ReadonlyMap<string, Profile>;
  readonly logger: Logger;
  /** Partners whose profiles can't be used, where there are any. */
  readonly suspended?: Suspended | undefined;
  /** The partner that the port or the certificate stands for. */
  readonly bound?: string | undefined;
  /** Most bytes of a block. */
  readonly blockLimit: number;
  /** Longest time in milliseconds from the first byte of a block to its last. */
  readonly blockTime: number;
  /** Shared by all connections. */
  readonly allowance: Allowance;
  /** The clock, epoch milliseconds. */
  readonly now: () => number;
}

/** A connection that is being served. */
export interface Connection {
  /** Takes no more, answers what is in hand, and closes. */
  close(): Promise<void>;
  /** Nothing came for long: closes, unless the partner still waits for an answer. */
  idle(): void;
}

/**
 * Serves one MLLP connection. Blocks are journalled in the order in which they come and answered in that order; several
 * may be under way at once, so a sender that doesn't wait for each answer is as fast as the journal.
 */
export function serve(socket: Duplex, options: ConnectionOptions): Connection {
  const { intake, profiles, suspended, logger, now, bound, allowance } = options;
  const framer = new MllpFramer(options.blockLimit);
  let inFlight = 0;
  let inFlightBytes = 0;
  let noise = 0;
  let closing = false;
  /** Bytes of the block that is still coming, as the allowance counts them. */
  let held = 0;
  let blockTimer: NodeJS.Timeout | undefined;
  /** The answers written so far: each waits for the one before. */
  let written: Promise<void> = Promise.resolve();
  let finished: () => void = () => {};
  const ended = new Promise<void>((resolve) => {
    finished = resolve;
  });

  const onFailure = (error: unknown) =>
    logger.error({ err: error }, "a message could not be translated: rejected and kept");
  const full = () => inFlight >= IN_FLIGHT_BLOCKS || inFlightBytes >= IN_FLIGHT_BYTES;

  /** Reads on when there is room, for this connection and for all. */
  function proceed(): void {
    if (full() || closing) return;
    if (!allowance.isSpent) socket.resume();
    else allowance.whenRoom(proceed);
  }

  function countHeld(): void {
    const kept = framer.kept;
    if (kept > held) allowance.hold(kept - held);
    else if (kept < held) allowance.release(held - kept);
    held = kept;
  }

  /** A block that never ends would be kept for ever: its sender has to begin anew. */
  function watchBlock(): void {
    if (!framer.open) {
      clearTimeout(blockTimer);
      blockTimer = undefined;
    } else blockTimer ??= setTimeout(() => giveUp("a block takes too long"), options.blockTime).unref();
  }

  function giveUp(reason: string): void {
    logger.warn(
      { ...(bound && { partner: bound }), reason },
      "a connection is closed, and its sender has to begin anew",
    );
    void close();
  }

  /** Journals units; gives undefined when nothing is durable. */
  async function submit(units: readonly ReceivedUnit[]): Promise<readonly SubmittedUnit[] | undefined> {
    try {
      return await intake.submit(units);
    } catch (error) {
      const code = error instanceof TributaryError ? error.code : "TRIB_SERVICE_UNEXPECTED";
      logger.warn({ err: error, code, units: units.length }, "not durable: to be sent again");
      return undefined;
    }
  }

  /** Submits at once, so that the order of the calls is the order of the stream, and answers in turn. */
  function take(
    units: readonly ReceivedUnit[],
    answer: (journalled: readonly SubmittedUnit[] | undefined) => readonly Buffer[],
    isSuspended = false,
  ) {
    const bytes = units.reduce((sum, unit) => sum + unit.bytes.length, 0);
    inFlight++;
    inFlightBytes += bytes;
    allowance.move(bytes);
    const journalled = isSuspended ? Promise.resolve(undefined) : submit(units);
    written = written.then(async () => {
      const content = answer(await journalled);
      inFlight--;
      inFlightBytes -= bytes;
      allowance.moved(bytes);
      if (content.length > 0)
        await write(content.length === 1 ? frame(content[0] as Buffer) : Buffer.concat(content.map(frame)));
      proceed();
    });
    if (full()) socket.pause();
  }

  function write(bytes: Buffer): Promise<void> {
    if (socket.destroyed || !socket.writable) return Promise.resolve();
    return new Promise((resolve) => {
      // A partner that stops reading its answers gets no more until it does.
      if (socket.write(bytes)) resolve();
      else {
        const go = () => {
          socket.off("drain", go).off("close", go);
          resolve();
        };
        socket.on("drain", go).on("close", go);
      }
    });
  }

  function handle(piece: MllpPiece): void {
    const context = { profiles, suspended, surrogate: intake.surrogate, receivedAt: now(), bound, onFailure };
    if (piece.kind === "block") {
      const transmission = readTransmission(piece.bytes, context, () => intake.newReceiptId());
      take(transmission.units, transmission.answer, transmission.isSuspended);
      return;
    }
    logger.warn({ kind: piece.kind, bytes: piece.bytes.length, ...(bound && { partner: bound }) }, "not a message");
    if (piece.kind === "oversized") {
      const cut = readCutOff(piece.bytes, context);
      const answer = (journalled: unknown) => (journalled ? cut.answer(cut.unit.verdict) : cut.tryAgain());
      take([cut.unit], answer, cut.isSuspended);
      return;
    }
    take([readNoise(piece, context)], () => []);
    if (piece.kind === "noise" && ++noise >= NOISE_LIMIT) void close();
  }

  function close(): Promise<void> {
    if (!closing) {
      closing = true;
      socket.pause();
      clearTimeout(blockTimer);
      for (const piece of framer.end()) handle(piece);
      countHeld();
      void written.then(() => {
        socket.end();
        socket.resume();
        // A partner that never closes its side must not keep us from stopping.
        setTimeout(() => socket.destroy(), CLOSING_MILLISECONDS).unref();
      });
    }
    return ended;
  }

  socket.on("data", (chunk: Buffer) => {
    if (closing) return;
    for (const piece of framer.push(chunk)) handle(piece);
    countHeld();
    watchBlock();
    if (closing || !allowance.isSpent) return;
    if (allowance.isStuck && held > 0) giveUp("too much is still coming");
    else {
      socket.pause();
      allowance.whenRoom(proceed);
    }
  });
  socket.on("end", () => void close());
  socket.on("error", (error) => logger.info({ err: error }, "connection lost"));
  socket.on("close", () => {
    // What was begun goes on into the journal: the partner will send it again and it will be known.
    closing = true;
    clearTimeout(blockTimer);
    allowance.release(held);
    held = 0;
    void written.then(finished);
  });
  return {
    close,
    idle: () => {
      if (inFlight === 0) void close();
    },
  };
}
