import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const ending = ".start";
const folderOf = (home: string) => join(home, "run");

/** Asks whoever keeps a process alive to start it as soon as it is not there, however long it was to wait. */
export function askToStart(home: string, name: string): void {
  mkdirSync(folderOf(home), { recursive: true });
  writeFileSync(join(folderOf(home), `${name}${ending}`), "");
}

/** Names of the processes that were asked for. */
export function startRequests(home: string): readonly string[] {
  try {
    return readdirSync(folderOf(home)).flatMap((file) =>
      file.endsWith(ending) ? [file.slice(0, -ending.length)] : [],
    );
  } catch {
    return [];
  }
}

/** It has been started. */
export const forgetStartRequest = (home: string, name: string): void =>
  rmSync(join(folderOf(home), `${name}${ending}`), { force: true });
