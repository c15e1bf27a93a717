import { setTimeout as pause } from "node:timers/promises";
import { topicsOfProjections } from "../../engine/projector/roles.js";
import { consumerNames, loadConsumer } from "../../engine/service/discover.js";
import { recordsIn, untilHandled } from "./catch-up.js";
import { type Child, productStart, startChild } from "./child.js";
import { type Ground, inPlace, type Place, partitions } from "./place.js";
import { cpuSeconds, peakBytes, treeSeconds } from "./proc.js";
import { publishAll } from "./publish.js";
import { journalRegion, manyFeeds } from "./region-journal.js";
import { figure, type PartReport, share } from "./report.js";

const patients = 200;
/** V8 collects what a load left some thirty seconds after it, once: 0.2 CPU seconds a process. */
const settleMilliseconds = 45_000;
const idleMilliseconds = 60_000;

interface Idle {
  readonly name: string;
  /** CPU seconds. */
  readonly cpu: number | undefined;
  readonly peak: number | undefined;
}

/** What consumers cost while nothing happens. */
export async function measureIdle(ground: Ground): Promise<PartReport> {
  return inPlace(ground, async (place) => {
    await journalRegion(place, patients, manyFeeds);
    await publishAll(place);
    const names = consumerNames();
    const children: Child[] = [];
    try {
      for (const name of names) children.push(startChild(place, await productStart(place, name)));
      for (const name of names) await caughtUp(place, name, children);
      await pause(settleMilliseconds);
      return report(...(await rest(place, children)));
    } finally {
      await Promise.all(children.map((child) => child.stop()));
    }
  });
}

async function caughtUp(place: Place, name: string, children: readonly Child[]): Promise<void> {
  for (const projection of (await loadConsumer(name)).project) {
    const records = await recordsIn(place, topicsOfProjections([projection]));
    await untilHandled(place, { projections: [projection.name], records, from: 0 }, children);
  }
}

async function rest(place: Place, children: readonly Child[]): Promise<[Idle[], number, number | undefined]> {
  const { postgres } = place.servers;
  const before = children.map(({ pid }) => cpuSeconds(pid));
  const server = postgres === undefined ? undefined : treeSeconds(postgres);
  const began = performance.now();
  await pause(idleMilliseconds);
  const seconds = (performance.now() - began) / 1000;
  const idle = children.map(({ name, pid }, index) => {
    const [now, then] = [cpuSeconds(pid), before[index]];
    return { name, cpu: now === undefined || then === undefined ? undefined : now - then, peak: peakBytes(pid) };
  });
  const served =
    postgres === undefined || server === undefined ? undefined : (treeSeconds(postgres) ?? server) - server;
  return [idle, seconds, served];
}

function report(idle: readonly Idle[], seconds: number, postgres: number | undefined): PartReport {
  return {
    part: "idle",
    title: "A consumer with nothing to do",
    how: `The consumers of the product, each a process with ${partitions} partitions a topic, had caught up with a small region's events ${figure(settleMilliseconds / 1000)} s before, and V8 had collected what that left (once, 0.2 CPU seconds a process); then nothing happened for ${figure(seconds)} s.`,
    tables: [
      {
        columns: ["consumer", "CPU, share of a core", "memory"],
        rows: [
          ...idle.map(({ name, cpu, peak }) => [name, share(cpu, seconds), figure(peak && peak / 2 ** 20, " MB")]),
          ["Postgres, for all of them", share(postgres, seconds), "-"],
        ],
      },
    ],
    findings: [],
    figures: { seconds, idle, postgres },
  };
}
