import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { asStackError } from "./disk.js";

const marker = ".complete.json";

/** Size in bytes of every file below a folder, by relative path; links are followed. */
function sizesBelow(folder: string): Record<string, number> {
  const sizes: Record<string, number> = {};
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isDirectory() || entry.name === marker) continue;
    const path = join(entry.parentPath, entry.name);
    sizes[relative(folder, path)] = statSync(path).size;
  }
  return sizes;
}

/** Whether a folder holds all that was put there, each file at its full size. */
export function isComplete(folder: string): boolean {
  try {
    const expected = JSON.parse(readFileSync(join(folder, marker), "utf8")) as Record<string, number>;
    return Object.entries(expected).every(([path, size]) => statSync(join(folder, path)).size === size);
  } catch {
    return false;
  }
}

/**
 * Fills a folder once. The work goes to a folder beside it that gets the final name only when all is there, so a
 * killed download leaves nothing that could be taken for whole; one that lost files later is filled anew.
 * The caller holds a lock on the folder's parent.
 * @returns false when the folder was complete already.
 */
export async function ensureFolder(folder: string, fill: (draft: string) => Promise<void>): Promise<boolean> {
  if (isComplete(folder)) return false;
  const draft = `${folder}.partial`;
  try {
    rmSync(draft, { recursive: true, force: true });
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(draft, { recursive: true });
    await fill(draft);
    writeFileSync(join(draft, marker), JSON.stringify(sizesBelow(draft)));
    renameSync(draft, folder);
  } catch (error) {
    throw asStackError(error, dirname(folder));
  }
  return true;
}

/** Bytes of all files below a folder; 0 when it is absent. */
export function bytesBelow(folder: string): number {
  try {
    return Object.values(sizesBelow(folder)).reduce((sum, size) => sum + size, 0);
  } catch {
    return 0;
  }
}
