import {
  boolean,
  date,
  type FoldContext,
  hidden,
  indexed,
  instant,
  integer,
  type JsonValue,
  json,
  oneOf,
  projection,
  type Row,
  restricted,
  table,
  text,
  texts,
  uuid,
  uuids,
} from "../../engine/projector/definition.js";
import { type Clock, clockOf, isLatest } from "../clock.js";
import { openedText } from "../opened.js";
import { demographicsOf } from "./demographics.js";
import { identifierSurvivorsOf } from "./identifier-survivors.js";
import { mostPatientsLinked, personsOf } from "./persons.js";

const tables = {
  patients: table({
    key: ["patient_id"],
    comment: "One row a patient record of a facility. Rows of one person are linked in persons.",
    columns: {
      patient_id: uuid("Surrogate id of the sending facility's own identifier."),
      status: oneOf(["active", "merged", "erased"], "merged: retired in favour of merged_into."),
      merged_into: indexed(uuid("The record that stands for this one, by the latest merge.")),
      sex: text("Administrative sex as sent (HL7 table 0001)."),
      birth_year: integer("Year of birth."),
      deceased: boolean("Whether the patient is known to have died."),
      partners: texts("Partners that sent facts about the patient."),
      first_seen_at: instant("Recorded time of the first fact about the patient."),
      family_name: restricted(text("Family name.")),
      given_names: restricted(texts("Given names in order.")),
      birth_date: restricted(date("Birth date; null when not known to the day (see birth_year).")),
      address: restricted(text("Address, one line, parts separated by commas.")),
      telecom: restricted(texts("Telephone numbers and mail addresses.")),
      clocks: hidden(json("When each clear attribute, and the merge, was last told.")),
      sealed_clocks: hidden(restricted(json("When each restricted attribute was last told."))),
    },
  }),
  patient_identifiers: table({
    key: ["patient_id", "identifier_id"],
    comment: "Identifiers of patients.",
    columns: {
      patient_id: uuid("The patient."),
      identifier_id: uuid("Surrogate id of authority, type and value: equal where these are equal."),
      authority: text("Assigning authority."),
      type: text("Identifier type code (HL7 table 0203)."),
      strong: boolean("Whether it links patient records to one person, as the partner's profile decided."),
      source: oneOf(["pid", "mrg"], "pid: a message gave it as the patient's; mrg: only known from a merge."),
      value: restricted(text("The identifier itself.")),
    },
  }),
  identifier_merges: table({
    key: ["patient_id", "old_identifier_id"],
    hidden: true,
    comment: "Latest merge of each identifier of a retired patient.",
    columns: {
      patient_id: uuid("The retired patient."),
      old_identifier_id: uuid("The identifier no longer in use."),
      old_authority: text("Its authority."),
      old_type: text("Its type."),
      old_value: restricted(text("Its value.")),
      new_identifier_id: uuid("The identifier that stands for it."),
      new_authority: text("Its authority."),
      new_type: text("Its type."),
      at: json("When, as a clock."),
    },
  }),
} as const;

type PatientContext = FoldContext<typeof tables, "PatientRegistered" | "PatientUpdated" | "PatientsMerged">;
type IdentifierFact = PatientContext["event"] extends infer Event
  ? Event extends { readonly identifiers: readonly (infer Identifier)[] }
    ? Identifier
    : never
  : never;

/** What every fact about a patient tells, for a row that may be new. */
function seen({ event, position, tables: rows }: PatientContext): Row {
  const row = rows.patients.get();
  const partners = (row?.partners ?? []) as readonly string[];
  const first = row?.first_seen_at as number | undefined;
  return {
    ...(row ?? { status: "active", clocks: {}, sealed_clocks: {} }),
    partners: partners.includes(event.meta.source) ? partners : [...partners, event.meta.source].sort(),
    first_seen_at: Math.min(first ?? position.recordedAt, position.recordedAt),
  };
}

