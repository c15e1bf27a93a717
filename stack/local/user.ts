import { chownSync, mkdirSync } from "node:fs";
import { userInfo } from "node:os";
import { TributaryError } from "../../engine/service/errors.js";
import { run, tail } from "../commands.js";

/** How a program is run as a user that Postgres accepts: it refuses to run as root. */
export interface RunAs {
  /** Words before the program's own. */
  readonly prefix: readonly string[];
  /** Gives a file or folder to that user. */
  readonly own: (path: string) => void;
}

/** Users that may stand in for root: a database server's own where there is one, else the one that every system has. */
const standIns = ["postgres", "nobody"] as const;

/**
 * Finds a way to run a program that may not run as root. Root (containers, CI) takes the place of an existing user,
 * for nothing shall be added to the system; where that user cannot reach the program, as below a root's home, the
 * process keeps root's right to pass folders and nothing else.
 * @param program a program to try, called with `--version`.
 * @param folder where the data will be; made if absent.
 * @throws TRIB_STACK_USER_MISSING, TRIB_STACK_PLATFORM_UNSUPPORTED
 */
export async function runAs(program: string, folder: string): Promise<RunAs> {
  mkdirSync(folder, { recursive: true });
  if (process.getuid?.() !== 0) {
    const answer = await run(program, ["--version"]);
    if (answer.exitCode !== 0) throw unsupported(program, answer.output);
    return { prefix: [], own: () => {} };
  }
  const asRoot = await run(program, ["--version"]);
  if (asRoot.exitCode !== 0) throw unsupported(program, asRoot.output);
  const reasons: string[] = [];
  for (const name of standIns) {
    const ids = await idsOf(name);
    if (!ids) continue;
    const plain = ["setpriv", `--reuid=${ids.uid}`, `--regid=${ids.gid}`, "--clear-groups"];
    const passing = [
      ...plain,
      "--inh-caps=+dac_override",
      "--ambient-caps=+dac_override",
      "--securebits=+no_setuid_fixup",
    ];
    for (const prefix of [plain, passing]) {
      const script = 'cd "$1" && "$2" --version';
      const answer = await run(prefix[0]!, [...prefix.slice(1), "/bin/sh", "-c", script, "sh", folder, program]);
      if (answer.exitCode === 0) return { prefix, own: (path) => chownSync(path, ids.uid, ids.gid) };
      reasons.push(`as ${name}: ${tail(answer.output, 1)}`);
    }
  }
  throw new TributaryError(
    "TRIB_STACK_USER_MISSING",
    `User ${userInfo().username} cannot run Postgres (${reasons.join("; ")}).`,
  );
}

function unsupported(program: string, output: string): TributaryError {
  return new TributaryError("TRIB_STACK_PLATFORM_UNSUPPORTED", `${program} does not run here: ${tail(output, 2)}`);
}

async function idsOf(name: string): Promise<{ readonly uid: number; readonly gid: number } | undefined> {
  const [uid, gid] = await Promise.all([run("id", ["-u", name]), run("id", ["-g", name])]);
  if (uid.exitCode !== 0 || gid.exitCode !== 0) return undefined;
  return { uid: Number(uid.output), gid: Number(gid.output) };
}
