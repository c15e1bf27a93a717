import {
  type FoldContext,
  hidden,
  indexed,
  instant,
  type JsonValue,
  json,
  oneOf,
  projection,
  restricted,
  table,
  text,
  uuid,
} from "../../engine/projector/definition.js";
import { type Clock, clockOf, compareClocks, isLatest } from "../clock.js";
import { openedText } from "../opened.js";
import { identifierTables, identify } from "./identifiers.js";
import { type VisitStep, visitState, visitStatuses, withStep } from "./visit-state.js";

const tables = {
  visits: table({
    key: ["visit_id"],
    history: true,
    comment: "One row a visit, as its messages tell it by their own time, cancels and late messages applied.",
    columns: {
      visit_id: uuid("Surrogate id of the visit: authority and visit number."),
      patient_id: indexed(uuid("Patient of the latest message that names one; follow patients.merged_into.")),
      facility: text("Facility that sent the latest message about the visit itself, else the latest that mentions it."),
      partner: text("Partner that sent that message."),
      class: text("Patient class (PV1-2.1), as last sent."),
      status: indexed(
        oneOf(
          visitStatuses,
          "pre_admitted: announced or pending; in_progress: admitted or registered; finished: discharged; cancelled; referenced: only mentioned so far.",
        ),
      ),
      location: text("Assigned location (PV1-3) as sent, transfers and their cancels applied."),
      authority: text("Assigning authority of the visit number."),
      started_at: instant("Start as stated (PV1-44), else the time of the admission or registration; UTC."),
      ended_at: instant("End as stated (PV1-45), else the time of the discharge; null when not finished; UTC."),
      replaced_by: indexed(
        uuid("The visit whose number stands for this one now (A42, A50, and A06 or A07 with MRG-5); null as a rule."),
      ),
      cancelled_at: instant("Time of the cancel; null unless cancelled; UTC."),
      visit_number: restricted(text("Visit number as the facility writes it.")),
      steps: hidden(json("Steps that status and location follow from, by their clocks.")),
      clocks: hidden(json("When class, patient and sender were last told.")),
    },
  }),
  ...identifierTables,
} as const;

type VisitType =
  | "VisitPreAdmitted"
  | "VisitStarted"
  | "VisitUpdated"
  | "VisitTransferred"
  | "VisitEnded"
  | "VisitCancelled"
  | "TransferCancelled"
  | "EndCancelled"
  | "VisitMoved"
  | "VisitIdentifiersLeft"
  | "VisitsMerged";
type VisitContext = FoldContext<typeof tables, VisitType>;

interface Clocks {
  readonly class?: Clock;
  readonly patient?: Clock;
  readonly replaced?: Clock;
  /** Of which visit it was last said that it stands for this one, whether it still does. */
  readonly by?: string;
  /** When it was last said of visits that this one stands for them. */
  readonly stands?: Readonly<Record<string, Clock>>;
  /** Whether the sender's message was about the visit itself, and when. */
  readonly sender?: readonly [about: number, ...Clock];
}

/** What a message tells beside the step. `mention`: it only names the visit. */
interface Told {
  readonly step?: Omit<VisitStep, "at">;
  readonly class?: string | null;
  readonly mention?: boolean;
  /** The visit that stands for this one from now on. */
  readonly replacedBy?: string;
  /** A visit for which this one stands from now on. */
  readonly standsFor?: string;
  /** Its identifiers are no longer the visit's. */
  readonly left?: boolean;
}

/** Leaves out what wasn't given, since a hidden column is paid for with every write. */
const step = (is: VisitStep["is"], location?: string | null, stated?: number | null): Omit<VisitStep, "at"> => ({
  is,
  ...(location ? { location } : {}),
  ...(stated === null || stated === undefined ? {} : { stated }),
});

function isLatestSender(sender: NonNullable<Clocks["sender"]>, before: Clocks["sender"]): boolean {
  if (!before || sender[0] !== before[0]) return !before || sender[0] > before[0];
  return isLatest(sender.slice(1) as unknown as Clock, before.slice(1) as unknown as Clock);
}

/**
 * What is known of the numbers that stand for each other. A visit may come back to a number that another stood for (an
 * outpatient becomes an inpatient by A06, and an outpatient again by A07): then nothing stands for that one any more.
 */
