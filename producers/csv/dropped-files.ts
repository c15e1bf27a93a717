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

/** Takes files from the partners' drop folders: answered by `<name>.verdicts.ndjson`, and `<name>.rejected.csv` where rows are rejected. */
export function startDroppedFiles(desk: Desk, options: DroppedFilesOptions): Promise<DropFolder> {
  return startDropFolder({
    ...options,
    partners: desk.profiles.keys(),
    answers: [".verdicts.ndjson"],
    besides: [".rejected.csv"],
    take: (file) => take(file, desk),
  });
}

async function take({ path, size, partner }: DroppedFile, desk: Desk): Promise<TakenFile> {
  const { accepted, answer } = await receive(fileSource(path, size), partner, desk);
  const rejected = { ending: ".rejected.csv", content: () => answer.rejected.content() };
  return {
    accepted,
    answers: [
      ...(answer.rejected.size > 0 ? [rejected] : []),
      { ending: ".verdicts.ndjson", content: () => answer.verdicts.content() },
    ],
    release: () => answer.release(),
  };
}
