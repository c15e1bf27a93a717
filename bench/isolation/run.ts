import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { keyedHash } from "../../engine/intake/keyed-hash.js";
import { surrogates } from "../../engine/intake/surrogate.js";
import { partitionOf } from "../../engine/log/murmur2.js";
import { journalTopic } from "../../engine/log/schemas.js";
import { awaitProjections } from "../../engine/projector/await.js";
import { loadConsumer } from "../../engine/service/discover.js";
import { builtRoot } from "../../engine/service/root.js";
import { requireSetting } from "../../engine/service/settings.js";
import { openPool, type Pool } from "../../engine/store/pool.js";
import { freePorts } from "../../stack/ports.js";
import { percentile } from "../intake/mllp-load.js";
import { type BenchPlace, withPlace } from "../intake/place.js";
import type { Disturbance, Disturbed } from "./disturbance.js";
import { type NeighbourFigures, neighbour, neighbourAuthority } from "./neighbour.js";

export interface IsolationOptions {
  /** Milliseconds of each stretch. */
  readonly milliseconds: number;
  /** Units a second of the neighbour that does nothing wrong. */
  readonly rate: number;
  /** Folder of samples; its malformed ones are sent. */
  readonly corpus?: string;
  /** Default: all of them. */
  readonly only?: readonly StretchName[];
}

/** What the neighbour saw in one stretch. Times in milliseconds. */
export interface Stretch {
  readonly name: string;
  readonly units: number;
  readonly answer: { readonly p50: number; readonly p99: number; readonly most: number };
  readonly row: { readonly p50: number; readonly p99: number };
  /** From the end of the disturbance until everything of everybody was applied. */
  readonly untilApplied: number;
  readonly wrong: readonly string[];
  readonly disturbed: Disturbed & { readonly kills: number };
}

/** What a disturbance says when it is in full swing: its module is a program of its own. */
const begun = "begun";
const disturbedConnector = "hl7v2";
const quietConnector = "cloudevents";
const consumer = "patients";
const stretches = [
  "quiet",
  "quiet, processors busy",
  "flooded",
  "flooded, same journal partition",
  "poisoned",
  "killed again and again",
] as const;
type StretchName = (typeof stretches)[number];

/**
 * Measures what one connector's partner sees while another connector is left alone, flooded, fed with poison and killed:
 * in an installation of its own on the services of the settings, with the publisher and one consumer.
 */
export async function measureIsolation(
  { milliseconds, rate, corpus, only = stretches }: IsolationOptions,
  report: (stretch: Stretch) => void = () => {},
): Promise<readonly Stretch[]> {
  const ports = await freePorts();
  const settings = { HL7V2_PORT: String(ports.kafka), CONNECTOR_PORTS: `${quietConnector}=${ports.registry}` };
  return withPlace(disturbedConnector, { settings }, async (place) => {
    for (const name of [quietConnector, "publisher", consumer]) await place.start(name);
    const pool = openPool(requireSetting(place.settings, "DATABASE_URL"), { applicationName: "isolation", max: 4 });
    try {
      const url = `http://127.0.0.1:${ports.registry}/partners/generic`;
      const id = surrogates(keyedHash(requireSetting(place.settings, "TRIBUTARY_SECRET")));
      const common = { url, pool, patientOf: (number: string) => id("patient", neighbourAuthority, "MR", number) };
      const warmUp = await neighbour({ ...common, rate, milliseconds: 1_000, run: "warm" });
      const own = await partitionsWithUnits(place);
      const done: Stretch[] = [];
      let sent = warmUp.answers.length;
      for (const [index, name] of only.entries()) {
        const disturbance = disturbanceOf(name, place, own, corpus, `D${index}N`);
        const others = await start(disturbance, name === "killed again and again" ? place : undefined);
        const seen = await neighbour({ ...common, rate, milliseconds, run: `N${index}` });
        const disturbed = await others.stop();
        const began = performance.now();
        await applied(place, pool);
        sent += seen.answers.length;
        await expectPatients(pool, sent - seen.wrong.length);
        const stretch = stretchOf(name, seen, disturbed, performance.now() - began);
        done.push(stretch);
        report(stretch);
      }
      return done;
    } finally {
      await pool.end();
    }
  });
}

