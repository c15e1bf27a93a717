import { compareTruth, type Query, withoutOthers } from "../../demo/check.js";
import type { Region, RegionTruth } from "../../demo/region.js";
import type { IntakeCounts } from "../../engine/intake/journal.js";

/** What is true when all of these regions have arrived. */
function truthOfAll(regions: readonly Region[]): RegionTruth {
  const truths = regions.map((region) => region.truth());
  const all = <Name extends Exclude<keyof RegionTruth, "counts">>(name: Name) =>
    truths.flatMap((truth) => truth[name] as readonly unknown[]) as unknown as RegionTruth[Name];
  const [first] = truths;
  if (!first) throw new Error("no region was played");
  return {
    patients: all("patients"),
    patientIdentifiers: all("patientIdentifiers"),
    persons: all("persons"),
    visits: all("visits"),
    claims: all("claims"),
    claimLines: all("claimLines"),
    remittances: all("remittances"),
    counts: first.counts,
  };
}

/** Compares the read models with the truth of every region played. Rows of partners outside of them are told apart. */
export const compareRegions = async (regions: readonly Region[], query: Query) =>
  withoutOthers(await compareTruth(truthOfAll(regions), query));

/** Claims in refused interchanges beyond the interchanges: the engine gives each its own verdict, the truth the whole. */
function bridgedBy({ enclosed, rejectedByCode }: RegionTruth["counts"]): number {
  const refusedInterchanges = Object.entries(rejectedByCode)
    .filter(([code]) => code.startsWith("TA1"))
    .reduce((sum, [, units]) => sum + units, 0);
  return enclosed - refusedInterchanges;
}

/** Units that the intake counts when a region is sent once and nothing has to be sent again. */
export function unitsCounted(region: Region): number {
  const { counts } = region.truth();
  return counts.units + bridgedBy(counts);
}

/**
 * Compares what the intake counted in this run with what the region sent, when all of it was sent for the first time.
 * @returns one sentence for each count that differs.
 */
export function compareCounts(region: Region, before: IntakeCounts, after: IntakeCounts, retries: number): string[] {
  const { counts } = region.truth();
  const bridged = bridgedBy(counts);
  const rejected = Object.values(counts.rejectedByCode).reduce((sum, units) => sum + units, 0);
  const expected: Partial<IntakeCounts> = {
    units: counts.units + bridged,
    accepted: counts.accepted,
    rejected: rejected + bridged,
    reusedIds: counts.reusedIds,
    resends: counts.resends,
  };
  const problems: string[] = [];
  for (const name of ["units", "accepted", "rejected", "resends", "reusedIds"] as const) {
    const counted = after[name] - before[name];
    const wanted = expected[name] ?? 0;
    // What was sent again after a lost answer is journalled, and counted, again.
    const surplus = name === "reusedIds" || name === "rejected" ? 0 : retries;
    if (counted < wanted || counted > wanted + surplus)
      problems.push(`${name}: ${counted} counted, ${wanted} expected`);
  }
  return problems;
}
