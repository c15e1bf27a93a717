import { pino } from "pino";
import { openIntake } from "../../engine/intake/intake.js";
import { standaloneCodec } from "../../engine/log/codec.js";
import { connectLog } from "../../engine/log/kafka.js";
import { readSettings } from "../../engine/service/settings.js";
import { openPool } from "../../engine/store/pool.js";
import { openVault } from "../../engine/vault/vault.js";
import { loadDefinitions } from "../../producers/fhir/definitions.js";
import { profileSchema } from "../../producers/fhir/profile.js";
import { startPulling } from "../../producers/fhir/pull.js";

/** What the process is told: its log, its store, and the server that it reads. */
export interface PullTask {
  readonly brokers: readonly string[];
  readonly topicPrefix: string;
  readonly databaseUrl: string;
  readonly inbox: string;
  readonly kek: string;
  readonly pull: object;
}

/** Reads a partner's server into the journal, as the FHIR connector does, until it is killed. */
async function main({ brokers, topicPrefix, databaseUrl, inbox, kek, pull }: PullTask): Promise<void> {
  const logger = pino({ level: "silent" });
  const settings = { ...readSettings(), KAFKA_BROKERS: [...brokers], TOPIC_PREFIX: topicPrefix };
  const log = connectLog(settings, { clientId: "pull", logger });
  const pool = openPool(databaseUrl, { applicationName: "pull", max: 4 });
  const intake = openIntake({
    connector: { name: "fhir", version: "1" },
    producer: await log.producer(),
    codec: standaloneCodec(),
    vault: openVault({ pool, kek }),
    pool,
    secret: "5e".repeat(32),
  });
  loadDefinitions();
  const profiles = new Map([["generic", profileSchema.parse({ pull })]]);
  const onFailure = (error: unknown) => {
    throw error;
  };
  startPulling(
    { intake, profiles, now: Date.now, onFailure },
    { inbox, logger, credentials: String, lineLimit: 1_000_000, pageLimit: 10_000_000 },
  );
  process.send?.("reading");
}

process.once("message", (task) => void main(task as PullTask));
// A test that is gone has nobody left to kill it.
process.once("disconnect", () => process.exit(1));
