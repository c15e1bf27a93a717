import { describeMachine, type Machine } from "./machine.js";

/** A table as it is printed and written: the first column says what, the others are figures. */
export interface Table {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** What one part of the bench found. */
export interface PartReport {
  readonly part: string;
  readonly title: string;
  /** What was done, in sentences; then tables, then what the figures say. */
  readonly how: string;
  readonly tables: readonly Table[];
  readonly findings: readonly string[];
  /** The figures as they were measured, for `--json`. */
  readonly figures: unknown;
}

/** A part's report with where and when it was measured. */
export interface MeasuredPart extends PartReport {
  readonly machine: Machine;
  /** Day in UTC, YYYY-MM-DD. */
  readonly date: string;
  /** The `--events` it was called with. */
  readonly events: number;
}

/** A figure with as many digits as it deserves: three, and thousands set apart. */
export function figure(value: number | undefined, unit = ""): string {
  if (value === undefined || !Number.isFinite(value)) return "-";
  const size = Math.abs(value);
  const digits = size >= 100 ? 0 : size >= 10 ? 1 : 2;
  const rounded = size >= 1000 ? Number(value.toPrecision(3)) : Number(value.toFixed(digits));
  return `${rounded.toLocaleString("en")}${unit}`;
}

/** Part of a whole, in per cent. */
export const share = (part: number | undefined, whole: number): string =>
  part === undefined ? "-" : figure((100 * part) / whole, " %");

/** A table in Markdown, its columns aligned for who reads it as text. */
export function renderTable({ columns, rows }: Table): string {
  const widths = columns.map((name, at) => Math.max(name.length, 3, ...rows.map((row) => (row[at] ?? "").length)));
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0))).join(" | ")} |`;
  const rule = widths.map((width, at) => (at === 0 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`));
  return [line(columns), line(rule), ...rows.map(line)].join("\n");
}

/** A part in Markdown. */
export function renderPart(report: MeasuredPart): string {
  const { title, how, tables, findings, machine, date, events } = report;
  const where = `Measured on ${date}: ${describeMachine(machine)}; \`--events ${events}\`.`;
  const paragraphs = [`### ${title}`, `${how} ${where}`, ...tables.map(renderTable)];
  if (findings.length > 0) paragraphs.push(findings.map((finding) => `- ${finding}`).join("\n"));
  return paragraphs.join("\n\n");
}
