import activity from "../consumers/activity/consumer.js";
import claims from "../consumers/claims/consumer.js";
import patients from "../consumers/patients/consumer.js";
import visits from "../consumers/visits/consumer.js";
import { type OpenIntake, openIntake } from "../engine/intake/intake.js";
import { type Publisher, startPublisher } from "../engine/intake/publisher.js";
import { auditDecisions } from "../engine/projector/audit-decisions.js";
import { awaitProjections } from "../engine/projector/await.js";
import { currentBuild } from "../engine/projector/build.js";
import { Decisions } from "../engine/projector/decisions.js";
import type { AnyProjection, Row } from "../engine/projector/definition.js";
import { prepareConsumer, type RunningConsumer, runConsumer } from "../engine/projector/runner.js";
import { dropBuild } from "../engine/projector/swap.js";
import { type Verification, verifyProjection } from "../engine/projector/verify.js";
import { rebuildProjection } from "../engine/replay/rebuild.js";
import type { ConsumerDefinition } from "../engine/service/consumer.js";
import { decoderOf } from "../engine/service/decoder.js";
import { createLogger } from "../engine/service/logger.js";
import { sealedOpener } from "../engine/service/sealed-opener.js";
import { type FreshDatabase, freshDatabase } from "../engine/testing/database.js";
import { type FreshLog, freshLog } from "../engine/testing/log.js";
import { openVault, type Vault } from "../engine/vault/vault.js";

const logger = createLogger("spec", "silent");
const consumers: readonly ConsumerDefinition[] = [activity, claims, patients, visits];
export const projections: readonly AnyProjection[] = consumers.flatMap(({ project }) => project);

/** The whole way of a message on real services, in one process: intake, publisher, the consumers with their read models. */
export interface Region {
  readonly kafka: FreshLog;
  readonly database: FreshDatabase;
  readonly vault: Vault;
  readonly intake: OpenIntake;
  readonly secret: string;
  readonly kek: string;
  /** Milliseconds after which nothing is opened under a destroyed key. */
  readonly forgottenAfter: number;
  /** Waits until every read model has all that is in the journal. */
  settle(): Promise<void>;
  rows(sql: string, values?: readonly unknown[]): Promise<readonly Row[]>;
  /** Stops the consumers, or starts them again. */
  stop(): Promise<void>;
  start(): Promise<void>;
  verify(): Promise<readonly (Verification & { readonly name: string })[]>;
  /** Builds every read model anew, compares each with the live one, and gives what differs. */
  rebuild(): Promise<readonly string[]>;
  close(): Promise<void>;
}

const timeout = 30_000;
const interval = 100;

/** @param connector whose units are journalled; default one that is in no folder. */
export async function openRegion(connector = { name: "spec", version: "1" }): Promise<Region> {
  const [kafka, database] = await Promise.all([freshLog(), freshDatabase()]);
  const [secret, kek] = ["5e".repeat(32), "ab".repeat(32)];
  const { pool } = database;
  const { log, codec } = kafka;
  const failures: Error[] = [];
  const onFailure = (error: Error) => failures.push(error);
  const vault = openVault({ pool, kek, interval });
  const opener = sealedOpener(pool, kek, codec, { interval });
  const producer = await log.producer();
  const intake = openIntake({ connector, producer, codec, vault, pool, secret });
  const publisher: Publisher = await startPublisher({ log, pool, codec, journal: kafka.journal, onFailure });
  const decoder = decoderOf(codec);
  const parts = { log, pool, decoder, opener, logger, decisionLog: auditDecisions(log, codec) };
  for (const definition of consumers) await prepareConsumer(pool, definition);
  let running: readonly RunningConsumer[] = [];
  const region: Region = {
    kafka,
    database,
    vault,
    intake,
    secret,
    kek,
    forgottenAfter: 2 * interval,
    async settle() {
      await awaitProjections({ log, pool, projections, timeout }).catch((error: unknown) => {
        throw failures[0] ?? error;
      });
      if (failures[0]) throw failures[0];
    },
    rows: async (sql, values = []) => (await pool.query<Row>(sql, [...values])).rows,
    async stop() {
      await Promise.all(running.map((consumer) => consumer.close()));
      running = [];
    },
    async start() {
      const starting = consumers.map((definition) =>
        runConsumer({ ...parts, definition, onFailure, lookMilliseconds: 100 }),
      );
      running = await Promise.all(starting);
    },
    async verify() {
      const all = [];
      for (const projection of projections) {
        const build = await currentBuild(pool, projection.name);
        if (!build) throw new Error(`no build of ${projection.name}`);
        const decisions = new Decisions(parts.decisionLog, projection.name);
        await decisions.load();
        all.push({ name: projection.name, ...(await verifyProjection({ ...parts, projection, build, decisions })) });
      }
      return all;
    },
    async rebuild() {
      const differing: string[] = [];
      for (const consumer of consumers) {
        for (const projection of consumer.project) {
          const { comparison, build } = await rebuildProjection({ ...parts, consumer, projection, swap: false });
          for (const difference of comparison?.differences ?? []) {
            differing.push(`${projection.name}: ${JSON.stringify(difference)}`);
          }
          if (!comparison) differing.push(`${projection.name}: not compared`);
          await dropBuild(pool, projection.name, build.build);
        }
      }
      return differing;
    },
    async close() {
      await region.stop();
      await publisher.close();
      opener.close();
      vault.close();
      await producer.close();
      await Promise.all([kafka.drop(), database.drop()]);
    },
  };
  await region.start();
  return region;
}
