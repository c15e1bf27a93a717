import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";
import { codecOfOthers } from "../engine/log/codec-of-others.js";
import { connectLog } from "../engine/log/kafka.js";
import type { Log } from "../engine/log/log.js";
import { createBuild, ensureBuild, listBuilds } from "../engine/projector/build.js";
import type { Decoder } from "../engine/projector/ports.js";
import { runConsumer } from "../engine/projector/runner.js";
import { fillBuild } from "../engine/replay/fill.js";
import { fillThread } from "../engine/replay/fill-thread.js";
import { follow } from "../engine/replay/follow.js";
import { createLogger } from "../engine/service/logger.js";
import { nodeFlags, rebuildFlags } from "../engine/service/node-flags.js";
import { closedOpener } from "../engine/service/sealed-opener.js";
import { readSettings } from "../engine/service/settings.js";
import { openPool, type Pool } from "../engine/store/pool.js";
import { freshDatabase } from "../engine/testing/database.js";
import { contender } from "./contender/visits.js";

/**
 * `node dist/bench/rebuild.js [--topic bench.visit.events] [--runs 3] [--memory MB]`: how fast lanes catch up with a topic and
 * how fast a rebuild fills a build with it, each in a process of its own, in turn; then both builds' tables are compared.
 * Settings as for any process; the server's other databases are left alone.
 */
const { values } = parseArgs({
  options: {
    topic: { type: "string", default: "bench.visit.events" },
    runs: { type: "string", default: "3" },
    memory: { type: "string", default: "400" },
    flags: { type: "string", default: "" },
    threads: { type: "string", default: "1" },
    child: { type: "string" },
  },
});

interface Measured {
  readonly events: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly residentMegabytes: number;
}

const consumer = contender(values.topic);
const [visits] = consumer.project;
if (!visits) throw new Error("the contender has no projection");
const settings = readSettings();
const logger = createLogger("bench", "warn");

const eventsIn = async (log: Log) => (await log.watermarks(values.topic)).reduce((sum, { high }) => sum + high, 0);

/** From the first row on, as a group takes a while to come together. */
async function catchUp(log: Log, pool: Pool, decoder: Decoder): Promise<number> {
  const total = await eventsIn(log);
  const build = await ensureBuild(pool, visits as never, consumer.name);
  const running = await runConsumer({
    definition: consumer,
    log,
    pool,
    decoder,
    decoderOfOthers: decoder,
    opener: closedOpener,
    logger,
    onFailure: (error) => {
      throw error;
    },
  });
  let began = 0;
  for (;;) {
    const { rows } = await pool.query<{ at: number }>(
      "SELECT coalesce(sum(next_offset), 0)::bigint AS at FROM engine.checkpoints WHERE build = $1",
      [build.build],
    );
    const at = Number(rows[0]?.at);
    if (at > 0 && began === 0) began = performance.now();
    if (at >= total) break;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const seconds = (performance.now() - began) / 1000;
  await running.close();
  return seconds;
}

async function fill(log: Log, pool: Pool, decoder: Decoder): Promise<number> {
  const build = await createBuild(pool, visits as never, consumer.name, "rebuild");
  const began = performance.now();
  const options = { projection: visits as never, build, log, pool, decoder, opener: closedOpener, logger };
  const script = new URL("./rebuild-thread.js", import.meta.url);
  const helpers = Array.from({ length: Number(values.threads) - 1 }, () => fillThread(script, values.topic));
  const memoryBytes = Number(values.memory) * 1e6;
  const { unfilled } = await fillBuild({ ...options, memoryBytes, helpers });
  if (unfilled.length > 0) {
    const following = await follow({ ...options, unfilled });
    while (following.behind() > 0) {
      await Promise.race([following.ended, new Promise((resolve) => setTimeout(resolve, 20))]);
    }
    await following.stop();
  }
  return (performance.now() - began) / 1000;
}

async function child(work: string): Promise<void> {
  const log = connectLog(settings, { clientId: "tributary-bench", logger });
  const pool = openPool(settings.DATABASE_URL as string, { applicationName: "tributary bench" });
  const decoder = codecOfOthers(settings) as Decoder;
  const events = await eventsIn(log);
  const before = process.cpuUsage();
  const seconds = await (work === "fill" ? fill : catchUp)(log, pool, decoder);
  const { user, system } = process.cpuUsage(before);
  const residentMegabytes = Math.round(process.resourceUsage().maxRSS / 1024);
  const measured: Measured = { events, seconds, cpuSeconds: (user + system) / 1e6, residentMegabytes };
  process.stdout.write(`${JSON.stringify(measured)}\n`);
  await log.close();
  await pool.end();
  process.exit(0);
}

async function measure(work: string, databaseUrl: string): Promise<Measured> {
  const script = fileURLToPath(import.meta.url);
  const flags = [
    ...(work === "fill" ? rebuildFlags : nodeFlags),
    ...(values.flags === "" ? [] : values.flags.split(" ")),
  ];
  const arguments_ = [
    ...flags,
    script,
    "--child",
    work,
    "--topic",
    values.topic,
    "--memory",
    values.memory,
    "--threads",
    values.threads,
  ];
  const environment = { ...process.env, DATABASE_URL: databaseUrl };
  const { stdout } = await promisify(execFile)(process.execPath, arguments_, { env: environment });
  return JSON.parse(stdout.trim().split("\n").at(-1) as string) as Measured;
}

/** Rows that the builds don't have in common. */
async function differing(pool: Pool): Promise<{ readonly rows: number; readonly different: number }> {
  const [one, other] = (await listBuilds(pool, "visits")).map(({ schema }) => `"${schema}".visits`);
  const { rows } = await pool.query<{ rows: number; different: number }>(
    `SELECT (SELECT count(*) FROM ${one}) AS rows, (SELECT count(*) FROM (
       (TABLE ${one} EXCEPT TABLE ${other}) UNION ALL (TABLE ${other} EXCEPT TABLE ${one})) AS d) AS different`,
  );
  return rows[0] as { rows: number; different: number };
}

const told = (work: string, { events, seconds, cpuSeconds, residentMegabytes }: Measured) =>
  `${work.padEnd(8)} ${Math.round(events / seconds).toLocaleString("en")} events/s (${events} in ${seconds.toFixed(2)} s), ` +
  `own CPU ${((cpuSeconds / events) * 1e6).toFixed(2)} s a million, ${residentMegabytes} MB`;

async function run(): Promise<void> {
  for (let number = 1; number <= Number(values.runs); number++) {
    const database = await freshDatabase();
    try {
      const works = number % 2 === 0 ? ["fill", "lanes"] : ["lanes", "fill"];
      const speed = new Map<string, number>();
      for (const work of works) {
        await database.pool.query("CHECKPOINT");
        const measured = await measure(work, database.url);
        speed.set(work, measured.events / measured.seconds);
        process.stdout.write(`${told(work, measured)}\n`);
      }
      const { rows, different } = await differing(database.pool);
      const times = (speed.get("fill") as number) / (speed.get("lanes") as number);
      process.stdout.write(
        `run ${number}: ${times.toFixed(2)} times the catch-up; ${rows} rows, ${different} differ\n`,
      );
      if (Number(different) > 0) process.exitCode = 1;
    } finally {
      await database.drop();
    }
  }
}

await (values.child ? child(values.child) : run());
