import { compareTruth, type Difference } from "../../demo/check.js";
import type { Region, RegionTruth } from "../../demo/region.js";
import { intakeCounts } from "../../engine/intake/journal.js";
import { connectCodec } from "../../engine/log/registry.js";
import { currentBuild } from "../../engine/projector/build.js";
import { verifyProjection } from "../../engine/projector/verify.js";
import { decoderOf } from "../../engine/service/decoder.js";
import { consumerNames, loadConsumer } from "../../engine/service/discover.js";
import { sealedOpener } from "../../engine/service/sealed-opener.js";
import { kekSettings } from "../../engine/service/settings.js";
import type { TestInstallation } from "../installation.js";

/** Every read model beside what its whole log gives: rows that differ, by projection; empty when all are equal. */
export async function unequalToLog(installation: TestInstallation): Promise<Record<string, unknown>> {
  const { pool, log, settings } = installation;
  const codec = await connectCodec(settings);
  const opener = sealedOpener(pool, kekSettings(settings), codec);
  const unequal: Record<string, unknown> = {};
  try {
    for (const name of consumerNames()) {
      for (const projection of (await loadConsumer(name)).project) {
        const build = await currentBuild(pool, projection.name);
        if (!build) throw new Error(`${projection.name} has no build`);
        const found = await verifyProjection({ projection, build, log, pool, decoder: decoderOf(codec), opener });
        if (found.events === 0 || found.differing > 0 || found.skipped.length > 0) unequal[projection.name] = found;
      }
    }
  } finally {
    opener.close();
  }
  return unequal;
}

/** Rows that are not what the books of the regions say: all of them, or those of the X12 senders alone. */
export function untrueRows(
  installation: TestInstallation,
  regions: readonly Region[],
  claimsOnly: readonly Region[] = [],
): Promise<Difference[]> {
  const whole = regions.map((region) => region.truth());
  const withClaims = [...whole, ...claimsOnly.map((region) => region.truth())];
  const truth: RegionTruth = {
    patients: whole.flatMap(({ patients }) => patients),
    patientIdentifiers: whole.flatMap(({ patientIdentifiers }) => patientIdentifiers),
    persons: whole.flatMap(({ persons }) => persons),
    visits: whole.flatMap(({ visits }) => visits),
    claims: withClaims.flatMap(({ claims }) => claims),
    claimLines: withClaims.flatMap(({ claimLines }) => claimLines),
    remittances: withClaims.flatMap(({ remittances }) => remittances),
    counts: (whole[0] as RegionTruth).counts,
  };
  return compareTruth(truth, (sql) => installation.query(sql));
}

/** What the intake must count of regions, however often something was sent. */
export function expectedCounts(regions: readonly Region[]) {
  const counts = regions.map((region) => region.truth().counts);
  const sum = (of: (one: RegionTruth["counts"]) => number) => counts.reduce((total, one) => total + of(one), 0);
  return {
    accepted: sum(({ accepted, resends }) => accepted - resends),
    reusedIds: sum(({ reusedIds }) => reusedIds),
    rejected: sum(({ rejectedByCode }) => Object.values(rejectedByCode).reduce((total, units) => total + units, 0)),
  };
}

/** Units of the intake as far as retries can't change them: each accepted one once, whatever was sent how often. */
export async function distinctCounts(installation: TestInstallation) {
  const { accepted, resends, reusedIds, rejected } = await intakeCounts(installation.pool);
  return { accepted: accepted - resends, reusedIds, rejected };
}
