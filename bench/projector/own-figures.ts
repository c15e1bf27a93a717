import { setTimeout as pause } from "node:timers/promises";
import { type CatchUp, catchUp, checkpointsOf, recordsIn, schemaOf, untilHandled } from "./catch-up.js";
import { benchStart, startChild } from "./child.js";
import { benchConsumers } from "./definitions.js";
import { type Ground, inPlace, type Place } from "./place.js";
import { visitTopic } from "./visit-event.js";
import { interleaved, type Shape, skewed, VisitLog } from "./workload.js";

/** From SIGKILL on, in seconds. */
export interface Recovery {
  readonly toProgress: number;
  readonly toDone: number;
}

/** From just before the append to the first query that sees the row, in milliseconds. */
export interface Latency {
  readonly events: number;
  readonly p50: number;
  readonly p99: number;
}

export interface OwnFigures {
  readonly interleaved: CatchUp;
  readonly skewed: CatchUp;
  readonly recovery: Recovery;
  readonly live: Latency;
}

const wanted = { projections: ["visits"], topics: [visitTopic] };

/** The figures that the side-by-side benchmark asks for, by this bench's own means, for when it is not at hand. */
export async function ownFigures(ground: Ground, events: number): Promise<OwnFigures> {
  return {
    interleaved: await caughtUp(ground, events, interleaved),
    skewed: await caughtUp(ground, events, skewed),
    recovery: await recovered(ground, events),
    live: await watched(ground, Math.min(30_000, events)),
  };
}

const caughtUp = (ground: Ground, events: number, shape: Shape): Promise<CatchUp> =>
  inPlace(ground, async (place) => {
    const log = new VisitLog(place);
    await log.append(shape(events));
    const run = await catchUp(place, await benchStart(place, benchConsumers.bench), wanted);
    await log.assertRight(place.pool, await schemaOf(place, "visits"));
    return run;
  });

const recovered = (ground: Ground, events: number): Promise<Recovery> =>
  inPlace(ground, async (place) => {
    const log = new VisitLog(place);
    await log.append(interleaved(events));
    const start = await benchStart(place, benchConsumers.bench);
    const records = await recordsIn(place, [visitTopic]);
    const some = { ...wanted, records: Math.ceil(records * 0.4), from: 0 };
    const first = startChild(place, start);
    await untilHandled(place, some, [first]).finally(() => first.kill());
    const killed = performance.now();
    const from = await handledBy(place);
    const second = startChild(place, start);
    try {
      const progress = await untilHandled(place, { ...wanted, records, from }, [second]);
      await log.assertRight(place.pool, await schemaOf(place, "visits"));
      return { toProgress: (progress.first - killed) / 1000, toDone: (progress.last - killed) / 1000 };
    } finally {
      await second.stop();
    }
  });

async function handledBy(place: Place): Promise<number> {
  const partitions = (await checkpointsOf(place, "visits"))[visitTopic] ?? {};
  return Object.values(partitions).reduce((sum, next) => sum + next, 0);
}

const ratePerSecond = 1_000;
const warmUpEvents = 5_000;

/** Appends events at a steady rate, and looks at the checkpoints, which are committed with the rows. */
const watched = (ground: Ground, events: number): Promise<Latency> =>
  inPlace(ground, async (place) => {
    const log = new VisitLog(place);
    await log.append(interleaved(events));
    const child = startChild(place, await benchStart(place, benchConsumers.bench));
    try {
      const records = await recordsIn(place, [visitTopic]);
      await untilHandled(place, { ...wanted, records, from: 0 }, [child]);
      const waiting = new Map<number, { readonly offset: number; readonly at: number; readonly counts: boolean }[]>();
      const found: number[] = [];
      let done = false;
      const looking = look(place, waiting, found, () => done);
      await appendSteadily(place, log, events, waiting);
      for (let left = 0; left < 100 && [...waiting.values()].some((queue) => queue.length > 0); left++) await pause(50);
      done = true;
      await looking;
      await log.assertRight(place.pool, await schemaOf(place, "visits"));
      found.sort((one, other) => one - other);
      const quantile = (part: number) =>
        found[Math.min(found.length - 1, Math.floor(part * found.length))] ?? Number.NaN;
      return { events: found.length, p50: quantile(0.5), p99: quantile(0.99) };
    } finally {
      await child.stop();
    }
  });

type Waiting = Map<number, { readonly offset: number; readonly at: number; readonly counts: boolean }[]>;

async function appendSteadily(place: Place, log: VisitLog, events: number, waiting: Waiting): Promise<void> {
  const producer = await place.log.producer();
  const visits = interleaved(events + warmUpEvents)[Symbol.iterator]();
  const began = performance.now();
  let sent = 0;
  while (sent < events + warmUpEvents) {
    const due = Math.min(events + warmUpEvents, Math.floor(((performance.now() - began) * ratePerSecond) / 1000));
    if (due <= sent) {
      await pause(1);
      continue;
    }
    const records = [];
    for (let count = sent; count < due; count++) records.push(await log.next(visits.next().value ?? 0));
    const at = performance.now();
    for (const [index, { partition, offset }] of (await producer.append(records)).entries()) {
      const queue = waiting.get(partition) ?? [];
      waiting.set(partition, queue);
      queue.push({ offset, at, counts: sent + index >= warmUpEvents });
    }
    sent = due;
  }
  await producer.close();
}

async function look(place: Place, waiting: Waiting, found: number[], isDone: () => boolean): Promise<void> {
  while (!isDone()) {
    const reached = (await checkpointsOf(place, "visits"))[visitTopic] ?? {};
    const now = performance.now();
    for (const [partition, queue] of waiting) {
      const next = reached[String(partition)] ?? 0;
      while (queue[0] && queue[0].offset < next) {
        const { at, counts } = queue.shift() as (typeof queue)[number];
        if (counts) found.push(now - at);
      }
    }
    await pause(1);
  }
}
