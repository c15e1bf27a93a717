import { z } from "zod";
import { errorDefinitions } from "./error-definitions.js";
import { metricDefinitions } from "./metrics.js";
import { settingsSchema } from "./settings.js";

const generated = (source: string) => `<!-- Made by \`npm run docs\` from ${source}; a test compares. -->\n`;
const cell = (text: string) => text.replaceAll("|", "\\|").replaceAll("\n", " ");
const tableOf = (head: readonly string[], rows: readonly (readonly string[])[]) =>
  [head, head.map(() => "---"), ...rows].map((row) => `| ${row.map(cell).join(" | ")} |`).join("\n");

/** `docs/errors.md`. */
export function errorsDocument(): string {
  const rows = Object.entries(errorDefinitions)
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([code, { summary, remedy, retriable, httpStatus, exitCode }]) => [
      `\`${code}\``,
      summary,
      remedy,
      retriable ? "yes" : "no",
      String(httpStatus),
      String(exitCode),
    ]);
  return `${generated("engine/service/error-definitions.ts")}# Errors

Every coded error: what is wrong, what to do, whether the same call may succeed later unchanged.

${tableOf(["code", "what is wrong", "what to do", "try again", "HTTP", "exit code"], rows)}
`;
}

/** `docs/settings.md`. */
export function settingsDocument(): string {
  const schema = z.toJSONSchema(settingsSchema, { io: "input", unrepresentable: "any" }) as {
    properties: Record<string, { default?: unknown; description?: string; enum?: string[] }>;
  };
  const rows = Object.entries(schema.properties).map(([name, { default: fallback, description, enum: values }]) => {
    const shown =
      name === "TRIBUTARY_HOME" ? "`~/.tributary`" : fallback === undefined ? "" : `\`${String(fallback)}\``;
    return [`\`${name}\``, shown, `${description ?? ""}${values ? ` One of: ${values.join(", ")}.` : ""}`];
  });
  return `${generated("engine/service/settings.ts")}# Settings

Environment variables. Each \`X\` may be given as a file by \`X_FILE\`, whose content is trimmed of white space. All mistakes are reported at once.

${tableOf(["setting", "default", "meaning"], rows)}
`;
}

/** `docs/metrics.md`. */
export function metricsDocument(): string {
  const rows = Object.entries(metricDefinitions).map(([name, { type, help, labels }]) => [
    `\`${name}\``,
    type,
    labels.map((label) => `\`${label}\``).join(", "),
    help,
  ]);
  return `${generated("engine/service/metrics.ts")}# Metrics

Served by every process at \`/metrics\` of its admin address (\`tributary status\` prints it), beside Node's own metrics. No label names a person.

${tableOf(["metric", "type", "labels", "meaning"], rows)}
`;
}
