import { expect, it } from "vitest";
import type { Log } from "../log/log.js";
import { formatPosition, positionHeader } from "../log/position.js";
import { memoryLog } from "../testing/memory-log.js";
import { Chance } from "../testing/simulation/random.js";
import type { ReadContext } from "./events.js";
import { keyHistory } from "./key-history.js";
import { type Placed, withEvent } from "./origins.js";

const topic = "health.visit.events";
const context: ReadContext = {
  topic,
  partition: 0,
  published: true,
  decoder: {
    decodeEvent: (value) => ({ type: "VisitUpdated", event: JSON.parse(String(value)) as object }),
    learn: async () => {},
  },
  wait: async (error) => {
    throw error;
  },
};

interface Unit {
  readonly key: string;
  readonly at: number;
  readonly of?: number;
}

async function logOf(units: readonly Unit[], batchRecords: number) {
  const log = memoryLog({ partitions: 1, batchRecords });
  const producer = await log.producer();
  await producer.append(
    units.map(({ key, at, of }) => {
      const again = of === undefined ? {} : { generation: 1, origin: { journal: "j", partition: 0, offset: of } };
      const place = { journal: "j", partition: 0, offset: at, index: 0, recordedAt: at };
      const value = Buffer.from(JSON.stringify({ meta: { id: `e${at}`, ...again } }));
      return { topic, partition: 0, key, value, headers: { [positionHeader]: formatPosition(place) } };
    }),
  );
  let reads = 0;
  const counted: Pick<Log, "read"> = {
    async *read(...place) {
      for await (const records of log.read(...place)) {
        reads += records.length;
        yield records;
      }
    },
  };
  return { log: counted, reads: () => reads, records: log.records(topic, 0) };
}

/** As a lane asks: stretch by stretch, for the keys that are told again in it. */
async function asked(
  units: readonly Unit[],
  stretch: number,
  ask: (keys: ReadonlySet<string>, before: number) => unknown,
) {
  for (let at = 0; at < units.length; at += stretch) {
    const again = units.slice(at, at + stretch).filter(({ of }) => of !== undefined);
    if (again.length > 0) await ask(new Set(again.map(({ key }) => key)), at);
  }
}

/** What stands of a key after some units; what the publisher sent again counts once. */
function standingOf(units: readonly Unit[], key: string) {
  let highest = 0;
  let standing: readonly (Placed & { readonly eventId: string })[] = [];
  for (const { key: name, at, of } of units) {
    if (at <= highest) continue;
    highest = at;
    const origin = of === undefined ? undefined : { partition: 0, offset: of, generation: 1 };
    if (name === key)
      standing = withEvent(standing, { eventId: `e${at}`, position: { partition: 0, offset: at }, origin });
  }
  return standing;
}

it("gives what a reading of all that stands before gives, however little it may keep", async () => {
  const names = (found: ReadonlyMap<string, readonly { readonly eventId: string | null }[]>) =>
    [...found].map(([key, events]) => [key, ...events.map(({ eventId }) => eventId)].join(" ")).sort();
  for (let seed = 1; seed <= 30; seed++) {
    const chance = new Chance(seed);
    const units: Unit[] = [];
    for (let at = 1; at <= 200; at++) {
      const key = `key ${chance.between(0, 12)}`;
      const of = chance.between(0, 2) === 0 && at > 5 ? { of: chance.between(1, at - 1) } : {};
      units.push({ key, at, ...of });
      // What the publisher sent again.
      if (chance.between(0, 9) === 0) units.push(...units.slice(-chance.between(1, 5)));
    }
    const { log } = await logOf(units, chance.between(1, 60));
    const history = keyHistory(log, context, chance.between(0, 1) * chance.between(1, 12_000));
    await asked(units, chance.between(1, 40), async (keys, before) => {
      const whole = new Map([...keys].map((key) => [key, standingOf(units.slice(0, before), key)]));
      expect(names(await history(keys, before)), `seed ${seed} before ${before}`).toEqual(names(whole));
      // A lane that begins anew asks for what it has passed.
      if (chance.between(0, 5) === 0) await history(keys, chance.between(1, before));
    });
  }
});

it("reads a partition a few times for all the units translated again in it, not once a stretch", async () => {
  const count = 20_000;
  const first = Array.from({ length: count }, (_, index): Unit => ({ key: `key ${index}`, at: index + 1 }));
  const again = first.map(({ key, at }): Unit => ({ key, at: count + at, of: at }));
  const { log, reads } = await logOf([...first, ...again], 1_000);
  const history = keyHistory(log, context);
  await asked([...first, ...again], 1_000, history);
  // What stands ahead, and all up to there, for as many keys at a time as it may keep.
  expect(reads()).toBeLessThan(8 * count);
});
