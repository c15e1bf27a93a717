import type { PulledEntry } from "./pulled-entry.js";

/** Most entries of one instant that wait for those of the next page. */
const mostHeld = 20_000;

/**
 * Puts the versions of a history in the order in which they were made. A server lists the newest first (FHIR R4, 3.1.0.6),
 * or the oldest where it is asked to; of one instant in any order.
 * @param count of pages.
 * @param page its entries, in the server's order.
 * @returns entries, oldest first, in pieces of about a page.
 */
export async function* inOrder(
  count: number,
  page: (index: number) => Promise<readonly PulledEntry[]>,
): AsyncGenerator<readonly PulledEntry[]> {
  const oldestFirst = await isOldestFirst(count, page);
  let held: PulledEntry[] = [];
  for (let step = 0; step < count; step++) {
    const sent = await page(oldestFirst ? step : count - 1 - step);
    const entries = arranged([...held, ...(oldestFirst ? sent : [...sent].reverse())]);
    const last = entries.at(-1)?.time;
    // The next page may begin with versions of the same instant, which belong before some of these.
    const isLast = step === count - 1 || entries.length > mostHeld;
    const ready = isLast ? entries.length : entries.findIndex(({ time }) => time === last);
    held = entries.slice(ready);
    if (ready > 0) yield entries.slice(0, ready);
  }
}

async function isOldestFirst(count: number, page: (index: number) => Promise<readonly PulledEntry[]>) {
  let first: PulledEntry | undefined;
  for (let index = 0; index < count; index++) {
    for (const entry of await page(index)) {
      first ??= entry;
      if (entry.time !== first.time) return entry.time > first.time;
    }
  }
  return false;
}

/** By time; versions of one resource at one instant by their number, in the places that they have together. */
function arranged(entries: readonly PulledEntry[]): PulledEntry[] {
  const sorted = entries.map((entry, index) => ({ entry, index }));
  sorted.sort((one, other) => one.entry.time - other.entry.time || one.index - other.index);
  const order = sorted.map(({ entry }) => entry);
  const places = new Map<string, number[]>();
  for (const [index, { resource, time }] of order.entries()) {
    const name = `${time} ${resource}`;
    places.set(name, [...(places.get(name) ?? []), index]);
  }
  for (const indexes of places.values()) {
    if (indexes.length < 2) continue;
    const versions = indexes.map((index) => order[index]!);
    if (versions.some(({ version }) => version === undefined)) continue;
    versions.sort((one, other) => one.version! - other.version!);
    for (const [at, index] of indexes.entries()) order[index] = versions[at]!;
  }
  return order;
}
