import { createInterface } from "node:readline/promises";
import { TributaryError } from "../engine/service/errors.js";

/**
 * Asks before something that can't be undone, unless `--yes` was given.
 * @throws TRIB_CLI_UNCONFIRMED when the answer is not `yes`, or nobody is there to ask.
 */
export async function confirm(what: string, yes: boolean | undefined): Promise<void> {
  if (yes) return;
  if (process.stdin.isTTY) {
    const terminal = createInterface({ input: process.stdin, output: process.stderr });
    try {
      if ((await terminal.question(`${what} Type yes: `)).trim() === "yes") return;
    } finally {
      terminal.close();
    }
  }
  throw new TributaryError("TRIB_CLI_UNCONFIRMED", what);
}
