import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import type { LaneHandler, Log } from "../log/log.js";
import { attended } from "../projector/attendance.js";
import { type DecisionLog, Decisions } from "../projector/decisions.js";
import { HeldHere } from "../projector/parked-limit.js";
import { Patience } from "../projector/patience.js";
import type { Decoder, Opener, ProjectorLogger } from "../projector/ports.js";
import { RequestWatch } from "../projector/request-watch.js";
import type { RunningConsumer } from "../projector/runner.js";
import type { Metrics } from "../service/metrics.js";
import type { Pool } from "../store/pool.js";
import type { BackoffOptions } from "./answer.js";
import { topicsOfDelivery, validateDelivery } from "./definition.js";
import type { DeliveryLog } from "./delivery-log.js";
import type { Sender } from "./destination.js";
import { Gate } from "./gate.js";
import { DeliveryLane } from "./lane.js";
import { ParkedDeliveries } from "./parked-deliveries.js";
import { buildOfDelivery, type DeliveringConsumer } from "./registration.js";

export interface DeliverySurroundings {
  readonly definition: DeliveringConsumer;
  readonly log: Pick<Log, "subscribe" | "read" | "watermarks">;
  /** As the consumer's own role; see `prepareDelivery`. */
  readonly pool: Pool;
  readonly decoder: Decoder;
  readonly opener: Opener;
  /** The destination at work. */
  readonly sender: Sender;
  readonly logger: ProjectorLogger;
  readonly metrics?: Metrics;
  /** Where decisions of operators are recorded; without it nothing that they ask for is carried out. */
  readonly decisionLog?: DecisionLog;
  /** Where deliveries are recorded before they are written; without it they are in the database alone. Closed with it. */
  readonly deliveryLog?: DeliveryLog;
  /** Most keys that it may hold back; default 10,000. */
  readonly parkedLimit?: number;
  /** Most events taken in beyond the checkpoint of a partition; default 1,000. */
  readonly window?: number;
  /** Seconds after which an event that is not taken parks its key; default 0: never. */
  readonly longestSeconds?: number;
  readonly backoff?: BackoffOptions;
  /** Milliseconds between looks at what operators ask for; default 2,000. */
  readonly lookMilliseconds?: number;
  /** Called when it can't go on: the process must exit. */
  readonly onFailure: (error: Error) => void;
}

/** A broker that is away is waited for; a consumer that makes no progress for longer is not alive. */
const longestIdleMilliseconds = 120_000;

/**
 * Runs a delivering consumer: group `tributary.<name>`, one lane a partition. Any number of processes may run it: they share
 * the partitions.
 * @throws TRIB_DELIVERY_DEFINITION_INVALID
 */
export async function runDelivery(surroundings: DeliverySurroundings): Promise<RunningConsumer> {
  const { definition, log, pool, sender, logger, decisionLog } = surroundings;
  const { name, deliver, start = "latest" } = definition;
  validateDelivery(name, deliver);
  const build = buildOfDelivery(name);
  const decisions = decisionLog && new Decisions(decisionLog, name);
  const gate = new Gate(sender.concurrency);
  const parts = {
    consumer: name,
    delivery: deliver,
    start,
    log,
    pool,
    decoder: surroundings.decoder,
    opener: surroundings.opener,
    sender,
    gate,
    decisions,
    deliveryLog: surroundings.deliveryLog,
    owner: `${hostname()}:${process.pid}:${randomUUID().slice(0, 8)}`,
    patience: new Patience({ logger }),
    logger,
    metrics: surroundings.metrics,
    parkedLimit: surroundings.parkedLimit ?? 10_000,
    heldHere: new HeldHere(),
    window: surroundings.window ?? 1_000,
    longest: (surroundings.longestSeconds ?? 0) * 1000,
    backoff: surroundings.backoff,
    onFailure: surroundings.onFailure,
  };
  const requests = new RequestWatch(pool, () => [build]);
  const lanes = new Set<DeliveryLane>();
  const laneOf = (topic: string, partition: number): LaneHandler => {
    const place = { build, topic, partition };
    const isAsked = () => requests.concerns(topic, partition);
    const operations = (lane: DeliveryLane) =>
      decisions && new ParkedDeliveries({ pool, place, decisions, logger }, lane);
    const lane = new DeliveryLane(parts, place, operations, isAsked);
    lanes.add(lane);
    const counted: LaneHandler = {
      open: (ownership) => lane.open(ownership),
      batch: (records, context) => lane.batch(records, context),
      close: async () => {
        lanes.delete(lane);
        await lane.close();
      },
    };
    return attended(counted, () => lane.attend(), isAsked, surroundings.lookMilliseconds);
  };
  const subscription = await log.subscribe({
    group: `tributary.${name}`,
    topics: topicsOfDelivery(deliver),
    lane: laneOf,
    onFailure: surroundings.onFailure,
    concurrency: 64,
  });
  return {
    // Who waits for a partner is alive.
    live: () => subscription.idleMilliseconds() < longestIdleMilliseconds || [...lanes].some(({ isAlive }) => isAlive),
    ready: () => subscription.assignment().length > 0,
    state: () => ({ delivers: { to: sender.name, events: deliver.events }, partitions: subscription.assignment() }),
    async close() {
      await subscription.close();
      gate.close();
      await surroundings.deliveryLog?.close();
    },
  };
}
