import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { TributaryError } from "../engine/service/errors.js";
import { processIdentity } from "../engine/service/identity.js";

export interface LockOptions {
  /** Milliseconds to wait for a live holder; default ten minutes, as long as a slow download may take. */
  readonly patience?: number;
  /** Called once, when a live process holds the lock. */
  readonly onWait?: (holderPid: number) => void;
}

let attempts = 0;

/**
 * Does something while no other process of this machine does it under the same lock file. The file names its holder
 * by its identity, so the lock of a killed process is taken over, and a recycled process id does not keep it.
 * @throws TRIB_STACK_LOCKED when a live process keeps the lock for longer than `patience`.
 */
export async function withLock<Result>(
  path: string,
  work: () => Promise<Result>,
  options: LockOptions = {},
): Promise<Result> {
  mkdirSync(dirname(path), { recursive: true });
  attempts += 1;
  const mine = `${process.pid} ${attempts} ${processIdentity()}\n`;
  await acquire(path, mine, options);
  try {
    return await work();
  } finally {
    if (readOrNothing(path) === mine) rmSync(path, { force: true });
  }
}

async function acquire(path: string, mine: string, options: LockOptions): Promise<void> {
  const deadline = Date.now() + (options.patience ?? 600_000);
  let told = false;
  while (!create(path, mine)) {
    const holder = readOrNothing(path);
    if (holder === undefined) continue;
    const [, pid, identity] = /^(\d+) \d+ (.*)\n$/.exec(holder) ?? [];
    if (pid === undefined || processIdentity(Number(pid)) !== identity) {
      takeOver(path, holder, mine);
      continue;
    }
    if (!told) options.onWait?.(Number(pid));
    told = true;
    if (Date.now() > deadline) {
      throw new TributaryError("TRIB_STACK_LOCKED", `Process ${pid} has held the lock ${path} for too long.`, {
        pid: Number(pid),
      });
    }
    await pause(100);
  }
}

/** Makes the lock with its content in one step: a link either appears whole or fails. */
function create(path: string, content: string): boolean {
  const draft = `${path}.${content.split(" ", 2).join("-")}`;
  writeFileSync(draft, content, { mode: 0o600 });
  try {
    linkSync(draft, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  } finally {
    rmSync(draft, { force: true });
  }
}

/** Removes a dead holder's lock; when another process was faster and it is its lock that was moved, puts it back. */
function takeOver(path: string, dead: string, mine: string): void {
  const aside = `${path}.${mine.split(" ", 2).join("-")}.dead`;
  try {
    renameSync(path, aside);
  } catch {
    return;
  }
  try {
    if (readOrNothing(aside) !== dead) linkSync(aside, path);
  } finally {
    rmSync(aside, { force: true });
  }
}

function readOrNothing(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
