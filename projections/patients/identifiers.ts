import {
  boolean,
  hidden,
  type JsonValue,
  json,
  type KeyedRows,
  oneOf,
  type Row,
  restricted,
  table,
  text,
  uuid,
} from "../../engine/projector/definition.js";
import { type Clock, compareClocks, isLatest } from "../clock.js";
import { openedText } from "../opened.js";

const sources = ["pid", "mrg"] as const;

export const identifierTables = {
  patient_identifiers: table({
    key: ["patient_id", "identifier_id"],
    comment: "Identifiers of patients.",
    columns: {
      patient_id: uuid("The patient."),
      identifier_id: uuid("Surrogate id of authority, type and value: equal where these are equal."),
      authority: text("Assigning authority."),
      type: text("Identifier type code (HL7 table 0203)."),
      strong: boolean("Whether it links patient records to one person, as the partner's profile decided."),
      source: oneOf(sources, "pid: a message gave it as the patient's; mrg: only known from a merge."),
      value: restricted(text("The identifier itself.")),
      told_at: hidden(json("When it was last told, as a clock; null: by the latest message that named the record.")),
    },
  }),
  left_identifiers: table({
    key: ["patient_id", "identifier_id"],
    hidden: true,
    comment: "When identifiers left a record, and what is known of those that did not come back.",
    columns: {
      patient_id: uuid("The patient."),
      identifier_id: uuid("The identifier."),
      authority: text("Assigning authority."),
      type: text("Identifier type code."),
      strong: boolean("Whether it was one that links records; null when it was never told, or came back."),
      source: oneOf(sources, "As in patient_identifiers; null when it was never told, or came back."),
      value: restricted(text("The identifier itself.")),
      told_at: json("When it was last told, as a clock; null when it never was, or came back."),
      left_at: json("When it last left, as a clock."),
      to_patient_id: uuid("The record that it was moved to."),
      reason: oneOf(["moved", "changed", "unknown"], "moved to another record, or another took its place."),
    },
  }),
} as const;

interface IdentifierFact {
  readonly identifierId: string;
  readonly authority: string;
  readonly type: string;
  readonly strong: boolean;
}

/** When the record was last named by a message as its patient, before an event and after it. */
export interface Named {
  readonly before: Clock | undefined;
  readonly now: Clock | undefined;
}

/** The identifiers of one record, in whatever order they are told, leave and come back. */
export interface RecordIdentifiers {
  readonly patient_identifiers: KeyedRows;
  readonly left_identifiers: KeyedRows;
}

const clockIn = (value: unknown): Clock | undefined => (value ?? undefined) as Clock | undefined;
const laterOf = (one: Clock, other: Clock | undefined): Clock =>
  other !== undefined && compareClocks(other, one) > 0 ? other : one;

/** What is known of an identifier, and when it was last told. */
function known(rows: RecordIdentifiers, identifier_id: string, named: Clock | undefined) {
  const row = rows.patient_identifiers.get({ identifier_id });
  const left = rows.left_identifiers.get({ identifier_id });
  const fact = row ?? (left?.source ? left : undefined);
  return { left, fact, toldAt: row ? (clockIn(row.told_at) ?? named) : clockIn(left?.told_at) };
}

/** Puts what is known of an identifier where it belongs: among the record's, or among those that left it. */
function place(
  { patient_identifiers, left_identifiers }: RecordIdentifiers,
  identifier: { readonly identifier_id: string; readonly authority: string; readonly type: string },
  fact: Pick<Row, "strong" | "source" | "value"> & { readonly toldAt: Clock },
  left: Row | undefined,
  named: Clock | undefined,
): void {
  const { toldAt, ...facts } = fact;
  const stands = !left || compareClocks(toldAt, left.left_at as unknown as Clock) > 0;
  if (stands) {
    const isNamed = named !== undefined && compareClocks(toldAt, named) === 0;
    patient_identifiers.put({
      ...identifier,
      ...facts,
      told_at: isNamed ? null : (toldAt as unknown as JsonValue),
    });
    if (left) left_identifiers.put({ ...left, strong: null, source: null, value: null, told_at: null });
    return;
  }
  patient_identifiers.delete({ identifier_id: identifier.identifier_id });
  left_identifiers.put({ ...left, ...facts, told_at: toldAt as unknown as JsonValue });
}

/**
 * Adds an identifier, or what is now known of it. Nothing here depends on order: strong once is strong, `pid` stands
 * over `mrg`, equal ids have equal values, and it is the record's unless it left after it was last told. A message that
 * repeats its identifiers changes no row.
 * @param at when it is told.
 */
export function identify(
  rows: RecordIdentifiers,
  { identifierId, authority, type, strong }: IdentifierFact,
  source: "pid" | "mrg",
  value: string | undefined,
  at: Clock,
  named: Named,
): void {
  const { left, fact, toldAt } = known(rows, identifierId, named.before);
  const facts = {
    strong: strong || fact?.strong === true,
    source: fact?.source === "pid" ? "pid" : source,
    value: fact?.value ?? openedText(value),
    toldAt: laterOf(at, toldAt),
  };
  place(rows, { identifier_id: identifierId, authority, type }, facts, left, named.now);
}

/** Keeps when the identifiers were told that the record's latest message no longer names. */
export function keepUnnamed(rows: RecordIdentifiers, told: readonly IdentifierFact[], { before, now }: Named): void {
  if (before === undefined || now === undefined || before === now) return;
  for (const row of rows.patient_identifiers.all()) {
    if (row.told_at !== null || told.some(({ identifierId }) => identifierId === row.identifier_id)) continue;
    rows.patient_identifiers.put({ ...row, told_at: before as unknown as JsonValue });
  }
}

/** Takes an identifier from the record, from a time on. */
export function leave(
  rows: RecordIdentifiers,
  { identifierId, authority, type }: IdentifierFact,
  {
    at,
    to,
    reason,
  }: { readonly at: Clock; readonly to: string | null; readonly reason: "moved" | "changed" | "unknown" },
  named: Clock | undefined,
): void {
  const { left, fact, toldAt } = known(rows, identifierId, named);
  if (left && !isLatest(at, left.left_at as unknown as Clock)) return;
  const identifier = { identifier_id: identifierId, authority, type };
  const gone: Row = { ...left, ...identifier, left_at: at as unknown as JsonValue, to_patient_id: to, reason };
  rows.left_identifiers.put(gone);
  if (!fact || !toldAt) return;
  const { strong, source, value } = fact;
  place(
    rows,
    identifier,
    { strong: strong ?? null, source: source ?? null, value: value ?? null, toldAt },
    gone,
    named,
  );
}
