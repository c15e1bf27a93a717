import type {
  AuditMetaInput,
  EventParked,
  EventParkedInput,
  EventSkipped,
  EventSkippedInput,
  ParkRetried,
  ParkRetriedInput,
} from "../../schemas/audit/audit.generated.js";
import type { Codec } from "../log/codec.js";
import type { Log } from "../log/log.js";
import { auditTopic } from "../log/schemas.js";
import type { Decision, DecisionLog, RequestedAction } from "./decisions.js";

type Recorded = EventParked | EventSkipped | ParkRetried;
type ToRecord = (EventParkedInput | EventSkippedInput | ParkRetriedInput) & { readonly meta: AuditMetaInput };

const records: Readonly<Record<RequestedAction, string>> = {
  park: "health.audit.EventParked",
  skip: "health.audit.EventSkipped",
  retry: "health.audit.ParkRetried",
};
const actions: ReadonlyMap<string, RequestedAction> = new Map(
  Object.entries(records).map(([action, record]) => [record, action as RequestedAction]),
);

function decisionOf(action: RequestedAction, { meta, event, reason }: Recorded): Decision {
  return { id: meta.id, time: meta.time, actor: meta.actor, action, reason, ...event };
}

/**
 * Decisions as records of the audit topic, keyed by the projection: so all of one are in one partition, in order.
 * @returns what throws TRIB_LOG_TOPIC_MISSING, TRIB_LOG_UNAVAILABLE, TRIB_LOG_UNKNOWN_SCHEMA (a newer version decided).
 */
export function auditDecisions(
  log: Pick<Log, "read" | "watermarks" | "producer">,
  codec: Pick<Codec, "encode" | "decode">,
): DecisionLog {
  return {
    async read(projection, from) {
      const decisions: Decision[] = [];
      const next = new Map<number, number>();
      for (const { partition, low, high } of await log.watermarks(auditTopic)) {
        next.set(partition, high);
        for await (const batch of log.read(auditTopic, partition, Math.max(low, from.get(partition) ?? 0), high)) {
          for (const { key, value } of batch) {
            if (key !== projection || !value) continue;
            const { record, value: recorded } = codec.decode(value);
            const action = actions.get(record);
            if (action) decisions.push(decisionOf(action, recorded as Recorded));
          }
        }
      }
      return { decisions, next };
    },
    async append(decisions) {
      const producer = await log.producer();
      try {
        await producer.append(
          decisions.map((decision) => {
            const { id, time, actor, action, reason, ...event } = decision;
            const toRecord: ToRecord = { meta: { id, time, actor }, event, reason };
            const value = codec.encode(records[action], toRecord);
            return { topic: auditTopic, key: decision.projection, value };
          }),
        );
      } finally {
        await producer.close();
      }
    },
  };
}
