import { statfsSync } from "node:fs";
import { TributaryError } from "../engine/service/errors.js";

const fullPattern = /ENOSPC|EDQUOT|No space left on device|Disk quota exceeded/i;

function diskFull(folder: string, cause?: unknown): TributaryError {
  return new TributaryError("TRIB_STACK_DISK_FULL", `The disk of ${folder} is full.`, {}, { cause });
}

/** Gives an error that comes from a full disk its own code; any other is given back as it is. */
export function asStackError(error: unknown, folder: string): unknown {
  return error instanceof Error && fullPattern.test(error.message) ? diskFull(folder, error) : error;
}

/** Whether an output or log tells of a full disk. */
export function tellsOfFullDisk(text: string): boolean {
  return fullPattern.test(text);
}

/**
 * Refuses work that cannot end well.
 * @param bytes what the work needs on the disk of the folder, which must exist.
 * @throws TRIB_STACK_DISK_FULL when less is free.
 */
export function requireSpace(folder: string, bytes: number): void {
  const { bavail, bsize } = statfsSync(folder);
  if (bavail * bsize < bytes) {
    throw new TributaryError(
      "TRIB_STACK_DISK_FULL",
      `${folder} has ${Math.floor((bavail * bsize) / 1e6)} MB left; ${Math.ceil(bytes / 1e6)} MB are needed.`,
    );
  }
}
