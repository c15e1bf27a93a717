import { readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

/** One step of the schema. A file `migrations/NNNN_name.ts` exports `sql`; being there is all it takes. */
export interface Migration {
  /** File name without its ending, e.g. `0001_foundation`. */
  readonly name: string;
  /** Statements, every name schema-qualified. They run in one transaction with all other pending steps. */
  readonly sql: string;
}

const folder = join(dirname(fileURLToPath(import.meta.url)), "migrations");

/** All steps in order. Works on the sources and on the built files alike. */
export async function loadMigrations(): Promise<readonly Migration[]> {
  const files = readdirSync(folder).filter((file) => /^\d{4}_[a-z0-9_]+\.(js|ts)$/.test(file));
  const steps: Migration[] = [];
  for (const file of files.sort()) {
    const module: { sql: string } = await import(pathToFileURL(join(folder, file)).href);
    steps.push({ name: file.replace(/\.(js|ts)$/, ""), sql: module.sql });
  }
  return steps;
}
