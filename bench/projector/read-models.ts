import { setTimeout as pause } from "node:timers/promises";
import { awaitProjections } from "../../engine/projector/await.js";
import { topicsOfProjections } from "../../engine/projector/roles.js";
import { consumerNames, loadConsumer } from "../../engine/service/discover.js";
import { handled, recordsIn } from "./catch-up.js";
import { type Child, productStart, startChild } from "./child.js";
import type { Place } from "./place.js";
import { cpuSeconds, peakBytes } from "./proc.js";

/** One read model, fed while all the others were. CPU and memory are those of its process, which may keep several. */
export interface ReadModelRun {
  readonly projection: string;
  readonly consumer: string;
  readonly events: number;
  /** Events a second from the first rows seen to the last. */
  readonly rate: number | undefined;
  readonly own: number | undefined;
  readonly peak: number | undefined;
}

interface Fed {
  readonly projection: string;
  readonly consumer: string;
  readonly child: Child;
  readonly records: number;
  first?: { readonly at: number; readonly reached: number };
  last?: { readonly at: number; readonly own: number | undefined; readonly peak: number | undefined };
}

const patienceMilliseconds = 300_000;

/** Starts the consumers of all read models at once, on events that are there, until each has applied all. */
export async function measureReadModels(place: Place): Promise<readonly ReadModelRun[]> {
  const fed: Fed[] = [];
  const starts = [];
  for (const name of consumerNames()) starts.push(await productStart(place, name));
  await place.pool.query("CHECKPOINT");
  const children = starts.map((start) => startChild(place, start));
  try {
    for (const child of children) {
      for (const projection of (await loadConsumer(child.name)).project) {
        const records = await recordsIn(place, topicsOfProjections([projection]));
        fed.push({ projection: projection.name, consumer: child.name, child, records });
      }
    }
    await untilAll(place, fed);
    await derived(place, children);
  } finally {
    await Promise.all(children.map((child) => child.stop()));
  }
  return fed.map(({ projection, consumer, records, first, last }) => ({
    projection,
    consumer,
    events: records,
    rate: first && last && last.at > first.at ? (records - first.reached) / ((last.at - first.at) / 1000) : undefined,
    own: last?.own,
    peak: last?.peak,
  }));
}

async function untilAll(place: Place, fed: readonly Fed[]): Promise<void> {
  const deadline = performance.now() + patienceMilliseconds;
  while (fed.some(({ last }) => !last)) {
    for (const one of fed) {
      if (one.last) continue;
      one.child.assertAlive();
      const reached = await handled(place, [one.projection]);
      const at = performance.now();
      if (reached > 0) one.first ??= { at, reached };
      const { pid } = one.child;
      if (reached >= one.records) one.last = { at, own: cpuSeconds(pid), peak: peakBytes(pid) };
      else if (at > deadline) throw new Error(`${one.projection} stands at ${reached} of ${one.records} records.`);
    }
    await pause(20);
  }
}

/** What is derived from whole tables follows a moment later; the processes must not be ended before. */
async function derived(place: Place, children: readonly Child[]): Promise<void> {
  const definitions = await Promise.all(children.map(({ name }) => loadConsumer(name)));
  const projections = definitions.flatMap(({ project }) => project);
  await awaitProjections({ log: place.log, pool: place.pool, projections });
}
