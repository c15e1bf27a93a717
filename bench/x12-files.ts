import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { readdir, rename, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { startInstallation } from "../test/installation.js";
import { dropFolder, writeX12File } from "./x12-file.js";

export interface X12Speed {
  readonly claims: number;
  readonly megabytes: number;
  /** From the file's name in the drop folder to its answer. */
  readonly seconds: number;
  readonly claimsPerSecond: number;
  /** Most resident memory of the connector, MB. */
  readonly peakMegabytes: number;
  /** CPU seconds of the connector per million claims. */
  readonly cpuSecondsPerMillion: number;
}

const status = (pid: number) => readFileSync(`/proc/${pid}/status`, "utf8");
const peakOf = (pid: number): number => Math.round(Number(/VmHWM:\s+(\d+)/.exec(status(pid))?.[1]) / 1024);

/** User and system seconds of a process. */
function cpuOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/**
 * Drops files of claims into the connector's folder and waits for their answers. Real parts: Kafka, registry, Postgres,
 * the connector's own process; nothing else runs.
 * @param profiles folder for a CPU profile of the connector, when wanted.
 */
export async function measureX12Files(claims: number, runs: number, profiles?: string): Promise<X12Speed[]> {
  if (profiles) mkdirSync(profiles, { recursive: true });
  const installation = await startInstallation({
    names: ["x12"],
    ...(profiles ? { settings: { NODE_OPTIONS: `--cpu-prof --cpu-prof-dir=${profiles}` } } : {}),
  });
  try {
    await installation.untilReady();
    const { pid } = installation.process("x12")!;
    const folder = dropFolder(installation.home, "generic");
    const results: X12Speed[] = [];
    for (let run = 1; run <= runs; run += 1) {
      const name = `run-${run}.837`;
      const made = join(installation.home, name);
      const bytes = await writeX12File(made, { claims, control: run });
      const cpu = cpuOf(pid);
      await rename(made, join(folder, name));
      const began = performance.now();
      await answered(dirname(folder), name);
      const seconds = (performance.now() - began) / 1000;
      results.push({
        claims,
        megabytes: Math.round(bytes / 1e5) / 10,
        seconds: Math.round(seconds * 100) / 100,
        claimsPerSecond: Math.round(claims / seconds),
        peakMegabytes: peakOf(pid),
        cpuSecondsPerMillion: Math.round(((cpuOf(pid) - cpu) / claims) * 1e6),
      });
    }
    return results;
  } finally {
    await installation.stop();
  }
}

async function answered(folder: string, name: string): Promise<void> {
  const answer = join(folder, "out", `${name}.999`);
  while (!existsSync(answer)) {
    const [refused] = (await readdir(join(folder, "failed"))).filter((one) => one.startsWith(name));
    if (refused) throw new Error(`the file was refused: ${refused}`);
    await wait(20);
  }
  if ((await stat(answer)).size === 0) throw new Error("an empty answer");
  while (!existsSync(join(folder, "done", name))) {
    if (existsSync(join(folder, "failed", name))) throw new Error("the file was refused");
    await wait(20);
  }
}

/** `node dist/bench/x12-files.js --claims N --runs N [--profile FOLDER]` */
async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { claims: { type: "string" }, runs: { type: "string" }, profile: { type: "string" } },
  });
  const results = await measureX12Files(Number(values.claims ?? 150_000), Number(values.runs ?? 2), values.profile);
  for (const result of results) process.stdout.write(`${JSON.stringify(result)}\n`);
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) await main();
