import { createHash } from "node:crypto";
import { generateRegion, type Region } from "../../demo/region.js";
import type { Intake, ReceivedUnit } from "../../engine/intake/connector.js";
import { openIntake } from "../../engine/intake/intake.js";
import { connectCodec } from "../../engine/log/registry.js";
import { bufferSource } from "../../engine/reception/byte-source.js";
import { loadConnector } from "../../engine/service/discover.js";
import { loadProfiles } from "../../engine/service/profiles.js";
import { requireSetting } from "../../engine/service/settings.js";
import { openVault } from "../../engine/vault/vault.js";
import type { Profile as Hl7Profile } from "../../producers/hl7v2/profile.js";
import { readTransmission } from "../../producers/hl7v2/transmission.js";
import type { Profile as X12Profile } from "../../producers/x12/profile.js";
import { RecentInterchanges } from "../../producers/x12/recent.js";
import { type Desk, receive } from "../../producers/x12/reception.js";
import type { Place } from "./place.js";

/** The feed that a unit is journalled under, which decides its partition. */
export type FeedOf = (unit: ReceivedUnit) => string;

/** Everything in one order. */
export const oneFeed: FeedOf = () => "region";

/**
 * As if every sender of HL7 v2 were 32 facilities, with all units of one patient in one of them. Interchanges keep the
 * order of their sender, which means something.
 */
export const manyFeeds: FeedOf = ({ feed, sealFor, transport }) =>
  transport
    ? feed
    : `${feed}/${
        (createHash("md5")
          .update(sealFor[0] ?? "")
          .digest()[0] ?? 0) % 32
      }`;

const hl7Senders = ["north", "south", "practice"] as const;
const x12Senders = ["clearing", "insurer"] as const;
const together = 500;

export interface Journalled {
  readonly region: Region;
  readonly units: number;
  readonly seconds: number;
}

/**
 * Takes a region's traffic into the journal by the connectors' own translations and the engine's intake, without their
 * servers: what partners wait for is measured elsewhere.
 */
export async function journalRegion(place: Place, patients: number, feedOf: FeedOf): Promise<Journalled> {
  const { settings, pool, log } = place;
  const region = generateRegion({ seed: "bench", patients });
  const vault = openVault({ pool, kek: requireSetting(settings, "TRIBUTARY_KEK") });
  const codec = await connectCodec(settings);
  const producer = await log.producer();
  const secret = requireSetting(settings, "TRIBUTARY_SECRET");
  let units = 0;
  const intakeOf = (name: string, version: string): Intake => {
    const intake = openIntake({ connector: { name, version }, producer, codec, vault, pool, secret });
    return {
      ...intake,
      submit: (given) => {
        units += given.length;
        return intake.submit(given.map((unit) => ({ ...unit, feed: feedOf(unit) })));
      },
    };
  };
  const began = performance.now();
  await playRegion(region, intakeOf);
  const seconds = (performance.now() - began) / 1000;
  await producer.close();
  vault.close();
  return { region, units, seconds };
}

/** A region's traffic through the connectors' own translations, without their servers. */
export async function playRegion(region: Region, intakeOf: (connector: string, version: string) => Intake) {
  const hl7v2 = await loadConnector("hl7v2");
  const x12 = await loadConnector("x12");
  await Promise.all([
    playMessages(region, intakeOf(hl7v2.name, hl7v2.version), loadProfiles(hl7v2, false) as Map<string, Hl7Profile>),
    playInterchanges(region, intakeOf(x12.name, x12.version), loadProfiles(x12, false) as Map<string, X12Profile>),
  ]);
}

async function playMessages(region: Region, intake: Intake, profiles: ReadonlyMap<string, Hl7Profile>): Promise<void> {
  await Promise.all(
    hl7Senders.map(async (sender) => {
      let units: ReceivedUnit[] = [];
      for (const { bytes } of region.deliveries(sender)) {
        const context = { profiles, surrogate: intake.surrogate, receivedAt: Date.now() };
        units.push(...readTransmission(bytes, context, () => intake.newReceiptId()).units);
        if (units.length < together) continue;
        await intake.submit(units);
        units = [];
      }
      await intake.submit(units);
    }),
  );
}

async function playInterchanges(
  region: Region,
  intake: Intake,
  profiles: ReadonlyMap<string, X12Profile>,
): Promise<void> {
  const desk: Desk = {
    intake,
    profiles,
    unitLimit: 10_000_000,
    recent: new RecentInterchanges(),
    now: () => new Date(),
  };
  for (const sender of x12Senders) {
    for (const { bytes } of region.deliveries(sender))
      await (await receive(bufferSource(bytes), sender, desk)).answered();
  }
}