function stretchOf(
  name: string,
  seen: NeighbourFigures,
  disturbed: Stretch["disturbed"],
  untilApplied: number,
): Stretch {
  const { answers, rows, wrong } = seen;
  return {
    name,
    units: answers.length,
    answer: { p50: percentile(answers, 0.5), p99: percentile(answers, 0.99), most: percentile(answers, 1) },
    row: { p50: percentile(rows, 0.5), p99: percentile(rows, 0.99) },
    untilApplied,
    wrong,
    disturbed,
  };
}

/** Journal partitions that have units by now: those of the neighbour. */
async function partitionsWithUnits({
  log,
}: BenchPlace): Promise<{ readonly used: readonly number[]; readonly of: number }> {
  const marks = await log.watermarks(journalTopic);
  return { used: marks.filter(({ high }) => high > 1).map(({ partition }) => partition), of: marks.length };
}

function disturbanceOf(
  name: StretchName,
  { addresses }: BenchPlace,
  { used, of }: { readonly used: readonly number[]; readonly of: number },
  corpus: string | undefined,
  run: string,
): Disturbance | undefined {
  if (name === "quiet") return undefined;
  const same = name === "flooded, same journal partition";
  const facilities: string[] = [];
  for (let number = 0; facilities.length < 4; number++) {
    const facility = `FAC${number}`;
    if (used.includes(partitionOf(`generic/${facility}`, of)) === same) facilities.push(facility);
  }
  const url = addresses.find(({ partner }) => partner === undefined)?.url ?? "";
  const kind = name === "quiet, processors busy" ? "busy" : name === "poisoned" ? "poison" : "flood";
  return { kind, url, facilities, run, corpus };
}

/** Threads that only compute: about as many as want a processor while a connector is flooded. */
const busyThreads = 5;

function work(disturbance: Disturbance) {
  const worker = new Worker(join(builtRoot, "bench/isolation/disturbance.js"), { workerData: disturbance });
  let begin: () => void = () => {};
  const began = new Promise<void>((resolve) => {
    begin = resolve;
  });
  const told = new Promise<Disturbed>((resolve, reject) => {
    worker.on("message", (said: typeof begun | Disturbed) => (said === begun ? begin() : resolve(said)));
    worker.once("error", reject);
  });
  told.catch(() => {});
  return { worker, told, began };
}

/** Starts a disturbance in threads of its own, and kills its connector again and again where a place is given. */
async function start(disturbance: Disturbance | undefined, killed: BenchPlace | undefined) {
  if (!disturbance) return { stop: async () => ({ sent: 0, answered: 0, lost: 0, kills: 0 }) };
  const count = disturbance.kind === "busy" ? busyThreads : 1;
  const threads = Array.from({ length: count }, () => work(disturbance));
  await Promise.race([Promise.all(threads.map(({ began }) => began)), ...threads.map(({ told }) => told)]);
  let over = false;
  let kills = 0;
  const killing = (async () => {
    while (killed && !(over && kills > 0)) {
      await pause(500);
      try {
        process.kill(killed.pid(disturbedConnector), "SIGKILL");
        kills++;
      } catch {
        // It is just being started again.
      }
    }
  })();
  return {
    async stop() {
      over = true;
      for (const { worker } of threads) worker.postMessage("stop");
      const [disturbed] = (await Promise.all(threads.map(({ told }) => told))) as [Disturbed, ...Disturbed[]];
      await killing;
      return { ...disturbed, kills };
    },
  };
}

async function applied({ log }: BenchPlace, pool: Pool): Promise<void> {
  const projections = (await loadConsumer(consumer)).project;
  await awaitProjections({ log, pool, projections, timeout: 300_000, interval: 20 });
}

/** @throws when a unit of the neighbour is lost or doubled: then the figures count for nothing. */
async function expectPatients(pool: Pool, sent: number): Promise<void> {
  const { rows } = await pool.query<{ found: number }>(
    "SELECT count(*)::integer AS found FROM projections_restricted.patient_identifiers WHERE authority = $1",
    [neighbourAuthority],
  );
  const found = rows[0]?.found;
  if (found !== sent) throw new Error(`${sent} patients of the neighbour were accepted, ${found} have a row`);
}
