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
import { type Clock, clockOf, compareClocks, isLatest } from "../clock.js";
import { openedText } from "../opened.js";
import { byIdentifierView } from "./by-identifier.js";
import { demographicsOf } from "./demographics.js";
import { heldMergesOf } from "./held-merges.js";
import { identifierSurvivorsOf } from "./identifier-survivors.js";
import { identifierTables, identify, keepUnnamed, type Lists, leave, list, type Named } from "./identifiers.js";
import { chainEnds, type MergeState, standingMerge, stillStands, withMerge } from "./merge-state.js";
import { mostPatientsLinked, personsOf } from "./persons.js";

const tables = {
  patients: table({
    key: ["patient_id"],
    history: true,
    comment: "One row a patient record of a facility. Rows of one person are linked in persons.",
    columns: {
      patient_id: uuid("Surrogate id of the sending facility's own identifier."),
      status: oneOf(
        ["active", "merged", "erased"],
        "merged: retired in favour of merged_into; erased: what identifies the patient was destroyed, and nothing was told of the patient since.",
      ),
      merged_into: indexed(uuid("The record that stands for this one, by the latest merge that was not undone.")),
      sex: text("Administrative sex as sent (HL7 table 0001)."),
      birth_year: integer("Year of birth."),
      deceased: boolean("Whether the patient is known to have died."),
      partners: texts("Partners that sent facts about the patient."),
      first_seen_at: instant("Recorded time of the first fact about the patient."),
      used_after_merge_at: instant(
        "Time of the latest message that still names this record after it was merged; null when none does; UTC.",
      ),
      family_name: restricted(text("Family name.")),
      given_names: restricted(texts("Given names in order.")),
      birth_date: restricted(date("Birth date; null when not known to the day (see birth_year).")),
      address: restricted(text("Address, one line, parts separated by commas.")),
      telecom: restricted(texts("Telephone numbers and mail addresses.")),
      extensions: restricted(
        json("What only one sender tells (its Z segments), by the names of its profile, as last sent."),
      ),
      clocks: hidden(json("When each clear attribute was last told, and when the record was last named.")),
      lists: hidden(json("When each source last gave a list of all its identifiers of the patient; null: none did.")),
      merges: hidden(json("What was last said of merges into each other record.")),
      sealed_clocks: hidden(restricted(json("When each restricted attribute was last told."))),
    },
  }),
  ...identifierTables,
  identifier_merges: table({
    key: ["patient_id", "old_identifier_id", "new_identifier_id"],
    hidden: true,
    comment: "Latest merge of each identifier of a retired patient into each other one.",
    columns: {
      patient_id: uuid("The retired patient."),
      old_identifier_id: uuid("The identifier no longer in use."),
      old_authority: text("Its authority."),
      old_type: text("Its type."),
      old_value: restricted(text("Its value.")),
      new_identifier_id: uuid("The identifier that stands for it."),
      new_authority: text("Its authority."),
      new_type: text("Its type."),
      new_patient_id: uuid("The patient that the merge names as the one that remains."),
      at: json("When, as a clock."),
      stands: boolean("False once the merge was undone."),
    },
  }),
  patient_links: table({
    key: ["patient_id", "other_patient_id"],
    hidden: true,
    comment: "Records said to be of one person although both stay in use.",
    columns: {
      patient_id: uuid("The patient."),
      other_patient_id: uuid("The other record."),
      at: json("When it was last said, as a clock."),
      linked: boolean("False once the link was undone."),
    },
  }),
  merge_holds: table({
    key: ["patient_id", "surviving_patient_id"],
    hidden: true,
    comment: "Merges asked for and not carried out.",
    columns: {
      patient_id: uuid("The record that would be retired."),
      surviving_patient_id: uuid("The record that would remain."),
      reason: oneOf(["types_differ", "unknown"], "Why it was not carried out."),
      at: json("When it was last asked for, as a clock."),
    },
  }),
} as const;

type PatientContext = FoldContext<
  typeof tables,
  | "PatientRegistered"
  | "PatientUpdated"
  | "PatientsMerged"
  | "PatientsUnmerged"
  | "PatientsLinked"
  | "PatientMergeHeld"
  | "PatientIdentifiersLeft"
>;
type Clocks = Readonly<Record<string, Clock | undefined>>;
/** When the record was last named, where nothing in this event moves it. */
function namedBy(row: Row | undefined): Named {
  const named = (row?.clocks as unknown as Clocks | undefined)?.named;
  return { before: named, now: named, lists: listsOf(row) };
}

const listsOf = (row: Row | undefined): Lists => (row?.lists ?? {}) as unknown as Lists;

