import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync } from "node:fs";
import { join } from "node:path";
import { rebuildFlags } from "../engine/service/node-flags.js";
import { builtRoot } from "../engine/service/root.js";
import type { Installation } from "./installation.js";

/** Milliseconds in which a fill that is told to end has to. */
const killAfter = 10_000;

/**
 * Fills the build of a projection's new version by `tributary projections rebuild`, as the owner of the database and in a
 * process of its own: nothing else waits for it, and it may be killed at any time. It writes to TRIBUTARY_HOME/logs.
 * @returns its exit code, null where it was killed.
 */
export const fillInProcess =
  ({ settings: { TRIBUTARY_HOME: home }, environment }: Pick<Installation, "settings" | "environment">) =>
  (projection: string, signal: AbortSignal): Promise<number | null> =>
    new Promise((resolve, reject) => {
      mkdirSync(join(home, "logs"), { recursive: true });
      const log = openSync(join(home, "logs", `rebuild-${projection}.log`), "a");
      const command = [
        "projections",
        "rebuild",
        projection,
        "--no-swap",
        "--reason",
        "a new version of its definition",
      ];
      const parameters = [...rebuildFlags, "--enable-source-maps", join(builtRoot, "cli/main.js"), ...command];
      const child = spawn(process.execPath, parameters, { env: { ...environment }, stdio: ["ignore", log, log] });
      closeSync(log);
      let force: NodeJS.Timeout | undefined;
      const end = () => {
        child.kill("SIGTERM");
        force = setTimeout(() => child.kill("SIGKILL"), killAfter);
      };
      signal.addEventListener("abort", end, { once: true });
      child.once("error", reject);
      child.once("close", (exitCode) => {
        clearTimeout(force);
        signal.removeEventListener("abort", end);
        resolve(exitCode);
      });
    });
