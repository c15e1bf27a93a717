import { createReadStream } from "node:fs";
import { mkdtemp, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ErrorCode, TributaryError } from "../service/errors.js";

/** Bytes that can be read more than once: checked in a first pass, journalled in a second. */
export interface ByteSource {
  readonly size: number;
  chunks(): AsyncIterable<Buffer> | Iterable<Buffer>;
}

/** What is made of a piece lives until all of it is journalled, so pieces are small. */
const CHUNK = 65_536;
/** Bodies up to this size stay in memory. */
const IN_MEMORY = 1_048_576;

export function bufferSource(bytes: Buffer): ByteSource {
  return {
    size: bytes.length,
    *chunks() {
      for (let at = 0; at < bytes.length; at += CHUNK) yield bytes.subarray(at, at + CHUNK);
    },
  };
}

/** A file, read anew in each pass. @param size bytes at the time it was claimed. */
export function fileSource(path: string, size: number): ByteSource {
  return { size, chunks: () => createReadStream(path, { highWaterMark: CHUNK }) as AsyncIterable<Buffer> };
}

/** A body that was taken in; `release` removes its temporary file. */
export interface SpooledSource extends ByteSource {
  release(): Promise<void>;
}

export interface SpoolOptions {
  /** Most bytes. */
  readonly limit: number;
  /** The error of a stream that is larger. */
  readonly tooLarge: ErrorCode;
}

/**
 * Takes a stream in: in memory up to 1 MiB, else in a temporary file that only this user can read.
 * @throws `tooLarge` when it is larger than the limit.
 */
export async function spool(stream: AsyncIterable<Buffer>, { limit, tooLarge }: SpoolOptions): Promise<SpooledSource> {
  const held: Buffer[] = [];
  let size = 0;
  let file: {
    readonly path: string;
    readonly folder: string;
    readonly handle: Awaited<ReturnType<typeof open>>;
  } | null = null;
  const release = async (): Promise<void> => {
    if (file) await rm(file.folder, { recursive: true, force: true });
  };
  try {
    for await (const chunk of stream) {
      size += chunk.length;
      if (size > limit) {
        throw new TributaryError(tooLarge, undefined, { limit });
      }
      if (!file && size > IN_MEMORY) {
        const folder = await mkdtemp(join(tmpdir(), "tributary-body-"));
        const path = join(folder, "body");
        file = { path, folder, handle: await open(path, "wx", 0o600) };
        for (const one of held.splice(0)) await file.handle.appendFile(one);
      }
      if (file) await file.handle.appendFile(chunk);
      else held.push(chunk);
    }
  } catch (error) {
    await file?.handle.close();
    await release();
    throw error;
  }
  await file?.handle.close();
  const source = file ? fileSource(file.path, size) : bufferSource(Buffer.concat(held, size));
  return { size: source.size, chunks: () => source.chunks(), release };
}
