import type { PulledEntry } from "./pulled-entry.js";

/** Most entries of one instant that wait for those of the next page. */
const mostHeld = 20_000;

/** Entries of a server that says that it gives the oldest first come in another order. */
export class OutOfOrder extends Error {
  constructor() {
    super("the server says that it gives the oldest first, and does not");
  }
}

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
  async function* fromTheOldest() {
    for (let step = 0; step < count; step++) {
      if (oldestFirst) yield await page(step);
      else yield [...(await page(count - 1 - step))].reverse();
    }
  }
  yield* byInstant(fromTheOldest());
}

/**
 * Versions as a server gives them that sorts a history by their time: each page is ready when the next has begun.
 * @throws {OutOfOrder} when one is older than the one before it.
 */
export async function* asSorted(pages: AsyncIterable<readonly PulledEntry[]>): AsyncGenerator<readonly PulledEntry[]> {
  let latest = Number.NEGATIVE_INFINITY;
  async function* checked() {
    for await (const entries of pages) {
      for (const { time } of entries) {
        if (time < latest) throw new OutOfOrder();
        latest = time;
      }
      yield entries;
    }
  }
  yield* byInstant(checked());
}

/** The versions of one instant together, and in their order: the next page may begin with some that belong before others. */
async function* byInstant(pages: AsyncIterable<readonly PulledEntry[]>): AsyncGenerator<readonly PulledEntry[]> {
  let held: readonly PulledEntry[] = [];
  for await (const sent of pages) {
    const entries = arranged([...held, ...sent]);
    const last = entries.at(-1)?.time;
    const ready = entries.length > mostHeld ? entries.length : entries.findIndex(({ time }) => time === last);
    held = entries.slice(Math.max(ready, 0));
    if (ready > 0) yield entries.slice(0, ready);
  }
  if (held.length > 0) yield held;
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
