import {
  bigint,
  date,
  type EventType,
  type Fold,
  type FoldContext,
  projection,
  summed,
  text,
} from "../../engine/projector/definition.js";
import { eventCatalog } from "../../schemas/events.generated.js";

const tables = {
  daily_activity: summed({
    key: ["day", "partner", "event_type"],
    comment: "How many events happened on a day, by partner and type.",
    columns: {
      day: date("Day of the event by the message's own time, in UTC."),
      partner: text("Partner whose message the event was made from."),
      event_type: text("Type of the event."),
      events: bigint("How many."),
    },
  }),
} as const;

function count({ type, event, tables: rows }: FoldContext<typeof tables>): undefined {
  const day = new Date(event.meta.time).toISOString().slice(0, 10);
  rows.daily_activity.add({ day, partner: event.meta.source, event_type: type }, { events: 1 });
}

const eventTypes = Object.keys(eventCatalog) as readonly EventType[];

export default projection({
  name: "daily_activity",
  version: 1,
  tables,
  fold: Object.fromEntries(eventTypes.map((type) => [type, count])) as unknown as Fold<typeof tables>,
});
