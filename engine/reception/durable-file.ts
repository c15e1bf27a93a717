import { open, rename } from "node:fs/promises";
import { dirname } from "node:path";

/** Bytes of a file: as a whole, or made anew in pieces for every file that is written. */
export type FileContent = Buffer | (() => AsyncIterable<Buffer> | Iterable<Buffer>);

/** Writes a file so that after a crash it is there as a whole or not at all: temporary file, fsync, rename, fsync of the folder. */
export async function writeDurably(path: string, content: FileContent): Promise<void> {
  const temporary = `${path}.tmp`;
  const file = await open(temporary, "w", 0o600);
  try {
    for await (const bytes of typeof content === "function" ? content() : [content]) await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
  const folder = await open(dirname(path), "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