function replaced(
  clocks: Clocks,
  { replacedBy, standsFor }: Told,
  at: Clock,
): Pick<Clocks, "replaced" | "by" | "stands"> {
  if (replacedBy !== undefined && isLatest(at, clocks.replaced)) return { replaced: at, by: replacedBy };
  if (standsFor === undefined || !isLatest(at, clocks.stands?.[standsFor])) return {};
  const stands = Object.entries({ ...clocks.stands, [standsFor]: at });
  return { stands: Object.fromEntries(stands.sort(([left], [right]) => (left < right ? -1 : 1))) };
}

function standingFor({ replaced: at, by, stands }: Clocks): string | null {
  if (at === undefined || by === undefined) return null;
  const back = stands?.[by];
  return back !== undefined && compareClocks(back, at) > 0 ? null : by;
}

function tell(context: VisitContext, told: Told): undefined {
  const { event, sealed, tables: rows } = context;
  const row = rows.visits.get();
  const at = clockOf(context);
  const clocks = (row?.clocks ?? {}) as unknown as Clocks;
  const before = (row?.steps ?? []) as unknown as readonly VisitStep[];
  const steps = told.step ? withStep(before, { at, ...told.step }) : before;
  const state = visitState(steps);

  const sender = [told.mention ? 0 : 1, ...at] as const;
  const sends = isLatestSender(sender, clocks.sender);
  const names = event.patientId !== null && isLatest(at, clocks.patient);
  const classes = Boolean(told.class) && isLatest(at, clocks.class);
  const numbers = { ...clocks, ...replaced(clocks, told, at) };

  rows.visits.put({
    patient_id: names ? event.patientId : (row?.patient_id ?? null),
    facility: sends ? event.facility : (row?.facility ?? null),
    partner: sends ? event.meta.source : (row?.partner ?? null),
    class: classes ? (told.class ?? null) : (row?.class ?? null),
    status: state.status,
    location: state.location,
    authority: event.authority,
    started_at: state.startedAt,
    ended_at: state.endedAt,
    cancelled_at: state.cancelledAt,
    replaced_by: standingFor(numbers),
    visit_number: row?.visit_number ?? openedText(sealed?.visitNumber),
    steps: steps as unknown as JsonValue,
    clocks: {
      ...numbers,
      ...(classes ? { class: at } : {}),
      ...(names ? { patient: at } : {}),
      ...(sends ? { sender } : {}),
    },
  });
  if ("identifiers" in event && event.identifiers.length > 0) {
    identify(rows.visit_identifiers, event.identifiers, sealed?.identifierValues, told.left ? "gone" : "told", at);
  }
  return undefined;
}

export default projection({
  name: "visits",
  version: 5,
  tables,
  fold: {
    VisitPreAdmitted: (context) => {
      const { event } = context;
      return tell(context, { step: step(event.pending ? "pend" : "preadmit", event.location), class: event.class });
    },
    VisitStarted: (context) => {
      const { event } = context;
      const is = event.admission === "REGISTERED" ? "register" : "admit";
      return tell(context, { step: step(is, event.location, event.startedAt), class: event.class });
    },
    VisitUpdated: (context) => {
      const { event } = context;
      if (event.referenceOnly) return tell(context, { mention: true });
      return tell(context, { ...(event.location ? { step: step("locate", event.location) } : {}), class: event.class });
    },
    VisitTransferred: (context) => {
      const { event } = context;
      return tell(context, { ...(event.location ? { step: step("move", event.location) } : {}), class: event.class });
    },
    VisitEnded: (context) => {
      const { event } = context;
      return tell(context, { step: step("end", null, event.endedAt), class: event.class });
    },
    VisitCancelled: (context) => {
      const { cancels } = context.event;
      if (cancels === "UNKNOWN") return tell(context, {});
      const steps = { START: "cancel-start", PRE_ADMISSION: "cancel-preadmission", VISIT: "cancel-visit" } as const;
      return tell(context, { step: step(steps[cancels]) });
    },
    // Whose visit it is changes with the patient that every message names; the step is that somebody says so.
    VisitMoved: (context) => tell(context, {}),
    VisitIdentifiersLeft: (context) => tell(context, { mention: true, left: true }),
    VisitsMerged: (context) => {
      const { role, survivingVisitId, retiredVisitId } = context.event;
      if (survivingVisitId === retiredVisitId) return tell(context, { mention: true });
      return tell(context, {
        mention: true,
        ...(role === "RETIRED" && { replacedBy: survivingVisitId }),
        ...(role === "SURVIVING" && { standsFor: retiredVisitId }),
      });
    },
    TransferCancelled: (context) => tell(context, { step: step("cancel-move") }),
    EndCancelled: (context) => tell(context, { step: step("cancel-end") }),
  },
});
