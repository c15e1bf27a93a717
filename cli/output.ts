import { TributaryError } from "../engine/service/errors.js";

/** One JSON value on standard output. */
export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

/** One line on standard output. */
export function print(line = ""): void {
  process.stdout.write(`${line}\n`);
}

/** Rows as aligned columns under their names. Null is shown as `-`. */
export function printTable(rows: readonly Readonly<Record<string, unknown>>[], columns?: readonly string[]): void {
  const names = columns ?? Object.keys(rows[0] ?? {});
  if (rows.length === 0) {
    print("(none)");
    return;
  }
  const cells = rows.map((row) => names.map((name) => textOf(row[name])));
  const widths = names.map((name, index) => Math.max(name.length, ...cells.map((line) => line[index]?.length ?? 0)));
  const line = (values: readonly string[]) =>
    values
      .map((value, index) => value.padEnd(widths[index] ?? 0))
      .join("  ")
      .trimEnd();
  print(line(names));
  print(line(widths.map((width) => "-".repeat(width))));
  for (const row of cells) print(line(row));
}

function textOf(value: unknown): string {
  if (value === null || value === undefined) return "-";
  if (value instanceof Date) return value.toISOString();
  if (typeof value === "object") return JSON.stringify(value);
  return String(value);
}

/** Says what went wrong and what to do, on standard error; gives the exit code. */
export function reportError(error: unknown): number {
  if (error instanceof TributaryError) {
    process.stderr.write(`${error.code}: ${error.message}\n  ${error.definition.remedy}\n`);
    return error.definition.exitCode;
  }
  const failure = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.stderr.write(`TRIB_SERVICE_UNEXPECTED: ${failure}\n`);
  return 70;
}
