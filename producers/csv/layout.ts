import { type FieldName, fieldNames, needed, type Profile, type SourceProfile } from "./profile.js";

/** Where a value is in a row, and what it may say. */
export interface Source {
  /** As a partner knows it: the column's name, or its position from 1. */
  readonly name: string;
  /** Index of the field; -1: there is no such column. */
  readonly at: number;
  readonly value: string;
  readonly values: ReadonlyMap<string, string> | null;
  readonly prefixes: readonly (readonly [string, string])[] | null;
  readonly required: boolean;
}

/** An identifier's column. */
export interface IdentifierSource {
  readonly name: string;
  readonly at: number;
  readonly authority: string;
  readonly type: string;
  readonly strong: boolean;
  readonly separator: string | null;
}

/** Where everything is in the rows of one file. */
export interface Layout {
  /** Fields of a row; null until the first row without a header. */
  readonly width: number | null;
  readonly sources: ReadonlyMap<FieldName, Source>;
  readonly identifiers: readonly IdentifierSource[];
  /** Columns whose sums the trailer tells. */
  readonly sums: readonly { readonly name: string; readonly at: number; readonly position: number }[];
}

/** What a partner calls a field of its rows: its column's name where the profile names it, else its position. */
export function columnName({ sources, identifiers }: Layout, index: number): string {
  const known = [...sources.values(), ...identifiers].find(({ at }) => at === index);
  return known && Number.isNaN(Number(known.name)) ? known.name : `column ${index + 1}`;
}

/** Why the rows of a file can't be read. `location` names columns, never values. */
export interface FileProblem {
  readonly code:
    | "CSV_HEADER_MISSING"
    | "CSV_COLUMN_MISSING"
    | "CSV_COLUMN_TWICE"
    | "CSV_OTHER_DELIMITER"
    | "CSV_OTHER_CHARSET"
    | "CSV_HEADER_UNREADABLE"
    | "CSV_EMPTY"
    | "CSV_TRAILER_MISSING"
    | "CSV_TOTALS";
  readonly location: string;
}

/** Column names of ours: `family_name` for `familyName`. */
const ownName = (field: FieldName): string => field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** The sources of a profile; without any, columns by our own names. */
function sourcesOf({ columns, rows }: Profile): readonly (readonly [FieldName, SourceProfile])[] {
  const given = Object.entries(columns) as [FieldName, SourceProfile | string | number][];
  const none = { aliases: [], value: undefined, values: undefined, prefixes: undefined };
  if (given.length > 0) {
    return given.map(([field, source]) => {
      if (typeof source === "object") return [field, source];
      return [field, { ...none, column: source, required: undefined }];
    });
  }
  return fieldNames.map((field) => {
    const required = needed[rows].includes(field) ? undefined : false;
    return [field, { ...none, column: ownName(field), required }];
  });
}

/** Names of columns as they are compared. */
function comparable(name: string, { headerMatch }: Profile["writing"]): string {
  return headerMatch === "exact"
    ? name
    : name
        .trim()
        .toUpperCase()
        .replace(/[\s_-]+/g, "_");
}

/** Finds columns by name or position. */
class Columns {
  readonly missing: string[] = [];
  found = 0;
  readonly #names: ReadonlyMap<string, number> | null;
  readonly #writing: Profile["writing"];

  constructor(header: readonly string[] | null, writing: Profile["writing"]) {
    this.#writing = writing;
    this.#names = header && new Map(header.map((name, at) => [comparable(name, writing), at]));
  }

  at(column: string | number | undefined, aliases: readonly string[], optional: boolean): number {
    if (column === undefined) return -1;
    if (typeof column === "number") return column - 1;
    for (const name of [column, ...aliases]) {
      const at = this.#names?.get(comparable(name, this.#writing));
      if (at === undefined) continue;
      this.found += 1;
      return at;
    }
    if (!optional) this.missing.push(column);
    return -1;
  }
}

/** Where the columns of a profile are. */
function placesOf(profile: Profile, columns: Columns): Pick<Layout, "sources" | "identifiers" | "sums"> {
  const sources = new Map<FieldName, Source>();
  for (const [field, source] of sourcesOf(profile)) {
    sources.set(field, {
      name: String(source.column ?? field),
      // A column that the profile names must be there, or a renamed one would empty its field in silence.
      at: columns.at(source.column, source.aliases, source.required === false),
      value: source.value ?? "",
      values: source.values ? new Map(Object.entries(source.values)) : null,
      prefixes: source.prefixes ? Object.entries(source.prefixes) : null,
      required: source.required ?? needed[profile.rows].includes(field),
    });
  }
  const identifiers = profile.identifiers.map(({ column, aliases, authority, type, strong, separator }) => ({
    name: String(column),
    // A payment names its patient by the member's id alone.
    at: profile.rows === "payments" ? -1 : columns.at(column, aliases, false),
    authority: authority ?? profile.facility,
    type,
    strong,
    separator: separator ?? null,
  }));
  const sums = (profile.totals?.sums ?? []).map(({ column, position }) => ({
    name: String(column),
    at: columns.at(column, [], false),
    position,
  }));
  return { sources, identifiers, sums };
}

/**
 * Finds the columns of a profile in the header of a file.
 * @param header names of the columns; null: the file has none, columns are positions.
 */
export function layoutOf(profile: Profile, header: readonly string[] | null): Layout | FileProblem {
  const columns = new Columns(header, profile.writing);
  const places = placesOf(profile, columns);
  const problem = header && problemOf(header, columns, profile);
  return problem ?? { width: header?.length ?? null, ...places };
}

function problemOf(header: readonly string[], columns: Columns, profile: Profile): FileProblem | null {
  const names = header.map((name) => comparable(name, profile.writing)).filter((name) => name !== "");
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (columns.missing.length === 0)
    return twice ? { code: "CSV_COLUMN_TWICE", location: `column ${names.indexOf(twice) + 1}` } : null;
  const missing = [...new Set(columns.missing)].join(", ");
  if (columns.found > 0) return { code: "CSV_COLUMN_MISSING", location: missing };
  return { code: hasOtherDelimiter(header, profile) ? "CSV_OTHER_DELIMITER" : "CSV_HEADER_MISSING", location: missing };
}

/** Whether every column would be found with another delimiter than the one agreed. */
function hasOtherDelimiter(header: readonly string[], profile: Profile): boolean {
  const [only = "", ...others] = header;
  if (others.length > 0) return false;
  return [",", ";", "\t", "|"].some((delimiter) => {
    if (delimiter === profile.writing.delimiter) return false;
    const columns = new Columns(only.split(delimiter), profile.writing);
    placesOf(profile, columns);
    return columns.found > 0 && columns.missing.length === 0;
  });
}
