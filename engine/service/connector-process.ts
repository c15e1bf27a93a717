import { openIntake } from "../intake/intake.js";
import { meteredIntake } from "../intake/metered-intake.js";
import { assertPartitions } from "../intake/topic-partitions.js";
import { connectLog } from "../log/kafka.js";
import { connectCodec } from "../log/registry.js";
import { journalTopic } from "../log/schemas.js";
import { openPool } from "../store/pool.js";
import { openVault } from "../vault/vault.js";
import { loadConnector } from "./discover.js";
import type { RunningService, Surroundings } from "./process.js";
import { profilesOptions, readProfiles } from "./profiles.js";
import { kekSettings, readSettingsLike, requireSetting } from "./settings.js";

/** A connector at work: what partners reach, and the intake behind it. */
export async function startConnector(
  name: string,
  { settings, logger, metrics }: Surroundings,
): Promise<RunningService> {
  const definition = await loadConnector(name);
  const { settingsOf } = definition;
  const given = settingsOf === undefined ? settings : readSettingsLike(name, settingsOf);
  const { profiles, suspended } = readProfiles(definition, profilesOptions(given));
  for (const { partner, error } of suspended)
    logger.error({ partner, err: error }, "A partner is suspended: its profile can't be used; all others are let in");
  metrics.set("tributary_suspended_partners", { connector: name }, suspended.length);
  const log = connectLog(settings, { clientId: `tributary-${name}`, logger });
  const pool = openPool(requireSetting(settings, "DATABASE_URL"), {
    applicationName: `tributary ${name}`,
    max: settings.DATABASE_POOL,
    statementTimeout: 10_000,
  });
  const vault = openVault({ pool, kek: kekSettings(settings) });
  const codec = await connectCodec(settings);
  const producer = await log.producer(await assertPartitions(log, pool, [journalTopic]));
  const intake = openIntake({
    connector: { name: definition.name, version: definition.version },
    producer,
    codec,
    vault,
    pool,
    secret: requireSetting(settings, "TRIBUTARY_SECRET"),
    unitLimit: settings.INTAKE_UNIT_LIMIT,
  });
  const receiver = await definition.receive({
    intake: meteredIntake(intake, definition.name, metrics),
    settings: given,
    profiles,
    suspended: new Map(suspended.map(({ partner, content }) => [partner, content])),
    logger,
  });
  return {
    addresses: receiver.addresses,
    live: () => true,
    ready: () => true,
    state: () => ({
      version: definition.version,
      partners: [...profiles.keys()],
      suspended: suspended.map(({ partner, error }) => ({ partner, code: error.code, reason: error.message })),
    }),
    async close() {
      await receiver.close();
      await intake.close();
      await producer.close();
      await log.close();
      vault.close();
      await pool.end();
    },
  };
}
