import {
  type AnyProjection,
  bigint,
  instant,
  integer,
  projectionOfOthers,
  table,
  text,
} from "../../engine/projector/definition.js";
import { type ConsumerDefinition, consumer } from "../../engine/service/consumer.js";

/** The benchmark's event, as its schema has it. */
interface VisitEvent {
  readonly eventId: string;
  readonly visitId: string;
  readonly patientId: string;
  readonly type: string;
  readonly status: string;
  readonly ward: string | null;
  readonly facility: string;
  readonly occurredAt: number;
  readonly sequence: number;
  readonly chargeCents: number;
}

/** The benchmark's table: the last event of each visit. */
const visits = (topic: string): AnyProjection =>
  projectionOfOthers<{ VisitEvent: VisitEvent }>()({
    name: "visits",
    version: 1,
    topic,
    tables: {
      visits: table({
        comment: "The last event of each visit.",
        key: ["visit_id"],
        columns: {
          visit_id: text("Visit."),
          event_id: text("Event."),
          patient_id: text("Patient."),
          type: text("Type of the event."),
          status: text("Status."),
          ward: text("Ward, where there is one."),
          facility: text("Facility."),
          occurred_at: instant("When it happened."),
          sequence: integer("Number of the event in its visit."),
          charge_cents: bigint("Charge in cents."),
        },
      }),
    },
    fold: {
      VisitEvent: ({ event, tables }) => {
        tables.visits.put({
          event_id: event.eventId,
          patient_id: event.patientId,
          type: event.type,
          status: event.status,
          ward: event.ward,
          facility: event.facility,
          occurred_at: event.occurredAt,
          sequence: event.sequence,
          charge_cents: event.chargeCents,
        });
        return undefined;
      },
    },
  });

/** A consumer of the benchmark's topic. */
export const contender = (topic: string): ConsumerDefinition => consumer({ name: "bench", project: [visits(topic)] });
