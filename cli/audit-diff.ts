import type { Command } from "commander";
import { recordAccess } from "../engine/audit/access.js";
import { differencesOf } from "../engine/audit/as-of-diff.js";
import { explained } from "../engine/audit/diff-events.js";
import { notAppliedIn } from "../engine/audit/held-back.js";
import { Decisions } from "../engine/projector/decisions.js";
import { type AsOf, assertNobodyErased, buildAsOf, dropAsOf } from "../engine/replay/as-of.js";
import { projectionNamed } from "../engine/service/discover.js";
import { rebuildFlags } from "../engine/service/node-flags.js";
import {
  type AccessOptions,
  actorOf,
  assertReason,
  instantText as instant,
  shown,
  withAccessOptions,
} from "./audit-options.js";
import { type BuildParts, withBuildSource } from "./build-source.js";
import { countOf, instantOf } from "./instant.js";
import { misuse } from "./misuse.js";
import { print, printJson } from "./output.js";
import { ranWithFlags } from "./own-process.js";
import { type TellProgress, withProgress } from "./progress-line.js";
import { watchedLog } from "./watched-log.js";

interface DiffOptions extends AccessOptions {
  readonly from: number;
  readonly to: number;
  readonly limit: number;
}

async function differences(
  { source, log: whole, settings }: BuildParts,
  { from, to, limit, open }: DiffOptions,
  tell: TellProgress,
) {
  const log = watchedLog(whole, tell);
  const { projection, pool, decoder, opener, decisionLog } = source;
  const made: AsOf[] = [];
  try {
    const clockSkew = settings.CLOCK_SKEW_SECONDS * 1000;
    for (const at of [from, to]) {
      const progress = (events: number, total: number) => tell(`as of ${instant(at)}`, events, total);
      made.push(await buildAsOf({ ...source, log: whole, at, clockSkew, progress }));
    }
    tell("compare");
    const [before, after] = made as [AsOf, AsOf];
    const decisions = new Decisions(decisionLog, projection.name);
    await decisions.load();
    const found = await differencesOf(pool, projection, before, after, limit);
    const vectors = { from: before.vector, to: after.vector };
    const known = await notAppliedIn(pool, after);
    const tables = await explained(
      { projection, log, decoder, opener, decisions, ...vectors, ...known, opens: open === true },
      found,
    );
    // Opened before an erasure, they show who is gone, and may differ by it.
    for (const one of made) await assertNobodyErased(pool, one);
    const offsets = { from: Object.fromEntries(before.vector.offsets), to: Object.fromEntries(after.vector.offsets) };
    return { tables, offsets, events: after.events };
  } finally {
    for (const one of made) await dropAsOf(pool, one);
  }
}

function printDifferences(tables: Awaited<ReturnType<typeof differences>>["tables"]): void {
  for (const [table, { differing, rows }] of Object.entries(tables)) {
    if (differing === 0) continue;
    print(`${table}: ${differing} rows differ${rows.length < differing ? `, the first ${rows.length}` : ""}`);
    for (const { key, change, columns, events, held } of rows) {
      print(`  ${change} ${Object.values(key).map(String).join(" ")}`);
      for (const [column, [before, after]] of Object.entries(columns)) {
        print(
          `    ${column}: ${change === "changed" ? `${shown(before)} -> ${shown(after)}` : shown(after ?? before)}`,
        );
      }
      for (const { type, place, recordedAt, occurredAt, unit, generation } of events) {
        const again = generation > 0 ? ` translated again (generation ${generation})` : "";
        print(
          `    by ${type} ${place}, recorded ${instant(recordedAt)}, happened ${instant(occurredAt)}, unit ${unit}${again}`,
        );
      }
      if (held)
        print(`    HELD BACK from ${held.place} on (${held.code}): neither it nor what came after it is in the row`);
    }
  }
}

export function registerAuditDiff(command: Command): void {
  const diff = command
    .command("diff")
    .argument("<name>", "projection")
    .description(
      "rows that were known otherwise at two moments, with the events that changed them; recorded as an access",
    )
    .requiredOption("--from <instant>", "the first moment, inclusive, by recorded time", instantOf)
    .requiredOption("--to <instant>", "the second", instantOf)
    .option("--limit <n>", "most rows told of a table", countOf, 1_000);
  const told = { open: "compare what identifies a person, too", json: "one JSON object" };
  withAccessOptions(diff, told).action(async (name: string, options: DiffOptions) => {
    assertReason(options);
    const { from, to, reason } = options;
    if (from > to) throw misuse("--from comes after --to: give the earlier moment as --from.");
    await projectionNamed(name);
    if (await ranWithFlags(rebuildFlags)) return;
    await withBuildSource(name, { connections: 2, sealed: !options.open }, async (parts) => {
      const { tables, offsets, events } = await withProgress(!options.json, "events", ({ tell }) =>
        differences(parts, options, tell),
      );
      await recordAccess(parts.log, parts.codec, {
        action: options.open ? "OPEN" : "REPLAY",
        command: "audit diff",
        subject: { kind: "projection", id: name },
        patients: [],
        bulk: { projection: name, until: to, opened: options.open === true },
        events,
        reason,
        actor: actorOf(options.by),
      });
      if (options.json) printJson({ name, from: instant(from), to: instant(to), offsets, tables });
      else printDifferences(tables);
    });
  });
}
