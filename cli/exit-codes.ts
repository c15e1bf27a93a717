import { CommanderError, InvalidArgumentError } from "commander";
import { reportError } from "./output.js";

/** What each exit code of a command says; from 64 on as in sysexits.h. `docs/errors.md` has that of each error. */
export const exitCodes: readonly (readonly [code: number, meaning: string])[] = [
  [0, "done"],
  [1, "what was asked about isn't there, or could not be reached or done"],
  [2, "done, but something was refused or differs"],
  [3, "tampered with"],
  [4, "nothing was found, but the notary is behind: of younger records nothing is known"],
  [64, "wrong call: nothing was done"],
  [65, "data that can't be used: a file given, a schema, what is stored"],
  [66, "a file or folder given can't be read"],
  [69, "a service can't be reached, or has not been prepared"],
  [70, "a fault of ours"],
  [73, "what is made can't be written where it was asked to"],
  [74, "the log or what vouches for it is damaged, or a disk is full"],
  [75, "not now: try again"],
  [77, "not allowed"],
  [78, "wrong settings"],
  [141, "whoever read what is printed went away (`| head`)"],
];

/** The table as text for a help page or a document. */
export const exitCodesText = exitCodes.map(([code, meaning]) => `${code} ${meaning}`).join("; ");

/** Says on standard error what went wrong, where the command line itself has not said it; gives the exit code. */
export function exitCodeOf(error: unknown): number {
  // Thrown within an action nobody has said it yet.
  if (error instanceof InvalidArgumentError) process.stderr.write(`error: ${error.message}\n(see --help)\n`);
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 64;
  return reportError(error);
}
