import type { ColumnValue, FoldContext, JsonValue, Row, Table } from "../../engine/projector/definition.js";
import { type Clock, clockOf, isLatest } from "../clock.js";
import { openedDay, openedText, openedTexts } from "../opened.js";

type Told = FoldContext<Readonly<Record<string, Table>>, "PatientRegistered" | "PatientUpdated">;
type Attribute = readonly [column: string, name: string, value: ColumnValue];

/** Clear attributes: column, name in `cleared`, value told. */
const clearAttributes = ({ event }: Told): readonly Attribute[] => [
  ["sex", "sex", event.sex],
  ["birth_year", "birthYear", event.birthYear],
  ["deceased", "deceased", event.deceased],
];

const sealedAttributes = ({ sealed }: Told): readonly Attribute[] => [
  ["family_name", "familyName", openedText(sealed?.familyName)],
  ["given_names", "givenNames", openedTexts(sealed?.givenNames)],
  ["birth_date", "birthDate", openedDay(sealed?.birthDate)],
  ["address", "address", openedText(sealed?.address)],
  ["telecom", "telecom", openedTexts(sealed?.telecom)],
  ["extensions", "extensions", openedExtensions(sealed?.extensions)],
];

/** Names and values as one object; what Postgres can't hold as text is left out, as everywhere in sealed content. */
function openedExtensions(extensions: readonly { name: string; value: string }[] | undefined): ColumnValue {
  const texts: Record<string, string> = {};
  for (const { name, value } of extensions ?? []) {
    const [key, content] = [openedText(name), openedText(value)];
    if (key !== null && content !== null) texts[key] = content;
  }
  return Object.keys(texts).length > 0 ? texts : null;
}

function latest(
  told: Told,
  row: Row,
  clocksColumn: string,
  attributes: readonly Attribute[],
): Readonly<Record<string, ColumnValue>> {
  const at = clockOf(told);
  const clocks: Record<string, Clock> = { ...(row[clocksColumn] as unknown as Record<string, Clock> | null) };
  const columns: Record<string, ColumnValue> = {};
  for (const [column, name, value] of attributes) {
    const before = row[column] ?? null;
    const says = value !== null || told.event.cleared.includes(name);
    const stands = says && isLatest(at, clocks[column]);
    if (stands) clocks[column] = at;
    columns[column] = stands ? value : before;
  }
  return { ...columns, [clocksColumn]: clocks as unknown as JsonValue };
}

/**
 * Columns of a patient after a message: each attribute by itself the last one told, by event time and then position,
 * whatever the order of arrival. Three-valued: a value sets, a name in `cleared` clears, anything else keeps.
 * What is restricted has its clocks apart, since only sealed content moves them.
 */
export const demographicsOf = (told: Told, row: Row): Readonly<Record<string, ColumnValue>> => ({
  ...latest(told, row, "clocks", clearAttributes(told)),
  ...latest(told, row, "sealed_clocks", sealedAttributes(told)),
});
