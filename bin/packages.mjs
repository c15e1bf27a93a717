// Installs the packages of the lock file where they are missing. Depends on nothing but Node.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Oldest Node that is supported. */
export const oldestNode = [20, 19];

/** Whether a version like `20.19.4` is at least the oldest that is supported. */
export function isNewEnough(version) {
  const [major, minor] = oldestNode;
  const [ownMajor, ownMinor] = version.split(".").map(Number);
  return ownMajor > major || (ownMajor === major && ownMinor >= minor);
}

/**
 * The packages of a lock file that `node_modules` lacks or has in another version, by path. What npm installed is
 * told by its own hidden lock file, written when an installation is whole. Times of files say nothing: git sets them.
 * @param lock content of `package-lock.json`.
 * @param installed content of `node_modules/.package-lock.json`; undefined when there is none.
 */
export function missingPackages(lock, installed) {
  const present = installed?.packages ?? {};
  return Object.entries(lock.packages)
    .filter(([path]) => path !== "")
    .filter(([path, wanted]) => {
      const found = present[path];
      // Binaries of other platforms are optional and are never installed.
      if (!found) return wanted.optional !== true || installed === undefined;
      return found.version !== wanted.version || found.integrity !== wanted.integrity;
    })
    .map(([path]) => path);
}

function readJson(path) {
  try {
    return JSON.parse(readFileSync(join(root, path), "utf8"));
  } catch {
    return undefined;
  }
}

/** Ends the process with a reason that the reader can act on. */
export function fail(message) {
  console.error(message);
  process.exit(69);
}

/** Installs with `npm ci` what is missing; ends the process with a reason when that fails. */
export function install() {
  const lock = readJson("package-lock.json");
  if (!lock) fail("package-lock.json cannot be read: this is no complete clone of the repository.");
  const missing = missingPackages(lock, readJson("node_modules/.package-lock.json"));
  if (missing.length === 0) return;
  console.log(`Installing ${missing.length} npm packages (once) ...`);
  const startedAt = performance.now();
  // The npm that runs this script, else the first on the path. No package's install script is needed.
  const npm = process.env.npm_execpath;
  const parameters = ["ci", "--ignore-scripts", "--include=dev", "--include=optional", "--no-audit", "--no-fund"];
  const [command, words] = npm?.endsWith(".js") ? [process.execPath, [npm, ...parameters]] : ["npm", parameters];
  const result = spawnSync(command, words, { cwd: root, stdio: ["ignore", "ignore", "inherit"] });
  if (result.error) fail(`npm cannot be run (${result.error.code}). It comes with Node: https://nodejs.org`);
  if (result.status !== 0) {
    fail(
      "npm could not install the packages; its reason is above. The first run needs a way to an npm registry: check the\n" +
        "network, and `npm config get registry` and `proxy`; then run the command again. What was downloaded is kept.",
    );
  }
  console.log(`Installed in ${((performance.now() - startedAt) / 1000).toFixed(1)} s.`);
}
