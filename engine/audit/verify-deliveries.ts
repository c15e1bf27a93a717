import { deliveriesOf, isAlike, rowsAt, type TrailDelivery } from "./deliveries.js";
import { placeName } from "./read-places.js";
import { type DeliveriesSource, type KnownDelivery, toldDeliveries } from "./told-deliveries.js";

/** How what consumers recorded in the log of their deliveries and `engine.deliveries` agree. */
export interface DeliveriesReport {
  /** Nothing was removed or changed. */
  readonly ok: boolean;
  /** Deliveries that the log tells of, one as often as it was recorded. */
  readonly told: number;
  readonly removed: number;
  readonly changed: number;
  /** What its sender has not written yet. */
  readonly awaited: number;
  /** What was removed or changed. */
  readonly findings: readonly TrailDelivery[];
}

/** Records that are looked up together. */
const most = 5_000;

/**
 * Says whether the database still has every delivery that the log tells of, as one of its records says. The log is read
 * once; only what is not alike is looked at again.
 */
export async function verifyDeliveries(source: DeliveriesSource): Promise<DeliveriesReport> {
  const doubted = new Map<string, KnownDelivery>();
  let told = 0;
  let batch: KnownDelivery[] = [];
  const compare = async () => {
    const rows = new Map((await rowsAt(source.pool, batch)).map((row) => [`${placeName(row)} ${row.consumer}`, row]));
    for (const one of batch) {
      const name = `${placeName(one)} ${one.consumer}`;
      const row = rows.get(name);
      // Of several records the row is as one of them: those before it have been left behind.
      if (row && isAlike(row, one)) doubted.delete(name);
      else doubted.set(name, one);
    }
    batch = [];
  };
  for await (const recorded of toldDeliveries(source)) {
    told += recorded.length;
    batch.push(...recorded);
    if (batch.length >= most) await compare();
  }
  await compare();
  const looked = await deliveriesOf(source, [...doubted.values()]);
  const found = looked.filter(({ place, consumer }) => doubted.has(`${place} ${consumer}`));
  const count = (evidence: TrailDelivery["evidence"]) => found.filter((one) => one.evidence === evidence).length;
  const findings = found.filter(({ evidence }) => evidence === "removed" || evidence === "changed");
  return {
    ok: findings.length === 0,
    told,
    removed: count("removed"),
    changed: count("changed"),
    awaited: count("awaited"),
    findings,
  };
}
