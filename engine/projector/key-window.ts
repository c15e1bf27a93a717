import type { IncomingRecord, Log } from "../log/log.js";
import { parsePosition, positionHeader } from "../log/position.js";
import { leavesToAnother } from "./erasures.js";
import { type ReadContext, readEvents } from "./events.js";
import { Positions } from "./positions.js";

/** A record as it is kept: text is let go of by itself, where bytes cut from a slab keep all of it. */
interface KeptRecord {
  readonly offset: number;
  readonly timestamp: number;
  /** Its bytes as Latin-1; null for none. */
  readonly value: string | null;
  readonly position: string | undefined;
}

/** What a kept record takes beside its value, and a key beside its records, in bytes. */
const recordBytes = 220;
const keyBytes = 512;
/** Records looked at in advance at least, and beside that as many as stand before: both readings cost about the same. */
const leastAhead = 20_000;

/** A record without a position is told of by who decodes it. */
function isFresh(positions: Positions, { headers }: IncomingRecord): boolean {
  const position = parsePosition(headers[positionHeader] ?? "");
  return position === undefined || positions.take(position, null);
}

/**
 * New records of some keys, all that stands before an offset.
 * @param published in our own topics what was written twice counts once.
 */
export async function* recordsOf(
  log: Pick<Log, "read">,
  { topic, partition, published }: Pick<ReadContext, "topic" | "partition" | "published">,
  isWanted: (key: string) => boolean,
  before: number,
): AsyncGenerator<readonly IncomingRecord[]> {
  const positions = new Positions(undefined, "{}");
  for await (const records of log.read(topic, partition, 0, before)) {
    const fresh = published ? records.filter((record) => isFresh(positions, record)) : records;
    const wanted = fresh.filter(({ key }) => isWanted(key));
    if (wanted.length > 0) yield wanted;
  }
}

/** Keys that units translated again concern from an offset on, in order, with the last offset that is about each. */
async function keysAhead(
  log: Pick<Log, "read">,
  context: ReadContext,
  from: number,
  most: number,
): Promise<{ readonly needed: Map<string, number>; readonly to: number }> {
  const needed = new Map<string, number>();
  const { topic, partition } = context;
  const end = from + Math.max(leastAhead, from);
  // Whoever reads there for good waits for a schema, or stops.
  const wait = async (error: unknown) => {
    throw error;
  };
  let to = from;
  try {
    for await (const records of log.read(topic, partition, from, end)) {
      for (const event of await readEvents(records, { ...context, wait })) {
        if (event.origin || leavesToAnother(event)) needed.set(event.key, event.offset);
      }
      to = (records.at(-1)?.offset ?? to) + 1;
      if (needed.size >= most) break;
    }
  } catch {
    // What is wrong is told where it is read for good.
  }
  return { needed, to };
}

/**
 * Records of keys that units translated again concern, gathered for many of them in one reading of their partition. Without
 * it each of the stretches in which such units come would cost a reading of all that stands before it.
 */
export class KeyWindow {
  readonly #log: Pick<Log, "read">;
  readonly #context: ReadContext;
  readonly #limit: number;
  readonly #records = new Map<string, KeptRecord[]>();
  /** Last offset for which a key is needed, in the order in which they are needed first. */
  #needed = new Map<string, number>();
  #to = 0;
  #bytes = 0;

  /** @param limit bytes that it may keep; what the keys asked for take it keeps in any case. */
  constructor(log: Pick<Log, "read">, context: ReadContext, limit: number) {
    this.#log = log;
    this.#context = context;
    this.#limit = limit;
  }

  /** New records of keys that stand before an offset: those of each key in the order of the log. */
  async recordsOf(keys: ReadonlySet<string>, before: number): Promise<readonly IncomingRecord[]> {
    for (const [key, last] of this.#needed) if (last < before && !keys.has(key)) this.#drop(key);
    const isThere = before <= this.#to && [...keys].every((key) => this.#records.has(key));
    if (!isThere) await this.#gather(keys, before);
    return [...keys].flatMap((key) => this.#of(key, before));
  }

  #of(key: string, before: number): readonly IncomingRecord[] {
    return (this.#records.get(key) ?? [])
      .filter(({ offset }) => offset < before)
      .map(({ offset, timestamp, value, position }) => ({
        offset,
        timestamp,
        key,
        value: value === null ? null : Buffer.from(value, "latin1"),
        headers: position === undefined ? {} : { [positionHeader]: position },
      }));
  }

  async #gather(keys: ReadonlySet<string>, before: number): Promise<void> {
    this.#records.clear();
    this.#bytes = 0;
    this.#to = 0;
    const ahead = await keysAhead(this.#log, this.#context, before, Math.floor(this.#limit / keyBytes));
    this.#needed = new Map([...keys].map((key) => [key, before]));
    for (const [key, last] of ahead.needed) this.#needed.set(key, last);
    for (const key of this.#needed.keys()) this.#keep(key, []);
    const latest = [...this.#needed.keys()];
    for await (const records of recordsOf(this.#log, this.#context, (key) => this.#records.has(key), ahead.to)) {
      for (const record of records) this.#add(record);
      // Those that are needed last are asked for again.
      while (this.#bytes > this.#limit && latest.length > keys.size) this.#drop(latest.pop() as string);
    }
    this.#to = ahead.to;
  }

  #keep(key: string, records: KeptRecord[]): void {
    this.#records.set(key, records);
    this.#bytes += keyBytes;
  }

  #add({ key, offset, timestamp, value, headers }: IncomingRecord): void {
    const text = value === null ? null : value.toString("latin1");
    this.#records.get(key)?.push({ offset, timestamp, value: text, position: headers[positionHeader] });
    this.#bytes += recordBytes + (text?.length ?? 0);
  }

  #drop(key: string): void {
    const records = this.#records.get(key);
    this.#needed.delete(key);
    if (!records) return;
    this.#records.delete(key);
    this.#bytes -= keyBytes;
    for (const { value } of records) this.#bytes -= recordBytes + (value?.length ?? 0);
  }
}
