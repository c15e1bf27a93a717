import type { AccessRecorded } from "../../schemas/audit/audit.generated.js";
import type { AuditRecord } from "./access.js";
import { type DeliveryEvidence, deliveriesOf } from "./deliveries.js";
import type { Disclosed } from "./disclosures.js";
import type { DeliveriesSource } from "./told-deliveries.js";

/** A delivery as the record of an access. */
export type DeliveryRecord = AuditRecord & {
  readonly value: Omit<AccessRecorded, "action"> & { readonly action: "DELIVER" };
};

/** What is said of a delivery beside what came of it. */
const words: Readonly<Record<DeliveryEvidence, string>> = {
  both: "",
  database: ", not in the log",
  removed: ", REMOVED from the database",
  changed: ", CHANGED in the database",
  awaited: ", not written yet",
};

/**
 * Deliveries of a patient's events as what they are in an account of disclosures: what was given to others, and to whom.
 * Those that were refused, not answered or are to be sent again are among them: the partner was sent them. Those for which
 * there never was a connection are not. What the log tells of is there whatever the database has.
 * @param since epoch milliseconds.
 */
export async function deliveryDisclosures(
  source: DeliveriesSource,
  { patients, records }: Disclosed,
  since: number,
): Promise<readonly DeliveryRecord[]> {
  const made = await deliveriesOf(source, records);
  return made
    .filter(({ sent, lastAttemptAt }) => sent && lastAttemptAt >= since)
    .map((delivery): DeliveryRecord => {
      const { place, eventId, eventType, consumer, destination, deliveryId, status, opened, lastAttemptAt } = delivery;
      const answered = delivery.responseCode === null ? "" : `, answered ${delivery.responseCode}`;
      const [, partition, offset] = /\/(\d+)\/(\d+)$/.exec(place) ?? [];
      return {
        partition: Number(partition),
        offset: Number(offset),
        recordedAt: lastAttemptAt,
        type: "AccessRecorded",
        value: {
          meta: { id: deliveryId, time: lastAttemptAt, actor: `consumer ${consumer}` },
          action: "DELIVER",
          command: `${destination}: ${status}${answered}${opened ? ", opened" : ""}${words[delivery.evidence]}`,
          subject: { kind: eventType, id: eventId },
          patients: [...patients],
          bulk: null,
          events: 1,
          units: 0,
          reason: null,
          recipient: consumer,
        },
      };
    });
}

/** Several accounts as one, oldest first. */
export const oldestFirst = <Each extends AuditRecord>(found: readonly Each[]): Each[] =>
  [...found].sort((left, right) => left.value.meta.time - right.value.meta.time);
