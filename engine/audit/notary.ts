import { hostname } from "node:os";
import type { Log } from "../log/log.js";
import { Patience } from "../projector/patience.js";
import type { ProjectorLogger } from "../projector/ports.js";
import type { ConsumerDefinition, NotaryDefinition } from "../service/consumer.js";
import type { Metrics } from "../service/metrics.js";
import type { Pool } from "../store/pool.js";
import type { NotaryKey } from "./checkpoint.js";
import { NotaryLane, type NotaryLaneOptions } from "./notary-lane.js";
import { hasSigned } from "./notary-store.js";
import type { SecondPlace } from "./second-place.js";

export interface NotaryOptions extends Pick<NotaryLaneOptions, "signRecords" | "batchRecords" | "fencePatience"> {
  readonly definition: Pick<ConsumerDefinition, "name"> & { readonly notarize: NotaryDefinition };
  readonly log: Pick<Log, "subscribe" | "read">;
  /** As the notary's own role; see `applyNotaryGrants`. */
  readonly pool: Pool;
  /** Id of the journal, as `readJournalId` gives it. */
  readonly journal: string;
  readonly key: NotaryKey;
  readonly second: SecondPlace;
  readonly logger: ProjectorLogger;
  readonly metrics?: Metrics;
  readonly signMilliseconds: number;
  /** How it waits for what comes back by itself; default from 0.1 to 10 seconds. */
  readonly patience?: Patience;
  /** Called when it can't go on: the process must exit. */
  readonly onFailure: (error: Error) => void;
}

export interface RunningNotary {
  live(): boolean;
  ready(): boolean;
  state(): Readonly<Record<string, unknown>>;
  /** Finishes the batches in hand. */
  close(): Promise<void>;
}

/** A broker that is away is waited for; a notary that makes no progress for longer is not alive. */
const longestIdleMilliseconds = 120_000;

/**
 * Runs the notary: reads every record of its topics as it is, undecoded, and chains and signs it. Any number of processes
 * may run it: they share the partitions.
 * @throws TRIB_AUDIT_SECOND_PLACE_GONE
 */
export async function startNotary(options: NotaryOptions): Promise<RunningNotary> {
  const { definition, log, journal, ...shared } = options;
  const patience = options.patience ?? new Patience({ logger: options.logger });
  await options.second.open(journal, !(await patience.until("look for heads", () => hasSigned(options.pool))));
  const owner = `${hostname()}:${process.pid}`;
  const subscription = await log.subscribe({
    group: `tributary.${definition.name}`,
    topics: definition.notarize.topics,
    lane: (topic, partition) =>
      new NotaryLane({ ...shared, log, patience, owner, place: { journal, topic, partition } }),
    onFailure: options.onFailure,
  });
  return {
    live: () => subscription.idleMilliseconds() < longestIdleMilliseconds,
    ready: () => subscription.assignment().length > 0,
    state: () => ({ partitions: subscription.assignment() }),
    close: () => subscription.close(),
  };
}
