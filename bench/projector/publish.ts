import { setTimeout as pause } from "node:timers/promises";
import { entities, eventsTopic, journalTopic } from "../../engine/log/schemas.js";
import { recordsIn } from "./catch-up.js";
import { productStart, startChild } from "./child.js";
import { Meter, type Spent } from "./meter.js";
import type { Place } from "./place.js";

export const eventTopics: readonly string[] = entities.map(eventsTopic);

export interface Published extends Spent {
  readonly entries: number;
  readonly events: number;
  /** Events a second from the first entry published to the last. */
  readonly rate: number;
}

const patienceMilliseconds = 60_000;

/** Runs the publisher over a journal that is there, until it has published all of it. */
export async function publishAll(place: Place): Promise<Published> {
  const entries = await recordsIn(place, [journalTopic]);
  const before = await recordsIn(place, eventTopics);
  const start = await productStart(place, "publisher");
  const meter = new Meter(place, () => (child ? [child.pid] : []));
  let child: ReturnType<typeof startChild> | undefined;
  await meter.start();
  child = startChild(place, start);
  let first: { readonly at: number; readonly events: number } | undefined;
  let reached = -1;
  let moved = performance.now();
  try {
    for (;;) {
      child.assertAlive();
      meter.look();
      const { rows } = await place.pool.query<{ next: string }>(
        "SELECT coalesce(sum(next_offset), 0) AS next FROM engine.publisher_checkpoints",
      );
      const next = Number(rows[0]?.next);
      const at = performance.now();
      if (next > reached) moved = at;
      reached = next;
      // The first entry of a partition only names the journal.
      if (!first && next > 0) {
        const events = (await recordsIn(place, eventTopics)) - before;
        if (events > 0) first = { at: performance.now(), events };
      }
      if (next >= entries) break;
      if (at - moved > patienceMilliseconds) throw new Error(`The publisher stands at ${next} of ${entries} entries.`);
      await pause(20);
    }
    const last = performance.now();
    const spent = await meter.stop();
    const events = (await recordsIn(place, eventTopics)) - before;
    const since = first ?? { at: last, events: 0 };
    return { ...spent, entries, events, rate: (events - since.events) / ((last - since.at) / 1000) };
  } finally {
    await child.stop();
  }
}
