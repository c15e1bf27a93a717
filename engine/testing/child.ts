import { type ChildProcess, fork } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { builtRoot } from "../service/root.js";

/** A built program of this folder in a process of its own, which can be frozen. */
export interface Child<Report> {
  readonly pid: number;
  /** What it sent, in order. */
  readonly reports: readonly Report[];
  /** What it wrote on standard error so far. */
  readonly errors: () => string;
  /** Exit code; null when a signal ended it. */
  readonly ended: Promise<number | null>;
  /** Sends SIGSTOP and waits until nothing of it runs any more. */
  freeze(): Promise<void>;
  thaw(): void;
  signal(name: "SIGTERM" | "SIGKILL"): void;
}

/** State of a process as the system names it, `T` when it is stopped; undefined where there is no such file. */
function stateOf(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.[0];
  } catch {
    return undefined;
  }
}

/**
 * @param program file name without its ending; it gets `task` as its first message.
 * @param environment beside the parent's own.
 */
export function startChild<Task extends object, Report>(
  program: string,
  task: Task,
  environment: Readonly<Record<string, string>> = {},
): Child<Report> {
  const child: ChildProcess = fork(join(builtRoot, "engine/testing", `${program}.js`), {
    execArgv: [],
    env: { ...process.env, ...environment },
    stdio: ["ignore", "ignore", "pipe", "ipc"],
    serialization: "advanced",
  });
  const reports: Report[] = [];
  let errors = "";
  child.on("message", (report) => reports.push(report as Report));
  child.stderr?.on("data", (chunk) => {
    errors += chunk;
  });
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  child.send(task);
  const pid = child.pid as number;
  return {
    pid,
    reports,
    errors: () => errors,
    ended,
    async freeze() {
      process.kill(pid, "SIGSTOP");
      for (const until = Date.now() + 1_000; Date.now() < until; ) {
        const state = stateOf(pid);
        if (state === "T") return;
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
    },
    thaw: () => void process.kill(pid, "SIGCONT"),
    signal: (name) => void child.kill(name),
  };
}
