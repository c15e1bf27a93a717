import { type DeliveriesReport, verifyDeliveries } from "../engine/audit/verify-deliveries.js";
import { type OriginsReport, verifyOrigins } from "../engine/audit/verify-origins.js";
import type { Log } from "../engine/log/log.js";
import { connectCodec } from "../engine/log/registry.js";
import { readJournalId } from "../engine/log/topics.js";
import type { Settings } from "../engine/service/settings.js";
import type { Pool } from "../engine/store/pool.js";
import { print } from "./output.js";
import type { TellProgress } from "./progress-line.js";
import { watchedLog } from "./watched-log.js";

interface Compared {
  readonly log: Log;
  readonly pool: Pool;
  readonly settings: Settings;
}

/** What `audit verify` is asked to compare beside records and signatures. */
interface Further {
  readonly origins?: OriginsReport;
  readonly deliveries?: DeliveriesReport;
}

/** Compares what is asked for: events with units, deliveries in the log with those in the database. */
export async function comparedFurther(
  { log: given, pool, settings }: Compared,
  { origins, deliveries }: { readonly origins?: boolean; readonly deliveries?: boolean },
  tell: TellProgress,
): Promise<Further> {
  if (!origins && !deliveries) return {};
  const [codec, log] = [await connectCodec(settings), watchedLog(given, tell)];
  return {
    ...(origins ? { origins: await verifyOrigins({ log, pool, codec, journal: await readJournalId(given) }) } : {}),
    ...(deliveries ? { deliveries: await verifyDeliveries({ log, pool, codec }) } : {}),
  };
}

function printOrigins({ ok, entries, events, repeated, strays, missing, findings }: OriginsReport): void {
  print(`${events} events (${repeated} of them repetitions) compared with the ${entries} entries of the journal.`);
  if (ok) print("Each is what the unit that it names holds, and no event of a published unit is missing.");
  else print(`OF NO UNIT: ${strays} events. MISSING: ${missing} events of units.`);
  for (const { topic, partition, offset, what, detail } of findings)
    print(`  ${topic}/${partition}/${offset}  ${what}: ${detail}`);
  if (findings.length < strays + missing) print(`  and ${strays + missing - findings.length} more`);
  print();
}

function printDeliveries({ ok, told, removed, changed, awaited, findings }: DeliveriesReport): void {
  print(`${told} deliveries told by the log were looked for in the database; ${awaited} are not written yet.`);
  if (ok) print("It has each of the others, as the log tells it.");
  else print(`REMOVED: ${removed}. CHANGED: ${changed}.`);
  for (const { place, evidence, consumer, eventType } of findings)
    print(`  ${place}  ${evidence}: ${eventType} to ${consumer}`);
  print();
}

export function printFurther({ origins, deliveries }: Further): void {
  if (origins) printOrigins(origins);
  if (deliveries) printDeliveries(deliveries);
}
