import { type OriginsReport, verifyOrigins } from "../engine/audit/verify-origins.js";
import type { Log } from "../engine/log/log.js";
import { connectCodec } from "../engine/log/registry.js";
import { readJournalId } from "../engine/log/topics.js";
import type { Settings } from "../engine/service/settings.js";
import type { Pool } from "../engine/store/pool.js";
import { print } from "./output.js";
import type { TellProgress } from "./progress-line.js";
import { watchedLog } from "./watched-log.js";

interface OriginParts {
  readonly log: Log;
  readonly pool: Pool;
  readonly settings: Settings;
}

/** Compares every event of the installation with the unit that it names. */
export async function comparedOrigins(
  { log, pool, settings }: OriginParts,
  tell: TellProgress,
): Promise<OriginsReport> {
  const [codec, journal] = [await connectCodec(settings), await readJournalId(log)];
  return verifyOrigins({ log: watchedLog(log, tell), pool, codec, journal });
}

/** Says in plain words how topics of events and the journal agree. */
export function printOrigins({ ok, entries, events, repeated, strays, missing, findings }: OriginsReport): void {
  print(`${events} events (${repeated} of them repetitions) compared with the ${entries} entries of the journal`);
  if (ok)
    print("Each is what the unit that it names holds, byte for byte, and no event of a published unit is missing.");
  else print(`OF NO UNIT: ${strays} events; MISSING: ${missing} events of units`);
  for (const { topic, partition, offset, what, detail } of findings)
    print(`  ${topic}/${partition}/${offset}  ${what}: ${detail}`);
  if (findings.length < strays + missing) print(`  and ${strays + missing - findings.length} more`);
  print();
}
