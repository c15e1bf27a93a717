import { closeSync, existsSync, openSync, readFileSync, rmSync, statSync } from "node:fs";
import { TributaryError } from "../engine/service/errors.js";

/** A call with what isn't there, or does not go together: to be found before anything is connected to. */
export const misuse = (message: string) => new TributaryError("TRIB_CLI_MISUSED", message);

/** @throws TRIB_CLI_MISUSED when more than one of what excludes each other is given. */
export function assertAlone(given: Readonly<Record<string, unknown>>): void {
  const names = Object.entries(given).flatMap(([name, value]) =>
    value === undefined || value === false ? [] : [name],
  );
  if (names.length > 1) throw misuse(`${names.join(" and ")} do not go together.`);
}

/** @throws TRIB_CLI_FILE_UNREADABLE when a folder that is to be read isn't there. */
export function assertFolder(path: string | undefined): void {
  if (path === undefined) return;
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) return;
  throw new TributaryError("TRIB_CLI_FILE_UNREADABLE", `There is no folder ${path}.`);
}

/**
 * Before hours of work whose result has no place. Leaves what is there as it is.
 * @throws TRIB_CLI_FILE_UNWRITABLE
 */
export function assertWritable(file: string | undefined): void {
  if (file === undefined) return;
  const isThere = existsSync(file);
  writing(file, () => closeSync(openSync(file, "a", 0o600)));
  if (!isThere) rmSync(file);
}

/**
 * Before hours of work that would replace what somebody keeps.
 * @param force whether the caller said that it may be.
 * @throws TRIB_CLI_FILE_THERE; TRIB_CLI_FILE_UNWRITABLE
 */
export function assertFree(file: string | undefined, force: boolean | undefined): void {
  if (file !== undefined && !force && existsSync(file)) {
    const what = `${file} is there already, and stays as it is. Give --out another name, or --force to replace it.`;
    throw new TributaryError("TRIB_CLI_FILE_THERE", what);
  }
  assertWritable(file);
}

/** @throws TRIB_CLI_FILE_UNWRITABLE naming the file or folder when the work on it fails. */
export function writing<Written>(path: string, work: () => Written): Written {
  try {
    return work();
  } catch (error) {
    throw new TributaryError("TRIB_CLI_FILE_UNWRITABLE", `${path} can't be written.`, {}, { cause: error });
  }
}

/** @throws TRIB_CLI_FILE_UNREADABLE */
export function readGiven(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new TributaryError("TRIB_CLI_FILE_UNREADABLE", `The file ${file} can't be read.`, {}, { cause: error });
  }
}
