import {
  appended,
  bigint,
  type EventType,
  type Fold,
  type FoldContext,
  indexed,
  instant,
  integer,
  projection,
  text,
  uuid,
} from "../../engine/projector/definition.js";
import { eventCatalog } from "../../schemas/events.generated.js";
import { lateEventsView } from "./late-events.js";

const tables = {
  timeline: appended({
    comment: "Everything that happened, one row an event, in no order of its own: sort by occurred_at or recorded_at.",
    columns: {
      event_id: text("Id of the event."),
      event_type: text("Type of the event."),
      patient_id: indexed(uuid("The patient concerned, when the event names one.")),
      visit_id: indexed(uuid("The visit concerned.")),
      claim_id: indexed(uuid("The claim concerned.")),
      remittance_id: indexed(uuid("The remittance concerned.")),
      partner: text("Partner whose message the event was made from."),
      occurred_at: indexed(instant("When it happened, by the message's own time; UTC.")),
      time_precision: text(
        "How exact occurred_at is where the sender did not tell seconds: YEAR, MONTH, DAY, HOUR or MINUTE.",
      ),
      recorded_at: instant("When the engine recorded the unit; of one translated again, when that was done."),
      generation: integer("Which translation of the unit says it, where it was translated again: 1 or more."),
      topic: text("Topic of the event."),
      partition: integer("Partition of the event."),
      offset: bigint("Offset of the event in its partition."),
      journal: text("Id of the intake journal that holds the unit."),
      journal_partition: integer("Partition of the unit in the journal."),
      journal_offset: bigint("Offset of the unit in the journal."),
      journal_index: integer("Number of the event among those of its unit, from 0."),
    },
  }),
} as const;

type Entry = FoldContext<typeof tables>;

/** Whom and what an event is about: its own key, and what it names beside it. */
function subjects({ type, event, key, source }: Entry) {
  // By the topic, as some events come on keys of several entities.
  const [, entity] = source.topic.split(".");
  const patient = "patientId" in event ? event.patientId : null;
  const remittance = "remittanceId" in event ? event.remittanceId : null;
  const visit = "visitId" in event ? event.visitId : null;
  // Events of the claims' topic that are about no single claim.
  if (type === "RemittanceReceived") return { remittance_id: key };
  if (type === "InterchangeAcknowledged") return {};
  return {
    patient_id: entity === "patient" ? key : patient,
    visit_id: entity === "visit" ? key : visit,
    claim_id: entity === "claim" ? key : null,
    remittance_id: remittance,
  };
}

/** Coarser than a second. */
const coarse: ReadonlySet<string> = new Set(["YEAR", "MONTH", "DAY", "HOUR", "MINUTE"]);

function enter(entry: Entry): undefined {
  const { type, event, position, source, tables: rows } = entry;
  rows.timeline.append({
    event_id: event.meta.id,
    event_type: type,
    ...subjects(entry),
    partner: event.meta.source,
    occurred_at: event.meta.time,
    time_precision: coarse.has(event.meta.timePrecision) ? event.meta.timePrecision : null,
    recorded_at: position.recordedAt,
    // Of most events there is nothing to tell: what is null takes no room.
    generation: event.meta.generation > 0 ? event.meta.generation : null,
    topic: source.topic,
    partition: source.partition,
    offset: source.offset,
    journal: position.journal,
    journal_partition: position.partition,
    journal_offset: position.offset,
    journal_index: position.index,
  });
}

const eventTypes = Object.keys(eventCatalog) as readonly EventType[];

export default projection({
  name: "timeline",
  version: 2,
  tables,
  views: { late_events: lateEventsView },
  fold: Object.fromEntries(eventTypes.map((type) => [type, enter])) as unknown as Fold<typeof tables>,
});
