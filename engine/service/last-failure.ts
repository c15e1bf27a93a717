import { closeSync, fstatSync, openSync, readSync } from "node:fs";

/** What a process last said of why it ended, as an error tells it. */
export interface Failure {
  /** Code of the error; its type where it has none. */
  readonly code: string;
  /** Names places and limits, never a partner's value; empty where the error is none of ours. */
  readonly message: string;
}

/** A start that fails says so in its last lines. */
const mostBytes = 65_536;

interface LogLine {
  readonly level?: unknown;
  readonly err?: { readonly code?: unknown; readonly type?: unknown; readonly message?: unknown };
}

const textOf = (value: unknown): string => (typeof value === "string" ? value : "");

function failureIn(line: string): Failure | undefined {
  try {
    const { level, err } = JSON.parse(line) as LogLine;
    if (level !== "fatal" || !err) return undefined;
    return { code: textOf(err.code) || textOf(err.type) || "Error", message: textOf(err.message) };
  } catch {
    return undefined;
  }
}

/** Size of a log in bytes; 0 when there is none. */
export function sizeOf(file: string): number {
  try {
    const log = openSync(file, "r");
    try {
      return fstatSync(log).size;
    } finally {
      closeSync(log);
    }
  } catch {
    return 0;
  }
}

/**
 * Why a process ended by a failure, from its log.
 * @param from place in the log, in bytes, before which it had not begun.
 * @returns undefined when it does not say.
 */
export function lastFailure(file: string, from: number): Failure | undefined {
  const start = Math.max(from, sizeOf(file) - mostBytes);
  let text = "";
  try {
    const log = openSync(file, "r");
    try {
      const bytes = Buffer.alloc(mostBytes);
      text = bytes.toString("utf8", 0, readSync(log, bytes, 0, mostBytes, start));
    } finally {
      closeSync(log);
    }
  } catch {
    return undefined;
  }
  const failures = text.split("\n").map(failureIn);
  return failures.findLast((failure) => failure !== undefined);
}

/** A failure in one line. */
export const failureText = ({ code, message }: Failure): string => (message ? `${code}: ${message}` : code);
