import {
  boolean,
  hidden,
  type JsonValue,
  json,
  type KeyedRows,
  restricted,
  table,
  text,
  uuid,
} from "../../engine/projector/definition.js";
import { type Clock, compareClocks } from "../clock.js";
import { openedText } from "../opened.js";

export const identifierTables = {
  visit_identifiers: table({
    key: ["visit_id", "identifier_id"],
    comment: "Alternate identifiers of visits, beside their numbers (PV1-50), with those that were assigned in error.",
    columns: {
      visit_id: uuid("The visit."),
      identifier_id: uuid("Surrogate id of authority, type and value: equal where these are equal."),
      authority: text("Assigning authority."),
      type: text("Identifier type code (HL7 table 0203); empty when none was given."),
      in_use: boolean("False when it was assigned in error, and not given to the visit again since (A51)."),
      value: restricted(text("The identifier itself.")),
      told: hidden(json("When it was last told as the visit's, as a clock.")),
      gone: hidden(json("When it was last told to have been assigned in error, as a clock.")),
    },
  }),
} as const;

/** An alternate identifier as an event has it. */
interface Identifier {
  readonly identifierId: string;
  readonly authority: string;
  readonly type: string;
}

const laterOf = (one: Clock, other: Clock | undefined): Clock =>
  other !== undefined && compareClocks(other, one) > 0 ? other : one;

/**
 * Keeps that identifiers are a visit's, or that they are so no longer. Nothing here depends on the order in which it is
 * told: what counts is which was said last.
 * @param values of the identifiers, in their order, where they could be opened.
 */
export function identify(
  rows: KeyedRows,
  identifiers: readonly Identifier[],
  values: readonly string[] | undefined,
  said: "told" | "gone",
  at: Clock,
): void {
  for (const [index, { identifierId, authority, type }] of identifiers.entries()) {
    const row = rows.get({ identifier_id: identifierId });
    const before = { told: clockIn(row?.told), gone: clockIn(row?.gone) };
    const told = said === "told" ? laterOf(at, before.told) : before.told;
    const gone = said === "gone" ? laterOf(at, before.gone) : before.gone;
    rows.put({
      identifier_id: identifierId,
      authority,
      type,
      in_use: told !== undefined && (gone === undefined || compareClocks(told, gone) > 0),
      value: row?.value ?? openedText(values?.[index]),
      told: (told ?? null) as unknown as JsonValue,
      gone: (gone ?? null) as unknown as JsonValue,
    });
  }
}

const clockIn = (value: unknown): Clock | undefined => (value ?? undefined) as Clock | undefined;
