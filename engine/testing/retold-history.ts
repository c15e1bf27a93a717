import type { EventType } from "../projector/definition.js";
import type { FoldInput } from "../projector/fold.js";
import { type Note, note } from "./notes.js";
import { Chance } from "./simulation/random.js";

const acts: readonly Note["act"][] = ["set", "line", "delete", "line", "set", "park"];
/** Where an event of a unit stands in the journal. */
export const unitPlace = (partition: number, offset: number, index = 0) => ({
  journal: "j",
  partition,
  offset,
  index,
  recordedAt: 1_700_000_000_000 + offset * 10 + partition,
});

/** A number below another. */
export type Dice = { readonly below: (end: number) => number };
export const diceOf = (seed: number): Dice => {
  const chance = new Chance(seed);
  return { below: (end) => chance.between(0, end - 1) };
};

export interface Unit {
  readonly partition: number;
  readonly offset: number;
  /** Keys with events of it, in all translations so far, and the events of the last one. */
  standing: FoldInput[];
  generation: number;
}

/** Units of two feeds, some of them translated again at any moment, on few keys of two partitions. */
export function retoldHistory(random: Dice, count: number) {
  const ends: [number, number] = [1, 1];
  const units: Unit[] = [];
  const log: FoldInput[] = [];
  const next = (partition: number) => ends[partition as 0 | 1]++;
  const anyNote = (key: number) => {
    const act = acts[random.below(acts.length)] as Note["act"];
    return note(key, random.below(3) > 0 && act === "park" ? "set" : act, "abc"[random.below(3)], key % 2);
  };
  for (let number = 0; number < count; number++) {
    const partition = random.below(2);
    if (units.length > 0 && random.below(3) === 0) {
      const unit = units[random.below(units.length)] as Unit;
      const offset = next(unit.partition);
      unit.generation++;
      const origin = { journal: "j", partition: unit.partition, offset: unit.offset };
      const made = Array.from({ length: random.below(3) }, () => anyNote(random.below(4)));
      const keys = new Set(made.map(({ key }) => key));
      for (const { key, source } of unit.standing) {
        if (keys.has(key)) continue;
        keys.add(key);
        made.push({ ...note(0, "set"), type: "FactWithdrawn", key, source: { ...source, offset: 0 } });
      }
      const events = made.map((event, index): FoldInput => {
        const meta = { ...(event.event as { meta: object }).meta, generation: unit.generation, origin };
        return { ...event, event: { ...event.event, meta }, position: unitPlace(unit.partition, offset, index) };
      });
      unit.standing = [...unit.standing.filter(({ key }) => !keys.has(key)), ...events];
      log.push(...events);
      continue;
    }
    const offset = next(partition);
    const events = Array.from({ length: 1 + random.below(2) }, (_, index) => ({
      ...anyNote(random.below(4)),
      position: unitPlace(partition, offset, index),
    }));
    units.push({ partition, offset, standing: events, generation: 0 });
    log.push(...events);
  }
  return { log, units };
}

/** Whether an event is of a unit that was translated again. */
export const isAgain = ({ event }: FoldInput) => (event as { meta: { origin?: object } }).meta.origin !== undefined;

/** Some of the keys erased on the way, and names in what is said. */
export function withErasures(log: readonly FoldInput[], random: Dice): FoldInput[] {
  return log.flatMap((event, index) => {
    const said = event.type === "VisitUpdated" ? { ...event, sealed: { name: `name ${index}` } } : event;
    if (random.below(9) > 0) return [said];
    const type: EventType = "SubjectErased";
    const meta = { id: `event-9${index}` };
    // Of a feed of its own, as erasures are.
    const position = { ...event.position, partition: 7, offset: index + 1, index: 0 };
    const anothers = random.below(2) === 0;
    return [said, { ...event, type, event: { meta, anothers }, sealed: null, position }];
  });
}
