import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { repositoryRoot } from "../../engine/service/root.js";

/** A figure over the runs of a contender. */
interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

interface Contender {
  readonly catchUp?: Readonly<Record<string, Spread>>;
  readonly live?: { readonly ok: boolean; readonly commitMs?: { readonly p50: number; readonly p99: number } };
  readonly kill?: {
    readonly ok: boolean;
    readonly secondsToFirstProgress?: number;
    readonly secondsToDone?: number;
  };
}

/** What the side-by-side benchmark wrote, by contender. */
export type SideBySide = Readonly<Record<string, Contender>>;

/** What the pieces do alone on the same topic, by what is measured. */
export type Ceilings = Readonly<
  Record<string, { readonly eventsPerSecond?: Spread; readonly postgresCpuPerMillion?: Spread }>
>;

export interface Compared {
  readonly interleaved: SideBySide;
  readonly skewed: SideBySide;
  readonly live: SideBySide;
  readonly killed: SideBySide;
  readonly ceilings: Ceilings;
}

/** Peers measured beside us, by their names there: the fastest, and the one most in use. */
const peers = ["benthos", "debezium-jdbc"];
/** How the benchmark calls us: by the folder's name. */
export const ourName = "contender";

/**
 * Runs the side-by-side benchmark of a folder: peers and the product's projector take turns on the same topic, schema,
 * server and rows, each table checked there; then the pieces alone.
 * @throws when a run of it fails, with the end of what it said.
 */
export async function sideBySide(folder: string, events: number): Promise<Compared> {
  const program = resolve(folder, "bench");
  if (!existsSync(program)) throw new Error(`There is no side-by-side benchmark in ${folder}: it has no file bench.`);
  const results = mkdtempSync(join(tmpdir(), "tributary-peers-"));
  const measure = async (
    name: string,
    what: readonly string[],
  ): Promise<{ contenders: SideBySide; ceilings: Ceilings }> => {
    const out = join(results, `${name}.json`);
    const common = ["--events", String(events), "--retries", "0", "--patience", "5", "--keep"];
    await finished(program, folder, [...what, ...common, "--out", out]);
    return JSON.parse(readFileSync(out, "utf8"));
  };
  const run = async (name: string, more: readonly string[]): Promise<SideBySide> => {
    const contenders = [...peers, join(repositoryRoot, "bench/contender")];
    return (await measure(name, [...contenders, "--runs", "3", ...more])).contenders;
  };
  try {
    const skewed = await run("skewed", ["--skew", "--only", "catchup"]);
    const interleaved = await run("interleaved", ["--only", "catchup"]);
    const live = await run("live", ["--only", "live"]);
    const killed = await run("killed", ["--only", "kill"]);
    const { ceilings } = await measure("ceilings", ["ceilings", "--runs", "1"]);
    return { skewed, interleaved, live, killed, ceilings };
  } finally {
    rmSync(results, { recursive: true, force: true });
  }
}

function finished(program: string, folder: string, parameters: readonly string[]): Promise<void> {
  return new Promise((done, failed) => {
    let said = "";
    // What the benchmark says of its progress is not part of our answer.
    const child = spawn(program, parameters, { cwd: folder, env: process.env, stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (bytes: Buffer) => {
        said = (said + bytes.toString()).slice(-4_000);
        process.stderr.write(bytes);
      });
    }
    child.once("error", failed);
    child.once("exit", (code) =>
      code === 0 ? done() : failed(new Error(`The side-by-side benchmark ended with ${code}:\n${said}`)),
    );
  });
}
