import { setTimeout as pause } from "node:timers/promises";
import type { Random } from "../../demo/random.js";
import type { OwnTopics } from "../../engine/log/own-topics.js";
import { chaosSize } from "../../engine/testing/chaos.js";
import type { BrokerId, ThreeBrokers } from "./cluster.js";
import { moveLeaders, type Place } from "./leaders.js";

export interface Weather {
  readonly brokers: ThreeBrokers;
  readonly admin: OwnTopics["admin"];
  readonly places: readonly Place[];
  readonly random: Random;
  /** Work in hand at this moment: a fault counts only when there is some. */
  readonly busy: () => Promise<boolean>;
  /** Counts by kind of fault. */
  readonly faults: Record<string, number>;
}

const sampleFaults = ["leaders moved", "broker paused", "broker killed", "partitions failed one by one"] as const;
const allFaults = [...sampleFaults, "broker restarted in order"] as const;
type BrokerFault = (typeof allFaults)[number];

const shuffled = <Item>(items: readonly Item[], random: Random): Item[] => {
  const rest = [...items];
  return items.map(() => rest.splice(random.below(rest.length), 1)[0] as Item);
};

/** A broker silent for longer than its session (3 s): its partitions go to others. */
const longPause = 4_000;

/** A fault that finds nothing under way is tried again for so long. */
const longestMilliseconds = 60_000;
/** Between two faults; shorter than anything needs to recover. */
const calmMilliseconds = 500;

/** One fault after the other, so that two of three replicas are always there. */
async function strike(fault: BrokerFault, weather: Weather): Promise<void> {
  const { brokers, admin, places, random, busy, faults } = weather;
  const counted = await busy();
  const broker = random.pick(brokers.ids) as BrokerId;
  if (fault === "leaders moved") {
    for (const place of shuffled(places, random).slice(0, 4)) {
      await moveLeaders(brokers, admin, [place], random.pick(brokers.ids) as BrokerId, 3_000).catch(() => false);
    }
  } else if (fault === "broker paused") {
    await brokers.freeze(broker);
    await pause(longPause);
    await brokers.thaw(broker);
  } else if (fault === "broker killed") {
    await brokers.kill(broker);
    await brokers.begin(broker);
  } else if (fault === "broker restarted in order") {
    await brokers.stop(broker);
    await brokers.begin(broker);
  } else {
    // Each broker leads some of the partitions: while it hangs, these fail and the others don't.
    for (const [index, place] of places.entries()) {
      const id = brokers.ids[index % 3] as BrokerId;
      await moveLeaders(brokers, admin, [place], id, 3_000).catch(() => false);
    }
    for (const id of brokers.ids) {
      await brokers.freeze(id);
      await pause(1_000);
      await brokers.thaw(id);
      await pause(200);
    }
  }
  faults[fault] = (faults[fault] ?? 0) + (counted ? 1 : 0);
}

/** Every kind of fault, in a random order, and again until the time is over; each at least once while there was work. */
export async function storm(weather: Weather, milliseconds: number): Promise<void> {
  const kinds = chaosSize(sampleFaults.length, allFaults.length);
  const until = Date.now() + milliseconds;
  const last = until + longestMilliseconds;
  do {
    for (const fault of shuffled(allFaults.slice(0, kinds), weather.random)) {
      if (Date.now() >= until && (weather.faults[fault] ?? 0) > 0) continue;
      await strike(fault, weather);
      await pause(calmMilliseconds);
    }
  } while (
    Date.now() < until ||
    (Date.now() < last && allFaults.slice(0, kinds).some((kind) => !weather.faults[kind]))
  );
}
