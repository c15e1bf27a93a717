import {
  boolean,
  type ColumnValue,
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
      tellings: hidden(json("Who has it in a list of all, and what was told beside these; null where no list has it.")),
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
      tellings: json("As in patient_identifiers."),
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

/** When each source last gave a list of all identifiers that its record has. */
export type Lists = Readonly<Record<string, Clock>>;

/** When the record was last named by a message as its patient, before an event and after it; and what lists there are. */
export interface Named {
  readonly before: Clock | undefined;
  readonly now: Clock | undefined;
  readonly lists: Lists;
}

/** The identifiers of one record, in whatever order they are told, leave and come back. */
export interface RecordIdentifiers {
  readonly patient_identifiers: KeyedRows;
  readonly left_identifiers: KeyedRows;
}

type Source = (typeof sources)[number];

/** What messages told of an identifier that give no list of all. */
interface Mention {
  readonly strong: boolean;
  readonly source: Source;
}

/** What is known of an identifier. */
interface Fact {
  readonly mention: (Mention & { readonly at: Clock }) | undefined;
  /** Sources whose last list has it, and whether it is strong there. */
  readonly lists: Readonly<Record<string, boolean>>;
  readonly value: ColumnValue;
}

interface Place {
  readonly identifier_id: string;
  readonly authority: string;
  readonly type: string;
}

const clockIn = (value: unknown): Clock | undefined => (value ?? undefined) as Clock | undefined;
const laterOf = (one: Clock, other: Clock | undefined): Clock =>
  other !== undefined && compareClocks(other, one) > 0 ? other : one;

/** Reads a row of either table. @param toldAt when it was last mentioned, if it was. */
function factOf(row: Row, toldAt: Clock | undefined): Fact {
  const tellings = row.tellings as unknown as { mention: Mention | null; lists: Fact["lists"] } | null | undefined;
  const mention = tellings ? tellings.mention : { strong: row.strong === true, source: row.source as Source };
  return {
    mention: mention && toldAt ? { ...mention, at: toldAt } : undefined,
    lists: tellings?.lists ?? {},
    value: row.value ?? null,
  };
}

/** The columns that tell a fact, but for when. Names of sources are in one order, so equal facts are equal rows. */
function columnsOf({ mention, lists, value }: Fact): Row {
  const names = Object.keys(lists).sort();
  const said = mention ? { strong: mention.strong, source: mention.source } : null;
  const tellings = { mention: said, lists: Object.fromEntries(names.map((name) => [name, lists[name] === true])) };
  return {
    strong: mention?.strong === true || names.some((name) => lists[name]),
    source: names.length > 0 ? "pid" : (mention?.source ?? null),
    value,
    tellings: names.length > 0 ? (tellings as unknown as JsonValue) : null,
  };
}

/** What is known of an identifier, and when it last left. */
function known(rows: RecordIdentifiers, identifier_id: string, named: Clock | undefined) {
  const row = rows.patient_identifiers.get({ identifier_id });
  const left = rows.left_identifiers.get({ identifier_id });
  if (row) return { left, fact: factOf(row, clockIn(row.told_at) ?? named) };
  return { left, fact: left?.source ? factOf(left, clockIn(left.told_at)) : undefined };
}

const nothingKnown = { strong: null, source: null, value: null, told_at: null, tellings: null } as const;

/** When it was last told, in whatever way. */
function lastTold({ mention, lists }: Fact, all: Lists): Clock | undefined {
  return Object.keys(lists).reduce<Clock | undefined>((last, source) => {
    const listed = all[source];
    return listed ? laterOf(listed, last) : last;
  }, mention?.at);
}

/** Puts what is known of an identifier where it belongs: among the record's, among those that left it, or nowhere. */
function place(
  { patient_identifiers, left_identifiers }: RecordIdentifiers,
  { identifier_id, authority, type }: Place,
  fact: Fact,
  left: Row | undefined,
  { now, lists }: Pick<Named, "now" | "lists">,
): void {
  const told = lastTold(fact, lists);
  const { mention } = fact;
  if (told && (!left || compareClocks(told, left.left_at as unknown as Clock) > 0)) {
    const isNamed = now !== undefined && mention !== undefined && compareClocks(mention.at, now) === 0;
    const told_at = mention && !isNamed ? (mention.at as unknown as JsonValue) : null;
    patient_identifiers.put({ identifier_id, authority, type, ...columnsOf(fact), told_at });
    if (left) left_identifiers.put({ ...left, ...nothingKnown });
    return;
  }
  patient_identifiers.delete({ identifier_id });
  if (!left) return;
  const told_at = (mention?.at ?? null) as unknown as JsonValue;
  left_identifiers.put({ ...left, ...(told ? { ...columnsOf(fact), told_at } : nothingKnown) });
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
  source: Source,
  value: string | undefined,
  at: Clock,
  named: Named,
): void {
  const { left, fact } = known(rows, identifierId, named.before);
  const before = fact?.mention;
  const mention = {
    strong: strong || before?.strong === true,
    source: before?.source === "pid" ? "pid" : source,
    at: laterOf(at, before?.at),
  } as const;
  const told = { mention, lists: fact?.lists ?? {}, value: fact?.value ?? openedText(value) };
  place(rows, { identifier_id: identifierId, authority, type }, told, left, named);
}

/**
 * Takes a list of all identifiers that a source's record has: one that its last list had and this one has not is the
 * record's no longer, unless another source has it, or a message mentioned it beside lists. So is whether it is strong.
 * @param values in the order of the identifiers.
 * @param isLast whether no later list of the source is known: an earlier one says nothing any more.
 */
export function list(
  rows: RecordIdentifiers,
  identifiers: readonly IdentifierFact[],
  values: readonly string[] | undefined,
  { source, isLast }: { readonly source: string; readonly isLast: boolean },
  named: Named,
): void {
  const listed = new Set(identifiers.map(({ identifierId }) => identifierId));
  const all = isLast ? [...rows.patient_identifiers.all(), ...rows.left_identifiers.all()] : [];
  for (const row of all) {
    const { identifier_id, authority, type } = row as unknown as Place;
    const { fact, left } = known(rows, identifier_id, named.before);
    if (!fact || !Object.hasOwn(fact.lists, source) || listed.has(identifier_id)) continue;
    const { [source]: _, ...lists } = fact.lists;
    place(rows, { identifier_id, authority, type }, { ...fact, lists }, left, named);
  }
  for (const [index, { identifierId, authority, type, strong }] of identifiers.entries()) {
    const { left, fact } = known(rows, identifierId, named.before);
    if (!isLast && !fact) continue;
    const told: Fact = {
      mention: fact?.mention,
      lists: isLast ? { ...fact?.lists, [source]: strong } : (fact?.lists ?? {}),
      value: fact?.value ?? openedText(values?.[index]),
    };
    place(rows, { identifier_id: identifierId, authority, type }, told, left, named);
  }
}

/** Keeps when the identifiers were mentioned that the record's latest message doesn't. */
export function keepUnnamed(
  rows: RecordIdentifiers,
  mentioned: readonly IdentifierFact[],
  { before, now }: Pick<Named, "before" | "now">,
): void {
  if (before === undefined || now === undefined || before === now) return;
  for (const row of rows.patient_identifiers.all()) {
    if (row.told_at !== null || mentioned.some(({ identifierId }) => identifierId === row.identifier_id)) continue;
    if (factOf(row, before).mention) rows.patient_identifiers.put({ ...row, told_at: before as unknown as JsonValue });
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
  named: Named,
): void {
  const { left, fact } = known(rows, identifierId, named.now);
  if (left && !isLatest(at, left.left_at as unknown as Clock)) return;
  const identifier = { identifier_id: identifierId, authority, type };
  const gone: Row = { ...left, ...identifier, left_at: at as unknown as JsonValue, to_patient_id: to, reason };
  rows.left_identifiers.put(gone);
  if (fact) place(rows, identifier, fact, gone, named);
}
