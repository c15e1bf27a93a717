import type { IntakeCounts } from "../../engine/intake/journal.js";
import type { Pool } from "../../engine/store/pool.js";
import { print, printTable } from "../output.js";

const firstRows = {
  patients:
    "SELECT patient_id, status, sex, birth_year, partners, first_seen_at FROM projections.patients ORDER BY patient_id LIMIT 3",
  visits:
    "SELECT visit_id, facility, class, status, location, started_at FROM projections.visits ORDER BY started_at DESC NULLS LAST, visit_id LIMIT 3",
  claims:
    "SELECT claim_id, kind, status, frequency_code, billed_amount, paid_amount, balanced FROM projections.claims ORDER BY claim_id LIMIT 3",
} as const;

const readModels = [
  "patients",
  "patient_identifiers",
  "persons",
  "visits",
  "claims",
  "claim_lines",
  "remittances",
  "timeline",
  "daily_activity",
];

/** The three read models' first rows, the counts of the intake, the rows there are, and how to ask further. @param psql what a shell puts behind `psql`. */
export async function printSummary(pool: Pool, counts: IntakeCounts, psql: string): Promise<void> {
  for (const [name, sql] of Object.entries(firstRows)) {
    const { rows } = await pool.query<Record<string, unknown>>(sql);
    print(`projections.${name}, first rows`);
    printTable(rows.map(readable));
    print();
  }
  const { byPartner, ...totals } = counts;
  print("intake, in all");
  printTable([{ ...totals }]);
  print();
  print("rejected, by reason");
  printTable(
    byPartner.filter(({ code }) => code !== null).map(({ partner, code, units }) => ({ partner, code, units })),
  );
  print();
  print("rows");
  const sizes = readModels.map((name) => `SELECT '${name}' AS "read model", count(*) AS rows FROM projections.${name}`);
  const { rows } = await pool.query<Record<string, unknown>>(sizes.join(" UNION ALL "));
  printTable(rows);
  print();
  print("Ask further:");
  print(
    `  psql ${psql} -c 'select status, count(*), sum(billed_amount), sum(paid_amount) from projections.claims group by 1'`,
  );
}

/** Instants come as epoch milliseconds; people read dates. */
function readable(row: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => [
      name,
      name.endsWith("_at") && typeof value === "number" ? new Date(value) : value,
    ]),
  );
}
