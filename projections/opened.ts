/**
 * Values out of opened sealed content. They may decide no clear column and no park, so what a column can't hold is
 * left out here instead of holding the whole event back.
 */

const unstorable = /[\0\p{Cs}]/gu;

/** @returns the text without what Postgres can't store (NUL, half a surrogate pair); null when nothing is left. */
export function openedText(value: string | null | undefined): string | null {
  if (value === null || value === undefined) return null;
  return value.replace(unstorable, "") || null;
}

/** @returns the texts that have something in them; null when none has. */
export function openedTexts(values: readonly string[] | null | undefined): readonly string[] | null {
  const kept = (values ?? []).map(openedText).filter((value) => value !== null);
  return kept.length > 0 ? kept : null;
}

/** @returns the day when `value` is a whole and real one (YYYY-MM-DD), else null. */
export function openedDay(value: string | null | undefined): string | null {
  if (!value || !/^(?!0000)\d{4}-\d{2}-\d{2}$/.test(value)) return null;
  const instant = new Date(`${value}T00:00:00Z`);
  // The calendar wraps over a day that isn't there, so the day has to come back as it was.
  return !Number.isNaN(instant.getTime()) && instant.toISOString().startsWith(value) ? value : null;
}
