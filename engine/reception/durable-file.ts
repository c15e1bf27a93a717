import { open, rename } from "node:fs/promises";
import { dirname } from "node:path";

/** Bytes of a file: as a whole, or made anew in pieces for every file that is written. */
export type FileContent = Buffer | (() => AsyncIterable<Buffer> | Iterable<Buffer>);

/**
 * Writes a file so that after a crash it is there as a whole or not at all: temporary file, fsync, rename, fsync of the folder.
 * @param paths where, in this order: one that is there has those before it.
 */
export async function writeDurably(paths: readonly string[], content: FileContent): Promise<void> {
  await Promise.all(paths.map((path) => writeBeside(path, content)));
  for (const path of paths) {
    await rename(besides(path), path);
    const folder = await open(dirname(path), "r");
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  }
}

const besides = (path: string): string => `${path}.tmp`;

async function writeBeside(path: string, content: FileContent): Promise<void> {
  const file = await open(besides(path), "w", 0o600);
  try {
    for await (const bytes of typeof content === "function" ? content() : [content]) await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}
