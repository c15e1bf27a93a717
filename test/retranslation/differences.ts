import visits from "../../consumers/visits/consumer.js";
import { differencesOf } from "../../engine/audit/as-of-diff.js";
import { type ExplainedDifference, explained } from "../../engine/audit/diff-events.js";
import { notAppliedIn } from "../../engine/audit/held-back.js";
import { auditDecisions } from "../../engine/projector/audit-decisions.js";
import { Decisions } from "../../engine/projector/decisions.js";
import type { AnyProjection } from "../../engine/projector/definition.js";
import { type AsOf, buildAsOf, dropAsOf } from "../../engine/replay/as-of.js";
import { decoderOf } from "../../engine/service/decoder.js";
import { createLogger } from "../../engine/service/logger.js";
import { closedOpener } from "../../engine/service/sealed-opener.js";
import type { Region } from "../region.js";

/** Visits that were known otherwise at two moments, with the events that changed them, as `audit diff visits` tells. */
export async function visitDifferences(
  region: Region,
  from: number,
  to: number,
): Promise<readonly ExplainedDifference[]> {
  const { pool } = region.database;
  const { log, codec } = region.kafka;
  const [projection] = visits.project as [AnyProjection];
  const [decoder, opener, decisionLog] = [decoderOf(codec), closedOpener, auditDecisions(log, codec)];
  const parts = { log, pool, projection, decoder, opener, decisionLog, consumer: visits };
  const made: AsOf[] = [];
  try {
    for (const at of [from, to]) {
      made.push(await buildAsOf({ ...parts, logger: createLogger("spec", "silent"), at, clockSkew: 0 }));
    }
    const [before, after] = made as [AsOf, AsOf];
    const decisions = new Decisions(decisionLog, projection.name);
    await decisions.load();
    const found = await differencesOf(pool, projection, before, after, 100);
    const vectors = { from: before.vector, to: after.vector };
    const known = await notAppliedIn(pool, after);
    const source = { projection, log, decoder, opener, decisions, ...vectors, ...known, opens: false };
    return (await explained(source, found)).visits?.rows ?? [];
  } finally {
    for (const one of made) await dropAsOf(pool, one);
  }
}
