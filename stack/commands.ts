import { spawn } from "node:child_process";

export interface CommandResult {
  /** Null when a signal or the time limit ended the command. */
  readonly exitCode: number | null;
  /** Standard output and standard error, as they came. */
  readonly output: string;
  /** True when there is no such program. */
  readonly missing: boolean;
}

export interface CommandOptions {
  readonly environment?: NodeJS.ProcessEnv;
  readonly folder?: string;
  readonly input?: string;
  readonly uid?: number;
  readonly gid?: number;
  /** Milliseconds after which the command is ended; default none. */
  readonly limit?: number;
  /** Called with each whole line of output. */
  readonly onLine?: (line: string) => void;
}

/** Runs a command to its end. Never throws for a command that fails: the caller knows what a failure means. */
export function run(
  command: string,
  parameters: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  return new Promise((resolve) => {
    const child = spawn(command, [...parameters], {
      stdio: [options.input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
      ...(options.environment ? { env: options.environment } : {}),
      ...(options.folder ? { cwd: options.folder } : {}),
      ...(options.uid === undefined ? {} : { uid: options.uid }),
      ...(options.gid === undefined ? {} : { gid: options.gid }),
      ...(options.limit === undefined ? {} : { timeout: options.limit, killSignal: "SIGKILL" as const }),
    });
    let output = "";
    let line = "";
    const take = (chunk: Buffer) => {
      const text = chunk.toString("utf8");
      output += text;
      if (!options.onLine) return;
      const lines = (line + text).split("\n");
      line = lines.pop() ?? "";
      for (const whole of lines) options.onLine(whole);
    };
    child.stdout?.on("data", take);
    child.stderr?.on("data", take);
    child.on("error", (error: NodeJS.ErrnoException) => {
      resolve({ exitCode: null, output: `${output}${error.message}\n`, missing: error.code === "ENOENT" });
    });
    child.on("close", (exitCode) => resolve({ exitCode, output, missing: false }));
    // A command that ends before it has read its input is judged by its exit code.
    child.stdin?.on("error", () => {});
    child.stdin?.end(options.input);
  });
}

/** Runs a short look-up command with some variables changed. */
export function runQuietly(
  command: string,
  parameters: readonly string[],
  changed: NodeJS.ProcessEnv = {},
): Promise<CommandResult> {
  return run(command, parameters, { environment: { ...process.env, ...changed }, limit: 10_000 });
}

/** The last lines of an output or log, for an error. */
export function tail(text: string, lines = 12): string {
  return text.trimEnd().split("\n").slice(-lines).join("\n");
}
