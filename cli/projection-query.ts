import type { Command } from "commander";
import { TributaryError } from "../engine/service/errors.js";
import { print, printJson, printTable } from "./output.js";
import { withPool } from "./pool.js";

/** Seconds after which Postgres gives a query up. */
const longestSeconds = 60;

/** `projections query`: a look at the read models, for who has no other client of Postgres at hand. */
export function registerProjectionQuery(command: Command): void {
  command
    .command("query")
    .argument("<sql>", "one statement; tables are in the schema `projections`")
    .description("ask the read models as an analyst may: nothing that identifies a person, and nothing can be changed")
    .option("--json", "one JSON object a row")
    .action((sql: string, options: { json?: boolean }) =>
      withPool(async (pool) => {
        const rows = await asAnalyst(pool, sql);
        if (options.json) for (const row of rows) printJson(row);
        else printTable(rows);
        if (!options.json) print(`(${rows.length} rows)`);
      }),
    );
}

type Pool = Parameters<Parameters<typeof withPool>[0]>[0];

/** In a transaction that can only read, in the role of analysts. */
async function asAnalyst(pool: Pool, sql: string): Promise<Record<string, unknown>[]> {
  const client = await pool.connect();
  try {
    await client.query("BEGIN READ ONLY");
    await client.query(`SET LOCAL statement_timeout = '${longestSeconds}s'`);
    await client.query("SET LOCAL search_path = projections");
    await client.query("SET LOCAL ROLE tributary_analyst");
    // With a name it is prepared, and what is prepared is one statement.
    return (await client.query<Record<string, unknown>>({ name: "asked", text: sql })).rows;
  } catch (error) {
    const told = error instanceof TributaryError ? error.cause : error;
    const { code, message } = (told ?? {}) as { readonly code?: string; readonly message?: string };
    // Five characters: Postgres itself refused it.
    if (code?.length !== 5) throw error;
    throw new TributaryError("TRIB_CLI_QUERY_REFUSED", `Postgres says: ${message} (${code}).`);
  } finally {
    client.release(true);
  }
}
