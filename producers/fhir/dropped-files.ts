import { pipeline, Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import type { Logger } from "pino";
import { fileSource } from "../../engine/reception/byte-source.js";
import {
  type DropFolder,
  type DroppedFile,
  startDropFolder,
  type TakenFile,
} from "../../engine/reception/dropfolder.js";
import type { Desk } from "./desk.js";
import { linesOutcome, receiveLines } from "./receive-lines.js";

export interface DroppedFilesOptions {
  /** Folder of the partners' folders. */
  readonly inbox: string;
  readonly logger: Logger;
  /** Most bytes of a line. */
  readonly lineLimit: number;
  readonly interval?: number;
  readonly retryAfter?: number;
}

/** Takes bulk files (NDJSON, also gzipped) from the partners' drop folders, each answered by `<name>.outcome.json`. */
export function startDroppedFiles(desk: Desk, options: DroppedFilesOptions): Promise<DropFolder> {
  return startDropFolder({
    ...options,
    partners: desk.profiles.keys(),
    answers: [".outcome.json"],
    take: (file) => take(file, desk, options.lineLimit),
  });
}

async function take({ path, size, partner, name }: DroppedFile, desk: Desk, lineLimit: number): Promise<TakenFile> {
  const sent = fileSource(path, size).chunks();
  const chunks = /\.gz(\.\d+)?$/i.test(name) ? unzipped(sent) : sent;
  const reception = await receiveLines(chunks, partner, desk, lineLimit);
  const content = Buffer.from(`${JSON.stringify(linesOutcome(reception))}\n`);
  return { accepted: reception.rejected === 0, answers: [{ ending: ".outcome.json", content }] };
}

function unzipped(sent: AsyncIterable<Buffer> | Iterable<Buffer>): AsyncIterable<Buffer> {
  return pipeline(Readable.from(sent), createGunzip(), () => {}) as AsyncIterable<Buffer>;
}