/** With another list. Names of sources are in one order, so that equal facts are equal rows. */
const withList = (lists: Lists, source: string, at: Clock): Lists =>
  Object.fromEntries(Object.entries({ ...lists, [source]: at }).sort(([left], [right]) => (left < right ? -1 : 1)));

/** What every fact about a patient tells, for a row that may be new. */
function seen({ event, position, tables: rows }: PatientContext): Row {
  const row = rows.patients.get();
  const partners = (row?.partners ?? []) as readonly string[];
  const first = row?.first_seen_at as number | undefined;
  return {
    ...(row ?? { status: "active", clocks: {}, sealed_clocks: {}, merges: {} }),
    partners: partners.includes(event.meta.source) ? partners : [...partners, event.meta.source].sort(),
    first_seen_at: Math.min(first ?? position.recordedAt, position.recordedAt),
  };
}

const mergesOf = (row: Row): MergeState => row.merges as unknown as MergeState;

/** What follows from a record's merges: whether it is in use, and whether messages name it although it is not. */
function afterMerges(row: Row): Row {
  const standing = standingMerge(mergesOf(row));
  const named = (row.clocks as unknown as Clocks).named;
  const used = standing && named && compareClocks(named, standing.at) > 0 ? named[0] : null;
  const status = row.status === "erased" ? "erased" : standing ? "merged" : "active";
  return { ...row, status, merged_into: standing?.into ?? null, used_after_merge_at: used };
}

function tell(context: FoldContext<typeof tables, "PatientRegistered" | "PatientUpdated">): undefined {
  const { event, sealed, tables: rows } = context;
  const row = seen(context);
  const told: Row = { ...row, ...demographicsOf(context, row) };
  const at = clockOf(context);
  const clocks = told.clocks as unknown as Clocks;
  const isNewest = isLatest(at, clocks.named);
  const { identifiers, identifiersComplete, meta } = event;
  const [source, before] = [meta.source, listsOf(row)];
  const isLast = identifiersComplete && isLatest(at, before[source]);
  const lists = isLast ? withList(before, source, at) : before;
  const named = { before: clocks.named, now: isNewest ? at : clocks.named, lists };
  // Who is told of again after an erasure is known again, under a new key.
  rows.patients.put(
    afterMerges({
      ...told,
      status: "active",
      clocks: { ...clocks, named: named.now } as unknown as JsonValue,
      lists: Object.keys(lists).length > 0 ? (lists as unknown as JsonValue) : null,
    }),
  );
  if (isNewest) keepUnnamed(rows, identifiers, named);
  if (identifiersComplete) {
    list(rows, identifiers, sealed?.identifierValues, { source, isLast }, named);
    return;
  }
  for (const [index, identifier] of identifiers.entries()) {
    identify(rows, identifier, "pid", sealed?.identifierValues?.[index], at, named);
  }
}

function merge(context: FoldContext<typeof tables, "PatientsMerged">): undefined {
  const { event, sealed, tables: rows } = context;
  const at = clockOf(context);
  const row = seen(context);
  const named = namedBy(row);
  const retires = event.role === "RETIRED" && event.retiredPatientId !== event.survivingPatientId;
  const merges = retires ? withMerge(mergesOf(row), event.survivingPatientId, at, true) : mergesOf(row);
  rows.patients.put(afterMerges({ ...row, merges: merges as unknown as JsonValue }));
  for (const [index, { retired, surviving }] of event.merges.entries()) {
    const value = sealed?.values?.[index];
    if (event.role === "SURVIVING") identify(rows, surviving, "mrg", value, at, named);
    if (event.role !== "RETIRED") continue;
    identify(rows, retired, "mrg", value, at, named);
    const key = { old_identifier_id: retired.identifierId, new_identifier_id: surviving.identifierId };
    const before = rows.identifier_merges.get(key);
    const stands = isLatest(at, before?.at as unknown as Clock | undefined);
    const latest: Row =
      stands || !before
        ? {
            old_authority: retired.authority,
            old_type: retired.type,
            new_authority: surviving.authority,
            new_type: surviving.type,
            new_patient_id: event.survivingPatientId,
            at: at as unknown as JsonValue,
          }
        : {};
    const told: Row = { ...before, ...key, ...latest };
    rows.identifier_merges.put({
      ...told,
      stands: stillStands(merges, told.new_patient_id as string, told.at as unknown as Clock),
      old_value: before?.old_value ?? openedText(value),
    });
  }
  if (retires) restand(context, merges, event.survivingPatientId);
}

