import type { Command } from "commander";
import { recordAccess } from "../engine/audit/access.js";
import { connectCodec } from "../engine/log/registry.js";
import { TributaryError } from "../engine/service/errors.js";
import { actorOf } from "./audit-options.js";
import { withLog } from "./log.js";
import { print, printTable } from "./output.js";
import { nameGiven, textGiven } from "./texts.js";

/** Seconds after which Postgres gives a query up. */
const longestSeconds = 60;

/** `projections query`: a look at the read models, for who has no other client of Postgres at hand. */
export function registerProjectionQuery(command: Command): void {
  command
    .command("query")
    .argument("<sql>", "one statement; tables are in the schema `projections`")
    .description(
      "ask the read models as an analyst may: nothing that identifies a person, and nothing can be changed; recorded as an access, without the statement",
    )
    .option("--reason <text>", "why, for the record", textGiven)
    .option("--by <name>", "who asks; default the user of the system", nameGiven)
    .option("--json", "one JSON object a row, as Postgres writes it; not for EXPLAIN and SHOW")
    .action((sql: string, options: { reason?: string; by?: string; json?: boolean }) =>
      withLog(async ({ log, pool, settings }) => {
        // Whose rows a statement gives, only the statement knows.
        await recordAccess(log, await connectCodec(settings), {
          action: "READ",
          command: "projections query",
          subject: { kind: "projection", id: "all" },
          patients: [],
          bulk: { opened: false },
          reason: options.reason,
          actor: actorOf(options.by),
        });
        if (options.json) {
          const asked = sql.trim().replace(/;$/, "");
          const rows = await asAnalyst(pool, `SELECT row_to_json(asked)::text AS row FROM (${asked}\n) AS asked`);
          for (const { row } of rows) print(String(row));
          return;
        }
        const rows = await asAnalyst(pool, sql);
        printTable(rows);
        print(rows.length === 1 ? "(1 row)" : `(${rows.length} rows)`);
      }),
    );
}

type Pool = Parameters<Parameters<typeof withLog>[0]>[0]["pool"];

/** Every value as Postgres writes it: an amount with its cents, an instant with its zone. */
const asText = { getTypeParser: () => (text: string) => text };

/** In a transaction that can only read, in the role of analysts. */
async function asAnalyst(pool: Pool, sql: string): Promise<Record<string, unknown>[]> {
  const client = await pool.connect();
  try {
    await client.query("BEGIN READ ONLY");
    await client.query(`SET LOCAL statement_timeout = '${longestSeconds}s'`);
    await client.query("SET LOCAL search_path = projections");
    await client.query("SET LOCAL TimeZone = 'UTC'");
    await client.query("SET LOCAL ROLE tributary_analyst");
    // With a name it is prepared, and what is prepared is one statement.
    return (await client.query<Record<string, unknown>>({ name: "asked", text: sql, types: asText as never })).rows;
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
