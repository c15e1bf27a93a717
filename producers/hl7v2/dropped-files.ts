import { readFile } from "node:fs/promises";
import type { ReceiveContext, ReceivedUnit } from "../../engine/intake/connector.js";
import {
  type DropFolder,
  type DroppedFile,
  startDropFolder,
  type TakenFile,
} from "../../engine/reception/dropfolder.js";
import { MllpFramer, START_BLOCK } from "./mllp.js";
import type { Profile } from "./profile.js";
import { type Remainder, readNoise } from "./remainder.js";
import { sliceTransmission } from "./split.js";
import { type BatchEntry, readEntries } from "./transmission.js";
import type { ReadMessage } from "./unit.js";

/** Most messages and envelopes of a file: the answers to all of them are in memory. */
const mostMessages = 500_000;

function tooLarge(limit: object): TakenFile {
  const problem = { code: "TRIB_HL7V2_FILE_TOO_LARGE", ...limit };
  return {
    accepted: false,
    answers: [{ ending: ".problem.json", content: Buffer.from(`${JSON.stringify(problem)}\n`) }],
  };
}

/** Entries journalled in one go. */
const STRETCH = 500;

export interface DroppedFilesOptions {
  /** Folder of the partners' folders. */
  readonly inbox: string;
  /** Most bytes of a file. */
  readonly limit: number;
  /** Milliseconds between two looks. */
  readonly interval?: number;
  /** Milliseconds before a file that could not be made durable is tried again. */
  readonly retryAfter?: number;
}

/**
 * Takes files of messages from the partners' drop folders: a batch with FHS and BHS or without, or blocks of MLLP. Each is
 * answered by `<name>.ack`, an acknowledgment a message in their order; one over the limit by `<name>.problem.json`.
 */
export function startDroppedFiles(
  context: ReceiveContext<Profile>,
  { limit, ...options }: DroppedFilesOptions,
): Promise<DropFolder> {
  return startDropFolder({
    ...options,
    logger: context.logger,
    partners: context.profiles.keys(),
    answers: [".ack", ".problem.json"],
    take: (file) => take(file, context, limit),
  });
}

/** A file that was cut off by an outage is taken again from its beginning: what was published before is known again. */
async function take(
  { path, size, partner }: DroppedFile,
  context: ReceiveContext<Profile>,
  limit: number,
): Promise<TakenFile> {
  if (size > limit) return tooLarge({ limit });
  const { intake, profiles, logger } = context;
  const { bytes, remains } = contentOf(await readFile(path));
  const slices = sliceTransmission(bytes.toString("latin1"), mostMessages);
  if (slices.length > mostMessages) return tooLarge({ messages: mostMessages });
  const reading = {
    profiles,
    surrogate: intake.surrogate,
    receivedAt: Date.now(),
    bound: partner,
    onFailure: (error: unknown) => logger.error({ err: error }, "a message could not be translated: rejected and kept"),
  };
  const answers: Buffer[] = [];
  let [messages, accepted] = [0, 0];
  const journal = async (entries: readonly BatchEntry[]) => {
    const journalled = await intake.submit(entries.map(({ unit }): ReceivedUnit => unit));
    for (const [index, { message }] of entries.entries()) {
      const verdict = journalled[index]?.verdict;
      if (message === undefined || verdict === undefined) continue;
      messages++;
      if (verdict.accepted) accepted++;
      answers.push(...(message as ReadMessage).answer(verdict));
    }
  };
  let stretch: BatchEntry[] = [];
  for (const entry of readEntries(bytes, slices, reading, intake.newReceiptId())) {
    stretch.push(entry);
    if (stretch.length < STRETCH) continue;
    await journal(stretch);
    stretch = [];
  }
  await journal(stretch);
  // What is no message is evidence, as on a connection; nobody is told AA of a file that was cut off.
  if (remains.length > 0) await intake.submit(remains.map((piece) => readNoise(piece, reading)));
  return {
    accepted: messages > 0 && accepted === messages && remains.length === 0,
    answers: [{ ending: ".ack", content: Buffer.concat(answers) }],
  };
}

/** What may stand before the first block: a byte order mark of UTF-8, line ends, blanks. */
const leading = /^(?:\xef\xbb\xbf)?[\r\n\t ]*/;

/** The messages of a file: as they stand, or taken out of the blocks in which they were sent, and what is in no block. */
function contentOf(file: Buffer): { readonly bytes: Buffer; readonly remains: readonly Remainder[] } {
  const [before = ""] = leading.exec(file.toString("latin1", 0, 1_024)) ?? [];
  if (file[before.length] !== START_BLOCK) return { bytes: file, remains: [] };
  const framer = new MllpFramer(Number.MAX_SAFE_INTEGER);
  const blocks: Buffer[] = [];
  const remains: Remainder[] = [];
  for (const piece of [...framer.push(file.subarray(before.length)), ...framer.end()]) {
    if (piece.kind === "block") blocks.push(piece.bytes, Buffer.from("\r"));
    else if (piece.kind !== "oversized") remains.push(piece);
  }
  return { bytes: Buffer.concat(blocks), remains };
}