/**
 * Adds an identifier, or what is now known of it. Nothing here depends on order: strong once is strong, `pid` stands
 * over `mrg`, and equal ids have equal values. So a message that repeats its identifiers changes no row.
 */
function identify(
  { tables: rows }: PatientContext,
  { identifierId, authority, type, strong }: IdentifierFact,
  source: "pid" | "mrg",
  value: string | undefined,
): void {
  const row = rows.patient_identifiers.get({ identifier_id: identifierId });
  rows.patient_identifiers.put({
    identifier_id: identifierId,
    authority,
    type,
    strong: strong || row?.strong === true,
    source: row?.source === "pid" ? "pid" : source,
    value: row?.value ?? openedText(value),
  });
}

function tell(context: FoldContext<typeof tables, "PatientRegistered" | "PatientUpdated">): undefined {
  const { event, sealed, tables: rows } = context;
  const row = seen(context);
  rows.patients.put({ ...row, ...demographicsOf(context, row) });
  for (const [index, identifier] of event.identifiers.entries()) {
    identify(context, identifier, "pid", sealed?.identifierValues?.[index]);
  }
}

function merge(context: FoldContext<typeof tables, "PatientsMerged">): undefined {
  const { event, sealed, tables: rows } = context;
  const at = clockOf(context);
  const row = seen(context);
  const clocks = row.clocks as unknown as { readonly merged?: Clock };
  const retires = event.role === "RETIRED" && event.retiredPatientId !== event.survivingPatientId;
  if (retires && isLatest(at, clocks.merged)) {
    const told = { status: "merged", merged_into: event.survivingPatientId };
    rows.patients.put({ ...row, ...told, clocks: { ...clocks, merged: at } as unknown as JsonValue });
  } else rows.patients.put(row);
  for (const [index, { retired, surviving }] of event.merges.entries()) {
    const value = sealed?.values?.[index];
    if (event.role === "SURVIVING") identify(context, surviving, "mrg", value);
    if (event.role !== "RETIRED") continue;
    identify(context, retired, "mrg", value);
    const before = rows.identifier_merges.get({ old_identifier_id: retired.identifierId });
    const stands = isLatest(at, before?.at as unknown as Clock | undefined);
    rows.identifier_merges.put({
      ...before,
      ...(stands || !before
        ? {
            old_identifier_id: retired.identifierId,
            old_authority: retired.authority,
            old_type: retired.type,
            new_identifier_id: surviving.identifierId,
            new_authority: surviving.authority,
            new_type: surviving.type,
            at: at as unknown as JsonValue,
          }
        : {}),
      old_value: before?.old_value ?? openedText(value),
    });
  }
}

export default projection({
  name: "patients",
  version: 1,
  tables,
  fold: { PatientRegistered: tell, PatientUpdated: tell, PatientsMerged: merge },
  derived: {
    persons: {
      comment: "One row a person: patient records that were merged or share a strong identifier.",
      key: ["person_id"],
      columns: {
        person_id: uuid("Smallest of the patient ids."),
        patient_ids: uuids(
          `The person's patient records, sorted. An identifier on more than ${mostPatientsLinked} records links none.`,
        ),
      },
      from: ["patients", "patient_identifiers"],
      derive: (rows) => personsOf(rows.patients ?? [], rows.patient_identifiers ?? []),
    },
    identifier_survivors: {
      comment:
        "Which identifier stands for a merged one now, chains followed to the end; none where they run in a circle.",
      key: ["authority", "type", "value"],
      restricted: true,
      columns: {
        authority: text("Assigning authority of the merged identifier."),
        type: text("Its type code."),
        value: text("Its value."),
        survivor_authority: text("Assigning authority of the identifier that stands for it."),
        survivor_type: text("Its type code."),
        survivor_value: text("Its value."),
      },
      from: ["identifier_merges", "patient_identifiers"],
      derive: (rows) => identifierSurvivorsOf(rows.identifier_merges ?? [], rows.patient_identifiers ?? []),
    },
  },
});
