import fc from "fast-check";
import type { AnyProjection } from "../projector/definition.js";
import { appended, integer, money, park, projection, summed, table, text, uuid } from "../projector/definition.js";
import type { FoldInput } from "../projector/fold.js";

export const poisonTopic = "health.visit.events";
export const poisonKey = (number: number) => `00000000-0000-4000-8000-${String(number).padStart(12, "0")}`;

/** Everything an event may do to a fold that was not made for it. */
export const poisons = ["throw", "park", "nul", "overflow", "money", "constraint", "sum", "key", "bytes"] as const;
export type Poison = (typeof poisons)[number];

/** What a made-up event says, in a field that a real one has. */
export interface Saying {
  readonly act: Poison | "set" | "line" | "delete" | "hang";
  readonly value: string;
}

const sayingOf = (event: unknown) => JSON.parse((event as { facility: string }).facility) as Saying;

/** A projection whose folds break in every way that one can; `mended`, it does something sensible instead. */
const sayings = (mended: boolean) =>
  projection({
    name: "sayings",
    version: 1,
    tables: {
      sayings: table({
        comment: "What was said last.",
        key: ["visit_id"],
        columns: { visit_id: uuid("Visit."), said: text("What."), times: integer("How often."), paid: money("Paid.") },
      }),
      lines: table({
        comment: "What was said, once each.",
        key: ["visit_id", "line"],
        columns: { visit_id: uuid("Visit."), line: text("What."), times: integer("How often.") },
      }),
      acts: summed({
        comment: "What was done.",
        key: ["act"],
        columns: { act: text("Act."), events: integer("Events."), cents: money("Cents.") },
      }),
      history: appended({ comment: "All.", columns: { visit_id: uuid("Visit."), said: text("What.") } }),
    },
    fold: {
      VisitUpdated: ({ event, key, tables }) => {
        const { act, value } = sayingOf(event);
        const isPoison = act === "hang" || poisons.some((poison) => poison === act);
        const row = tables.sayings.get();
        const times = Number(row?.times ?? 0) + 1;
        tables.acts.add({ act: isPoison ? "poison" : act }, { events: 1, cents: 7 });
        tables.history.append({ visit_id: key, said: value.slice(0, 100) });
        const say = (said: string) => tables.sayings.put({ said, times, paid: times });
        if (act === "delete") tables.sayings.delete();
        else if (act === "line") {
          const line = tables.lines.get({ line: value });
          tables.lines.put({ line: value, times: Number(line?.times ?? 0) + 1 });
        }
        if (act === "set" || (mended && isPoison)) say(value);
        if (mended) return undefined;
        while (act === "hang");
        if (act === "throw") throw new Error(`secret ${value}`);
        if (act === "park") return park("told to");
        if (act === "nul") say(`${value}\0`);
        if (act === "overflow") tables.sayings.put({ said: value, times: 2 ** 31 });
        if (act === "money") tables.sayings.put({ said: value, times, paid: 1e15 });
        // What Postgres alone refuses: a CHECK that the spec adds, a sum beyond its column.
        if (act === "constraint") say("refused");
        if (act === "sum") tables.acts.add({ act: "poison" }, { events: Number.MAX_SAFE_INTEGER, cents: 0 });
        if (act === "key") tables.lines.put({ line: "k".repeat(50_000_000), times: 1 });
        return undefined;
      },
    },
  }) as AnyProjection;

export const poisoned: AnyProjection = sayings(false);
export const mended: AnyProjection = sayings(true);

let made = 0;
/** Highest offset so far, by journal partition. */
const units = [0, 0];

/** An event of the log's next unit in a journal partition. */
export function saying(key: number, act: Saying["act"], value: string = act, journalPartition = 0): FoldInput {
  made++;
  const offset = (units[journalPartition] ?? 0) + 1;
  units[journalPartition] = offset;
  return {
    type: "VisitUpdated",
    key: poisonKey(key),
    event: { meta: { id: `event-${made}` }, facility: JSON.stringify({ act, value }) },
    sealed: null,
    position: {
      journal: "j",
      partition: journalPartition,
      offset,
      index: 0,
      recordedAt: 1_700_000_000_000 + made,
    },
    source: { topic: poisonTopic, partition: 0, offset: 0 },
  };
}

export const isBroken = ({ event }: FoldInput) => sayingOf(event).act === "bytes";

/** Plans of events: few keys, now and then a poison that the fold itself knows of. */
export const anySayings = fc.array(
  fc.record({
    key: fc.nat({ max: 5 }),
    act: fc.oneof(
      { arbitrary: fc.constantFrom<Saying["act"]>("set", "line", "delete"), weight: 8 },
      { arbitrary: fc.constantFrom<Saying["act"]>("throw", "park", "nul", "overflow", "money", "bytes"), weight: 1 },
    ),
    value: fc.constantFrom("a", "b", "c"),
    journalPartition: fc.nat({ max: 1 }),
  }),
  { minLength: 5, maxLength: 60 },
);
