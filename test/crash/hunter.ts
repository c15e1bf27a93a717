import { setTimeout as pause } from "node:timers/promises";
import type { Random } from "../../demo/random.js";
import type { WatchedProcesses } from "./processes.js";

export interface Prey {
  readonly name: string;
  readonly signal: "SIGKILL" | "SIGTERM";
  /** Units unanswered, entries unpublished, events unapplied: above zero while the process has work in hand. */
  busy(): number | Promise<number>;
}

export interface HuntOptions {
  readonly processes: WatchedProcesses;
  readonly random: Random;
  ready(name: string): Promise<boolean>;
  over(): boolean;
  readonly kills: Kill[];
}

/** One signal given. */
export interface Kill {
  readonly name: string;
  readonly signal: "SIGKILL" | "SIGTERM";
  /** Work was in hand at the moment of it. */
  readonly counted: boolean;
  readonly exitCode: number | null;
}

/** Of a thousand processes that are started again, how many are killed once more before they are ready. */
const killedAtStart = 200;
const longestStart = 1_500;
/** How long a process is left to work before it is struck. */
const longestPeace = 500;
/** How long a process is watched for work, running or held. */
const longestWatch = 1_000;

/**
 * Ends one process after the other, each while it has work in hand, in an order and at moments that the seed decides as
 * far as one can. Prey without work is left for later.
 */
export async function hunt(prey: readonly Prey[], options: HuntOptions): Promise<void> {
  const { processes, random, over, kills } = options;
  const left = [...prey];
  while (left.length > 0) {
    const chosen = random.below(left.length);
    const { name, signal } = left[chosen] as Prey;
    while (!over() && !(await options.ready(name))) await pause(20);
    if (over()) return;
    await pause(random.below(longestPeace));
    if (!(await strike(left[chosen] as Prey, options))) continue;
    left.splice(chosen, 1);
    if (signal === "SIGKILL" && random.chance(killedAtStart)) {
      const pid = processes.pid(name) ?? (await processes.nextStart(name));
      await pause(random.below(longestStart));
      if (processes.pid(name) !== pid) continue;
      const { exitCode } = await processes.end(name, "SIGKILL");
      kills.push({ name, signal, counted: false, exitCode });
    }
  }
}

/** Waits until there is work in hand. */
async function atWork(busy: Prey["busy"]): Promise<boolean> {
  const until = performance.now() + longestWatch;
  while (!((await busy()) > 0)) {
    if (performance.now() > until) return false;
    await pause(5);
  }
  return true;
}

/** @returns false when the process has ended by itself meanwhile, as one does that was told too late that it lost a lane. */
function signalled(pid: number, signal: "SIGSTOP" | "SIGCONT"): boolean {
  try {
    return process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
    throw error;
  }
}

/**
 * Ends a process. One half is seized in the middle of its work, and work that is done by the time of the signal doesn't
 * count; the other half is held wherever it is until work has come in.
 */
async function strike({ name, signal, busy }: Prey, { processes, random, kills }: HuntOptions): Promise<boolean> {
  const seized = random.chance(500) && (await atWork(busy));
  const pid = processes.pid(name);
  if (pid === undefined) return false;
  if (!signalled(pid, "SIGSTOP")) return false;
  const counted = seized ? (await busy()) > 0 : await atWork(busy);
  if (signal === "SIGTERM" || !(seized || counted)) signalled(pid, "SIGCONT");
  if (!seized && !counted) return false;
  // Its supervisor may have ended one that was held for long.
  if (processes.pid(name) !== pid) return false;
  const { exitCode } = await processes.end(name, signal);
  kills.push({ name, signal, counted, exitCode });
  return counted;
}

/** "connector x12: 4 killed, 4 counted, 1 ended by SIGTERM", a line a process. */
export function tally(kills: readonly Kill[]): string {
  const names = [...new Set(kills.map(({ name }) => name))].sort();
  return names
    .map((name) => {
      const own = kills.filter((kill) => kill.name === name);
      const killed = own.filter(({ signal }) => signal === "SIGKILL");
      const counted = killed.filter((kill) => kill.counted).length;
      return `${name}: ${killed.length} killed, ${counted} counted, ${own.length - killed.length} ended in order`;
    })
    .join("\n");
}
