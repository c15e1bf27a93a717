// Compiles every TypeScript file of the checkout to dist/, file by file, in under a second.
// Types are checked by `npm test`; this step only removes them, so that Node runs plain JavaScript.
import { existsSync, mkdirSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const outdir = join(root, "dist");
const stamp = join(outdir, ".built");
const rooms = ["engine", "producers", "consumers", "projections", "schemas", "cli", "stack", "demo", "bench", "test"];

function* typescriptFiles(folder) {
  if (!existsSync(folder)) return;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory() && entry.name !== "node_modules") yield* typescriptFiles(path);
    else if (entry.name.endsWith(".ts") && !entry.name.endsWith(".d.ts")) yield path;
  }
}

/** Brings dist/ up to date with the sources; does nothing when no source is newer. */
export async function build() {
  const sources = rooms.flatMap((room) => [...typescriptFiles(join(root, room))]);
  const builtAt = existsSync(stamp) ? statSync(stamp).mtimeMs : 0;
  const output = (source) => join(outdir, relative(root, source).replace(/\.ts$/, ".js"));
  const stale = sources.filter((source) => statSync(source).mtimeMs >= builtAt || !existsSync(output(source)));
  for (const room of rooms) removeOrphans(join(outdir, room), room);
  if (stale.length === 0) return;
  const startedAt = new Date();
  const { build: bundle } = await import("esbuild");
  await bundle({
    entryPoints: stale,
    outdir,
    outbase: root,
    format: "esm",
    platform: "node",
    target: "node20.19",
    sourcemap: "inline",
    logLevel: "error",
  });
  mkdirSync(outdir, { recursive: true });
  writeFileSync(stamp, "");
  utimesSync(stamp, startedAt, startedAt);
}

/** A folder that was deleted from the sources must not be discovered in dist/. */
function removeOrphans(built, room) {
  if (!existsSync(built)) return;
  for (const entry of readdirSync(built, { withFileTypes: true })) {
    const path = join(built, entry.name);
    const source = join(root, room, entry.name);
    if (entry.isDirectory()) {
      if (existsSync(source)) removeOrphans(path, join(room, entry.name));
      else rmSync(path, { recursive: true, force: true });
    } else if (!existsSync(source.replace(/\.js$/, ".ts"))) rmSync(path, { force: true });
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) await build();
