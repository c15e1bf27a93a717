import { type AmountFormat, readCents } from "./amount.js";
import type { Layout, Source } from "./layout.js";
import { type Moment, patternOf, readMoment } from "./moment.js";
import type { FieldName, Profile } from "./profile.js";

/** What is wrong with a value, and in which column. */
export interface ValueProblem {
  readonly code: string;
  readonly column: string;
}

/** Longest value taken. */
const longestValue = 10_000;

/** A long number as a spreadsheet shows it: what it was is lost, and the next one may look the same. */
const rounded = /^\d(?:[.,]\d+)?E\+\d{2,}$/i;

/** Whether a text begins and ends with what is printed: asked before the library, which most texts have no need of. */
function isTrimmed(text: string): boolean {
  const [first, last] = [text.charCodeAt(0), text.charCodeAt(text.length - 1)];
  return first > 32 && first < 127 && last > 32 && last < 127;
}

/** Formats of a profile, made ready once. */
export interface Formats {
  readonly amounts: AmountFormat;
  readonly dates: readonly RegExp[];
  readonly zone: string;
  readonly trim: boolean;
  /** Texts that mean nothing, beside none at all. */
  readonly empty: ReadonlySet<string>;
  /** The last one read: the rows of a remittance have one day. */
  last: { readonly text: string; readonly moment: Moment | null };
}

export function formatsOf({ amounts, dates, timeZone, writing }: Profile): Formats {
  return {
    amounts,
    dates: dates.map(patternOf).filter((pattern) => pattern !== null),
    zone: timeZone,
    trim: writing.trim,
    empty: new Set(writing.empty.filter((text) => text !== "")),
    last: { text: "", moment: null },
  };
}

/** Reads the values of a row. The first that is wrong is remembered, and stands for the row. */
export class Reading {
  problem: ValueProblem | null = null;
  readonly #texts: readonly string[];
  readonly #layout: Layout;
  readonly #formats: Formats;

  constructor(texts: readonly string[], layout: Layout, formats: Formats) {
    this.#texts = texts;
    this.#layout = layout;
    this.#formats = formats;
  }

  /** The text at an index of the row; empty when it means nothing. */
  at(index: number): string {
    const { trim, empty } = this.#formats;
    const raw = this.#texts[index] ?? "";
    const text = trim && !isTrimmed(raw) ? raw.trim() : raw;
    // To look a text up is to read all of it.
    return empty.size > 0 && empty.has(text) ? "" : text;
  }

  refuse(code: string, column: string): void {
    this.problem ??= { code, column };
  }

  /** Empty when the row doesn't say it. */
  text(field: FieldName): string {
    const source = this.#layout.sources.get(field);
    if (!source) return "";
    const said = source.at < 0 ? "" : this.at(source.at);
    const text = said === "" ? source.value : this.#translated(said, source);
    if (text === "" && source.required) this.refuse("CSV_VALUE_MISSING", source.name);
    if (text.length > longestValue) this.refuse("CSV_VALUE_TOO_LONG", source.name);
    return text;
  }

  /** Text by which something is known: a number of a claim, a visit, a member. Empty when the row doesn't say it. */
  identifier(field: FieldName): string {
    const text = this.text(field);
    this.refuseRounded(text, this.#nameOf(field));
    return text;
  }

  /** Refuses what a spreadsheet has rounded: two things would be one. */
  refuseRounded(text: string, column: string): void {
    if (text.includes("+") && rounded.test(text)) this.refuse("CSV_NUMBER_ROUNDED", column);
  }

  #translated(said: string, source: Source): string {
    if (source.values) {
      const meaning = source.values.get(said);
      if (meaning === undefined) this.refuse("CSV_VALUE_UNKNOWN", source.name);
      return meaning ?? "";
    }
    if (source.prefixes) {
      const meaning = source.prefixes.find(([prefix]) => said.startsWith(prefix));
      if (!meaning) this.refuse("CSV_VALUE_UNKNOWN", source.name);
      return meaning?.[1] ?? "";
    }
    return said;
  }

  /** Integer cents; null when the row doesn't say it. */
  cents(field: FieldName): number | null {
    const text = this.text(field);
    if (text === "") return null;
    const cents = readCents(text, this.#formats.amounts);
    if (typeof cents === "number") return cents;
    this.refuse(cents, this.#nameOf(field));
    return null;
  }

  /** The amount at an index of the row, in cents; null when there is none. */
  centsAt(index: number): number | null {
    const cents = readCents(this.at(index), this.#formats.amounts);
    return typeof cents === "number" ? cents : null;
  }

  moment(field: FieldName): Moment | null {
    const text = this.text(field);
    if (text === "") return null;
    const { last, dates, zone } = this.#formats;
    const moment = last.text === text ? last.moment : readMoment(text, dates, zone);
    if (last.text !== text) this.#formats.last = { text, moment };
    if (!moment) this.refuse("CSV_DATE", this.#nameOf(field));
    return moment;
  }

  #nameOf(field: FieldName): string {
    return this.#layout.sources.get(field)?.name ?? field;
  }
}
