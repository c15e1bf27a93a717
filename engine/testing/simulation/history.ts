import type { IncomingRecord } from "../../log/log.js";
import { formatPosition, positionHeader } from "../../log/position.js";
import type { PureInput } from "../../projector/pure.js";
import { keyOf, type Note, topic } from "../notes.js";
import type { Chance } from "./random.js";

export const partitions = 2;
const journal = "journal";
const firstRecorded = Date.UTC(2026, 0, 1);

/** An event once, however often it was published. */
export interface Happening extends Omit<PureInput, "source" | "undecodable"> {
  readonly type: "VisitUpdated";
  readonly event: { readonly meta: { readonly id: string }; readonly facility: string };
  /** Its bytes are no event. */
  readonly garbage: boolean;
  /** Value that a constraint of the table refuses. */
  readonly refusable: boolean;
  readonly sealed: { readonly said: string };
  /** Of a schema that a process does not know when it starts. */
  readonly isNewer: boolean;
}

/** A log as the publisher writes it: each journal partition in order, with repeated stretches and without a gap. */
export interface History {
  readonly happenings: readonly Happening[];
  /** Records by partition, in the order in which they are appended. */
  readonly records: readonly (readonly IncomingRecord[])[];
  /** What a partition says below an offset, repetitions left out by who the event is, not by its position. */
  below(partition: number, offset: number): readonly { readonly happening: Happening; readonly offset: number }[];
}

/** What a row's note must not be; see the constraint that the simulation's ground puts on the table. */
export const refusedNote = "refused";

const acts: readonly Note["act"][] = ["set", "line", "set", "delete", "line", "line"];
const badActs: readonly Note["act"][] = ["park", "throw", "overflow"];
const values = ["a", 'quote " and \\ back', "{brace,NULL}", "", "NULL", "new\nline", "é😀"];

function happen(chance: Chance): Happening[] {
  const count = chance.between(20, 60);
  const keys = chance.between(2, 9);
  const bad = chance.pick([0, 0, 0.02, 0.08]);
  const units = [0, 0];
  let index = 0;
  let feed = 0;
  return Array.from({ length: count }, (_, number): Happening => {
    // Events of one unit share its offset; a unit without events leaves a gap, which is none.
    if (number > 0 && chance.of(0.3)) index++;
    else {
      feed = chance.between(0, 1);
      index = 0;
      units[feed] = (units[feed] ?? 0) + chance.between(1, 2);
    }
    const refusable = chance.of(bad / 2);
    const act = chance.of(bad) ? chance.pick(badActs) : refusable ? "set" : chance.pick(acts);
    const value = refusable ? refusedNote : chance.pick(values);
    const offset = units[feed] as number;
    return {
      type: "VisitUpdated",
      key: keyOf(chance.between(1, keys)),
      event: { meta: { id: `event-${number}` }, facility: JSON.stringify({ act, value }) },
      sealed: { said: `secret ${number}` },
      isNewer: number > count / 2,
      position: { journal, partition: feed, offset, index, recordedAt: firstRecorded + offset * 1000 },
      garbage: chance.of(bad / 3),
      refusable: refusable && act === "set",
    };
  });
}

const partitionOf = ({ key }: Happening) => Number(key.at(-1)) % partitions;

/** The order in which a publisher that fails and starts again appends what happened, as numbers of happenings. */
function publish(happenings: readonly Happening[], chance: Chance): number[][] {
  const failing = chance.pick([0, 0.3, 0.6]);
  const appended = Array.from({ length: partitions }, (): number[] => []);
  const feeds = [0, 1].map((feed) =>
    happenings.flatMap(({ position }, number) => (position.partition === feed ? [number] : [])),
  );
  const next = [0, 0];
  for (;;) {
    const open = [0, 1].filter((feed) => (next[feed] ?? 0) < (feeds[feed]?.length ?? 0));
    if (open.length === 0) return appended;
    const feed = chance.pick(open);
    const from = next[feed] as number;
    const to = Math.min(from + chance.between(1, 6), feeds[feed]?.length ?? 0);
    const batch = (feeds[feed] ?? []).slice(from, to);
    const send = (whole: boolean) => {
      for (let partition = 0; partition < partitions; partition++) {
        const part = batch.filter((number) => partitionOf(happenings[number] as Happening) === partition);
        appended[partition]?.push(...part.slice(0, whole ? part.length : chance.between(0, part.length)));
      }
    };
    // Each partition got any number of the batch's first events when the reply was lost: all are sent again.
    while (chance.of(failing)) send(false);
    send(true);
    next[feed] = to;
    // Another publisher starts from the checkpoint before.
    if (chance.of(failing / 4)) next[feed] = Math.max(0, from - chance.between(0, 4));
  }
}

export function historyOf(chance: Chance): History {
  const happenings = happen(chance);
  const published = publish(happenings, chance);
  const records = published.map((numbers) =>
    numbers.map((number, offset): IncomingRecord => {
      const { key, position, garbage } = happenings[number] as Happening;
      return {
        offset,
        timestamp: position.recordedAt,
        key,
        value: Buffer.from(garbage ? "garbage" : String(number)),
        headers: { [positionHeader]: formatPosition(position) },
      };
    }),
  );
  return {
    happenings,
    records,
    below(partition, end) {
      const first = new Map<number, number>();
      for (const [offset, number] of (published[partition] ?? []).slice(0, end).entries()) {
        if (!first.has(number)) first.set(number, offset);
      }
      return [...first].map(([number, offset]) => ({ happening: happenings[number] as Happening, offset }));
    },
  };
}

/** Where a happening stands when it was first appended at `offset`. */
export const placed = (happening: Happening, partition: number, offset: number): PureInput => ({
  ...happening,
  source: { topic, partition, offset },
});
