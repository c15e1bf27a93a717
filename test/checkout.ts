import { execFileSync, spawn } from "node:child_process";
import { appendFileSync, cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { repositoryRoot } from "../engine/service/root.js";

/** A copy of the checkout, for commands that write into it. */
export interface Checkout {
  readonly folder: string;
  /** What `git status --porcelain` says. */
  status(): string[];
  /** Paths that differ from what was copied, new folders with their files. */
  changed(): string[];
  /** Runs a tool of `node_modules/.bin`. @returns its exit code and what it printed. */
  run(
    tool: string,
    parameters: readonly string[],
  ): Promise<{ readonly exitCode: number | null; readonly output: string }>;
  remove(): void;
}

const git = (folder: string, ...parameters: string[]) =>
  execFileSync("git", ["-c", "user.name=spec", "-c", "user.email=spec@example.org", ...parameters], {
    cwd: folder,
    encoding: "utf8",
  });

/** Copies what git knows or would take, uncommitted changes included; `node_modules` is shared. */
export function copyCheckout(): Checkout {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "tributary-checkout-")));
  const files = git(repositoryRoot, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate");
  for (const path of files.split("\0").filter(Boolean)) {
    mkdirSync(join(folder, dirname(path)), { recursive: true });
    cpSync(join(repositoryRoot, path), join(folder, path), { force: true });
  }
  symlinkSync(join(repositoryRoot, "node_modules"), join(folder, "node_modules"));
  git(folder, "init", "--quiet");
  appendFileSync(join(folder, ".git", "info", "exclude"), "node_modules\n");
  git(folder, "add", "--all");
  git(folder, "commit", "--quiet", "--message", "as it was");
  const status = () => git(folder, "status", "--porcelain", "--untracked-files=all").split("\n").filter(Boolean);
  return {
    folder,
    status,
    changed: () => status().map((line) => line.slice(3)),
    run: (tool, parameters) =>
      new Promise((resolve, reject) => {
        const child = spawn(join(folder, "node_modules", ".bin", tool), parameters, { cwd: folder });
        let output = "";
        for (const stream of [child.stdout, child.stderr]) {
          stream.setEncoding("utf8").on("data", (text: string) => {
            output += text;
          });
        }
        child.once("error", reject);
        child.once("close", (exitCode) => resolve({ exitCode, output }));
      }),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
