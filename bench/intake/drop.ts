import { once } from "node:events";
import { createWriteStream, existsSync } from "node:fs";
import { mkdtemp, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";

/**
 * Drops a file as a partner should, made beside the folder and moved in whole, and waits for its answer.
 * @param write makes the file at a path and says its bytes.
 * @param ending of the answer's name.
 * @throws Error when it was refused, or its answer is empty.
 */
export async function dropFile(
  folder: string,
  name: string,
  ending: string,
  write: (path: string) => Promise<number>,
): Promise<{ readonly seconds: number; readonly bytes: number }> {
  const made = await mkdtemp(join(dirname(folder), "made-"));
  const bytes = await write(join(made, name));
  const began = performance.now();
  await rename(join(made, name), join(folder, name));
  await rm(made, { recursive: true });
  while (!existsSync(join(dirname(folder), "done", name))) {
    if (existsSync(join(dirname(folder), "failed", name))) throw new Error(`${name} was refused`);
    await wait(20);
  }
  const seconds = (performance.now() - began) / 1000;
  if ((await stat(join(dirname(folder), "out", `${name}${ending}`))).size === 0)
    throw new Error(`${name} has an empty answer`);
  return { seconds, bytes };
}

/** Writes a file in pieces. @returns its bytes. */
export async function writePieces(path: string, pieces: Iterable<string>): Promise<number> {
  const file = createWriteStream(path);
  let bytes = 0;
  for (const piece of pieces) {
    bytes += Buffer.byteLength(piece);
    if (!file.write(piece)) await once(file, "drain");
  }
  file.end();
  await once(file, "finish");
  return bytes;
}
