import type { Command } from "commander";
import { type SettingName, settingsSchema } from "../engine/service/settings.js";
import { maskedUrl } from "./database-address.js";
import { openInstallation } from "./installation.js";
import { printJson, printTable } from "./output.js";

/** Settings whose value is a secret, or holds one. */
const secret = /SECRET|KEK|NOTARY_KEY|PASSWORD|DATABASE_URL/;

function shown(name: string, value: unknown): string | null {
  if (value === undefined || value === null) return null;
  if (name === "DATABASE_URL") return maskedUrl(String(value));
  if (secret.test(name) && !name.endsWith("_FILE")) return "…";
  if (typeof value !== "object" || Array.isArray(value)) return String(value);
  return Object.entries(value)
    .map((pair) => pair.join("="))
    .join();
}

export function registerConfig(command: Command): void {
  command
    .command("print")
    .description("every setting with its value and where it comes from; secrets are hidden")
    .option("--json", "one JSON object")
    .action(async (options: { json?: boolean }) => {
      const before = { ...process.env };
      const { settings } = await openInstallation();
      const rows = (Object.keys(settingsSchema.shape) as SettingName[]).map((name) => {
        const given = before[name] !== undefined || before[`${name}_FILE`] !== undefined;
        const found = process.env[name] !== undefined || process.env[`${name}_FILE`] !== undefined;
        return {
          setting: name,
          value: shown(name, settings[name]),
          source: given ? "environment" : found ? "stack" : "default",
        };
      });
      if (options.json)
        printJson(Object.fromEntries(rows.map(({ setting, value, source }) => [setting, { value, source }])));
      else printTable(rows);
    });
}
