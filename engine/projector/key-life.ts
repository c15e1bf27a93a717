import { Changes } from "./changes.js";
import { Entity, type Slot } from "./entity.js";
import { tellsAnew } from "./erasures.js";
import type { LaneEvent } from "./events.js";
import { withEvent } from "./origins.js";
import { differenceOf, retellRows, type TellOptions, type Told, tell, tellNext } from "./retelling.js";

/**
 * A key from its first event on, in the order of the log, as a lane that meets each for the first time has it: events of
 * units translated again fold it anew where they come. Rows have the event that changed them last.
 */
export function liveThrough(options: TellOptions, key: string, events: readonly LaneEvent[]): Told {
  const { layout, machine } = options;
  const entity = new Entity(key);
  const changes = new Changes(layout);
  let standing: readonly LaneEvent[] = [];
  let parked: Told["parked"];
  for (const event of events) {
    if (tellsAnew(layout, event) && !event.refused) {
      const before = tell(options, key, standing);
      standing = withEvent(standing, event);
      const after = tell(options, key, standing);
      changes.book(differenceOf(layout, before.changes, after.changes));
      retellRows(machine, changes, entity, after.entity, event);
      parked = after.parked;
      continue;
    }
    standing = withEvent(standing, event);
    parked = tellNext(options, { entity, changes, parked }, event);
  }
  return { entity, changes, parked };
}

/** Makes an entity's rows those of another, with the events that changed them last; what differs is to be written. */
export function adoptRows(changes: Changes, entity: Entity, other: Entity): void {
  const write = (slot: Slot, table: number) => {
    if (slot.dirty) return;
    slot.dirty = true;
    changes.keyed[table]?.push(slot);
  };
  for (const table of changes.keyed.keys()) {
    const gone = new Set(entity.slots(table));
    for (const { rest, row, recordedAt, offset } of other.slots(table)) {
      if (!row) continue;
      const slot = entity.ensureSlot(table, rest);
      gone.delete(slot);
      Object.assign(slot, { row, recordedAt, offset });
      write(slot, table);
    }
    for (const slot of gone) {
      if (!slot.row) continue;
      slot.row = undefined;
      write(slot, table);
    }
  }
}
