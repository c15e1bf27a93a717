import { deliveriesOf, type TrailDelivery } from "../audit/deliveries.js";
import type { BackoffOptions } from "../delivery/answer.js";
import type { DeliveryStart } from "../delivery/definition.js";
import { auditDeliveries, type DeliveryLog } from "../delivery/delivery-log.js";
import type { Sender } from "../delivery/destination.js";
import { Gate } from "../delivery/gate.js";
import { DeliveryLane, type DeliveryParts } from "../delivery/lane.js";
import { ParkedDeliveries } from "../delivery/parked-deliveries.js";
import { buildOfDelivery, type DeliveringConsumer } from "../delivery/registration.js";
import { webhook } from "../delivery/webhook.js";
import { standaloneCodec } from "../log/codec.js";
import type { LaneContext } from "../log/log.js";
import { formatPosition, positionHeader } from "../log/position.js";
import { deliveriesTopic } from "../log/schemas.js";
import type { Decision } from "../projector/decisions.js";
import { Decisions } from "../projector/decisions.js";
import { HeldHere } from "../projector/parked-limit.js";
import { Patience } from "../projector/patience.js";
import type { Decoder } from "../projector/ports.js";
import { consumer } from "../service/consumer.js";
import { closedOpener } from "../service/sealed-opener.js";
import type { Pool } from "../store/pool.js";
import { type MemoryLog, memoryLog } from "./memory-log.js";
import { memoryDecisions } from "./projection-bench.js";

/** What made-up events say, in a field that a real event has. */
export interface Told {
  readonly number: number;
  /** silent: nothing is sent of it. broken: `map` throws. */
  readonly act?: "silent" | "broken";
}

/** The shared secret of specs. */
export const specSecret = Buffer.alloc(32, "s");
export const specCredentials = () => `whsec_${specSecret.toString("base64")}`;

/** A delivering consumer to an endpoint of this machine. @param start default the log's beginning. */
export const acme = (url: string, start: DeliveryStart = "earliest"): DeliveringConsumer =>
  consumer({
    name: "acme-health-plan",
    start,
    deliver: {
      events: ["VisitUpdated"],
      to: webhook({ url, secrets: ["acme.whsec"], timeoutSeconds: 2, concurrency: 8 }),
      map: ({ event, key }) => {
        const { number, act } = JSON.parse(event.facility) as Told;
        if (act === "broken") throw new Error(`secret ${number}`);
        return act === "silent" ? undefined : { number, visit: key };
      },
    },
  }) as DeliveringConsumer;

const topic = "health.visit.events";
const codec = standaloneCodec();
const decoder: Decoder = {
  decodeEvent: (value) => ({ type: "VisitUpdated", event: JSON.parse(String(value)) as object }),
  learn: async () => {},
};

export interface BenchLane {
  /** Default: the bench's own. */
  readonly pool?: Pool;
  /** Between lane and log. */
  readonly logged?: (log: DeliveryLog) => DeliveryLog;
  /** Between lane and partner. */
  readonly through?: (sender: Sender) => Sender;
  readonly backoff?: BackoffOptions;
  /** Default the log's beginning. */
  readonly start?: DeliveryStart;
}

/** A log in memory, and lanes of a delivering consumer on a real Postgres, to a real endpoint: without Kafka. */
export class DeliveryBench {
  readonly log: MemoryLog = memoryLog({ partitions: 1 });
  readonly place = { build: buildOfDelivery("acme-health-plan"), topic, partition: 0 };
  readonly failures: Error[] = [];
  readonly #pool: Pool;
  readonly #url: () => string;
  readonly #decided: Decision[] = [];
  #appended = 0;

  /** @param pool as a role that may do what a consumer's does. */
  constructor(pool: Pool, url: () => string) {
    this.#pool = pool;
    this.#url = url;
    // There from its first use on.
    this.log.records(deliveriesTopic, 0);
  }

  get end(): number {
    return this.log.records(topic, 0).length;
  }

  async append(...told: readonly (readonly [key: string, told: Told])[]): Promise<void> {
    const producer = await this.log.producer();
    await producer.append(
      told.map(([key, said]) => {
        const offset = ++this.#appended;
        const meta = { id: `event-${offset}`, source: "north", time: 0 };
        const value = Buffer.from(JSON.stringify({ meta, facility: JSON.stringify(said), sealed: null }));
        const position = { journal: "j", partition: 0, offset, index: 0, recordedAt: Date.now() };
        return { topic, partition: 0, key, value, headers: { [positionHeader]: formatPosition(position) } };
      }),
    );
  }

  lane(options: BenchLane = {}): DeliveryLane {
    const {
      pool = this.#pool,
      through = (sender) => sender,
      logged = (log) => log,
      backoff,
      start = "earliest",
    } = options;
    const definition = acme(this.#url());
    const logger = { info: () => {}, warn: () => {}, error: () => {} };
    const decisions = new Decisions(memoryDecisions(this.#decided), definition.name);
    const sender = through(definition.deliver.to.open(specCredentials));
    const parts: DeliveryParts = {
      consumer: definition.name,
      delivery: definition.deliver,
      start,
      log: this.log,
      pool,
      decoder,
      opener: closedOpener,
      sender,
      gate: new Gate(sender.concurrency),
      decisions,
      deliveryLog: logged(auditDeliveries(this.log, codec)),
      owner: "spec",
      patience: new Patience({ logger, shortest: 5, longest: 20 }),
      logger,
      parkedLimit: 10,
      heldHere: new HeldHere(),
      window: 100,
      longest: 0,
      backoff: backoff ?? { shortest: 5, longest: 20 },
      onFailure: (error) => void this.failures.push(error),
    };
    const place = this.place;
    return new DeliveryLane(parts, place, (lane) => new ParkedDeliveries({ pool, place, decisions, logger }, lane));
  }

  /** Where deliveries are known from. */
  get source() {
    return { log: this.log, codec, pool: this.#pool };
  }

  /** What the log and the database know of the deliveries of the first so many events. */
  known(events: number): Promise<readonly TrailDelivery[]> {
    const places = Array.from({ length: events }, (_, offset) => ({ topic, partition: 0, offset }));
    return deliveriesOf(this.source, places);
  }

  /** Opens a lane and gives it the log to its end. */
  async feed(lane: DeliveryLane): Promise<void> {
    const from = await lane.open();
    await lane.attend();
    const records = this.log.records(topic, 0).slice(from);
    if (records.length > 0) await lane.batch(records, this.context());
  }

  context(): LaneContext {
    return { highWatermark: this.end, isOwned: () => true, heartbeat: async () => {}, seek: () => {} };
  }

  async checkpoint(): Promise<number> {
    const { rows } = await this.#pool.query<{ next_offset: number }>(
      "SELECT next_offset FROM engine.checkpoints WHERE projection = 'acme-health-plan' AND topic = $1 AND partition = 0",
      [topic],
    );
    return Number(rows[0]?.next_offset ?? 0);
  }
}
