import { randomUUID } from "node:crypto";
import type { AuditMetaInput, DeliveriesRecordedInput } from "../../schemas/audit/audit.generated.js";
import type { Codec } from "../log/codec.js";
import type { Log, LogProducer } from "../log/log.js";
import { deliveriesRecord, deliveriesTopic } from "../log/schemas.js";
import type { DeliveryRow } from "./statement.js";

/** Deliveries of one partition that are written together. */
export interface DeliveryBatch {
  /** One a batch: recorded again, as where the log did not answer, it counts once. */
  readonly id: string;
  readonly consumer: string;
  readonly topic: string;
  readonly partition: number;
  readonly deliveries: readonly DeliveryRow[];
}

/**
 * Where deliveries are recorded beyond the database, before it says so: what is in the log, chained by the notary, nobody
 * takes out of an account of disclosures by a statement.
 */
export interface DeliveryLog {
  /** Resolves when it is durable. May be called again with the same batch. */
  append(batch: DeliveryBatch): Promise<void>;
  close(): Promise<void>;
}

/** Deliveries in one record: it stays far below the size that a record may have. */
const most = 1_000;

export const deliveryBatch = (place: Omit<DeliveryBatch, "id">): DeliveryBatch => ({ id: randomUUID(), ...place });

/** A batch as records of the topic of deliveries; nothing in them identifies a person. @param now epoch milliseconds. */
export function* deliveryRecords({ id, consumer, topic, partition, deliveries }: DeliveryBatch, now: number) {
  for (let from = 0; from < deliveries.length; from += most) {
    const part = deliveries.slice(from, from + most);
    const value: DeliveriesRecordedInput & { readonly meta: AuditMetaInput } = {
      meta: { id: from === 0 ? id : `${id}/${from}`, time: now, actor: `consumer ${consumer}` },
      consumer,
      destination: part.at(-1)?.destination ?? "",
      topic,
      partition,
      deliveries: part.map(({ deliveryId: _id, destination: _to, status, firstAt, lastAt, sha256, ...told }) => ({
        ...told,
        status: status.toUpperCase() as Uppercase<typeof status>,
        firstAttemptAt: firstAt,
        lastAttemptAt: lastAt,
        bodySha256: sha256,
      })),
    };
    // All that is told of an event is in one partition, in the order in which it was done.
    yield { record: deliveriesRecord, value, key: `${consumer} ${topic}/${partition}` };
  }
}

/** Deliveries as records of a topic of their own. @returns what throws TRIB_LOG_TOPIC_MISSING, TRIB_LOG_UNAVAILABLE. */
export function auditDeliveries(log: Pick<Log, "producer">, codec: Pick<Codec, "encode">): DeliveryLog {
  let producer: Promise<LogProducer> | undefined;
  const kept = (): Promise<LogProducer> => {
    producer ??= log.producer().catch((error: unknown) => {
      producer = undefined;
      throw error;
    });
    return producer;
  };
  return {
    async append(batch) {
      const records = [...deliveryRecords(batch, Date.now())];
      await (await kept()).append(
        records.map(({ record: name, value, key }) => ({
          topic: deliveriesTopic,
          key,
          value: codec.encode(name, value),
        })),
      );
    },
    async close() {
      await (await producer)?.close();
    },
  };
}
