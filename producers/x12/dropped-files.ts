import type { Logger } from "pino";
import { fileSource } from "../../engine/reception/byte-source.js";
import {
  type DropFolder,
  type DroppedFile,
  startDropFolder,
  type TakenFile,
} from "../../engine/reception/dropfolder.js";
import { type Desk, receive } from "./reception.js";

export interface DroppedFilesOptions {
  /** Folder of the partners' folders. */
  readonly inbox: string;
  readonly logger: Logger;
  /** Milliseconds between two looks. */
  readonly interval?: number;
  /** Milliseconds before a file that could not be made durable is tried again. */
  readonly retryAfter?: number;
}

/** Takes interchanges from the partners' drop folders: answered by `<name>.999`, by `<name>.problem.json` where it can't be read. */
export function startDroppedFiles(desk: Desk, options: DroppedFilesOptions): Promise<DropFolder> {
  return startDropFolder({
    ...options,
    partners: desk.profiles.keys(),
    answers: [".999", ".problem.json"],
    take: (file) => take(file, desk),
  });
}

/**
 * The note in the journal that an answer was given comes after the answer. Killed before the note, the file is taken in as
 * if for the first time; killed after it, the file would be its own duplicate, but for the answer it has.
 */
async function take({ path, size, partner }: DroppedFile, desk: Desk): Promise<TakenFile> {
  const reception = await receive(fileSource(path, size), partner, desk);
  const { problem } = reception.report;
  const facts = problem && { code: "TRIB_X12_UNREADABLE", reason: `X12_${problem.code}`, offset: problem.offset };
  return {
    accepted: reception.accepted,
    answers: [
      ...(reception.answer.length > 0 ? [{ ending: ".999", content: reception.answer }] : []),
      ...(facts ? [{ ending: ".problem.json", content: Buffer.from(`${JSON.stringify(facts)}\n`) }] : []),
    ],
    answered: () => reception.answered(),
  };
}
