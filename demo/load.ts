import { setTimeout as pause } from "node:timers/promises";
import type { Delivery } from "./delivery.js";
import { generateRegion, type RegionOptions } from "./region.js";
import type { SenderName } from "./senders.js";

export interface LoadOptions {
  readonly seed: string;
  /** Whose messages; default the three senders of HL7 v2, each region's one after the other. */
  readonly senders?: readonly SenderName[];
  /** Persons of each region that is made and played after the one before; default 2,000. */
  readonly patients?: number;
  readonly from?: string;
}

/** Identifiers kept free for each region, so that no number is given out twice. */
export const numbersOf = (patients: number): number => patients * 4 + 1000;

/** Deliveries without end: region after region, each with persons and numbers of its own. Made as they are asked for. */
export function* endlessDeliveries(options: LoadOptions): IterableIterator<Delivery> {
  const { seed, senders = ["north", "south", "practice"], patients = 2000, from } = options;
  for (let block = 0; ; block++) {
    const given: RegionOptions = {
      seed,
      patients,
      firstNumber: block * numbersOf(patients),
      ...(from === undefined ? {} : { from }),
    };
    const region = generateRegion(given);
    for (const sender of senders) yield* region.deliveries(sender);
  }
}

/** The first `count` of an iterator's values. */
export function* bounded<T>(values: Iterable<T>, count: number): IterableIterator<T> {
  let left = count;
  if (left > 0)
    for (const value of values) {
      yield value;
      if (--left <= 0) return;
    }
}

/**
 * Gives values at a steady rate. A consumer that falls behind gets the missed ones at once: the schedule does not move,
 * so latency measured against it hides no pause.
 * @param rate values a second
 */
export async function* paced<T>(values: Iterable<T>, rate: number): AsyncIterableIterator<T> {
  if (!(rate > 0)) throw new RangeError(`load: the rate must be above 0 a second, not ${rate}`);
  const began = performance.now();
  let given = 0;
  for (const value of values) {
    const early = began + (given++ * 1000) / rate - performance.now();
    if (early > 1) await pause(early);
    yield value;
  }
}