/** Tells of each identifier merged into a record's whether that stands, now that more is known of the two records. */
function restand({ tables: rows }: PatientContext, merges: MergeState, other: string): void {
  for (const row of rows.identifier_merges.all()) {
    if (row.new_patient_id !== other) continue;
    rows.identifier_merges.put({ ...row, stands: stillStands(merges, other, row.at as unknown as Clock) });
  }
}

function link(context: FoldContext<typeof tables, "PatientsLinked" | "PatientsUnmerged">, linked: boolean): void {
  const { event, tables: rows } = context;
  const key = { other_patient_id: event.otherPatientId };
  const at = clockOf(context);
  if (!isLatest(at, rows.patient_links.get(key)?.at as unknown as Clock | undefined)) return;
  rows.patient_links.put({ ...key, at: at as unknown as JsonValue, linked });
}

function unmerge(context: FoldContext<typeof tables, "PatientsUnmerged">): undefined {
  const { event, tables: rows } = context;
  const row = seen(context);
  const merges = withMerge(mergesOf(row), event.otherPatientId, clockOf(context), false);
  rows.patients.put(afterMerges({ ...row, merges: merges as unknown as JsonValue }));
  restand(context, merges, event.otherPatientId);
  link(context, false);
}

function hold(context: FoldContext<typeof tables, "PatientMergeHeld">): undefined {
  const { event, tables: rows } = context;
  rows.patients.put(seen(context));
  const key = { surviving_patient_id: event.survivingPatientId };
  const at = clockOf(context);
  if (!isLatest(at, rows.merge_holds.get(key)?.at as unknown as Clock | undefined)) return;
  const reason = event.reason === "TYPES_DIFFER" ? "types_differ" : "unknown";
  rows.merge_holds.put({ ...key, reason, at: at as unknown as JsonValue });
}

function lose(context: FoldContext<typeof tables, "PatientIdentifiersLeft">): undefined {
  const { event, tables: rows } = context;
  const row = seen(context);
  rows.patients.put(row);
  const reason = event.reason === "MOVED" ? "moved" : event.reason === "CHANGED" ? "changed" : "unknown";
  const left = { at: clockOf(context), to: event.toPatientId, reason } as const;
  for (const identifier of event.identifiers) leave(rows, identifier, left, namedBy(row));
}

/**
 * The engine empties what is restricted, here as in every projection. Whom only visits or claims name has no row, and an
 * erasure is no fact that makes one: no partner told of this patient.
 */
function erase({ tables: rows }: FoldContext<typeof tables, "PatientErased">): undefined {
  const row = rows.patients.get();
  if (row) rows.patients.put({ ...row, status: "erased" });
  return undefined;
}

export default projection({
  name: "patients",
  version: 5,
  tables,
  fold: {
    PatientRegistered: tell,
    PatientUpdated: tell,
    PatientsMerged: merge,
    PatientsUnmerged: unmerge,
    PatientsLinked: (context) => {
      context.tables.patients.put(seen(context));
      link(context, true);
      return undefined;
    },
    PatientMergeHeld: hold,
    PatientIdentifiersLeft: lose,
    PatientErased: erase,
  },
  views: { patients_by_identifier: byIdentifierView },
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
      from: ["patients", "patient_identifiers", "patient_links"],
      derive: (rows) => personsOf(rows.patients ?? [], rows.patient_identifiers ?? [], rows.patient_links ?? []),
    },
    patient_survivors: {
      comment:
        "The record that stands for a merged one now, chains followed to the end; none where they run in a circle.",
      key: ["patient_id"],
      columns: {
        patient_id: uuid("The merged record."),
        surviving_patient_id: uuid("The record at the end of its chain."),
      },
      from: ["identifier_merges"],
      derive: (rows) =>
        [...chainEnds(rows.identifier_merges ?? []).survivors].map(([patient_id, surviving_patient_id]) => ({
          patient_id,
          surviving_patient_id,
        })),
    },
    held_merges: {
      comment: "Merges that wait for a person to decide, with the reason.",
      key: ["patient_id", "surviving_patient_id"],
      columns: {
        patient_id: uuid("The record that would be retired."),
        surviving_patient_id: uuid("The record that would remain."),
        reason: oneOf(
          ["types_differ", "circle", "unknown"],
          "types_differ: the identifiers are of different types, and nothing was merged; circle: merges run in a circle, and no record of it survives.",
        ),
        held_at: instant("When it was last asked for, by the message's own time; UTC."),
      },
      from: ["merge_holds", "identifier_merges"],
      derive: (rows) => heldMergesOf(rows.merge_holds ?? [], rows.identifier_merges ?? []),
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
