import { randomUUID } from "node:crypto";
import type {
  AccessRecorded,
  AccessRecordedInput,
  AuditMetaInput,
  DeliveriesRecorded,
} from "../../schemas/audit/audit.generated.js";
import type { Codec } from "../log/codec.js";
import type { Log } from "../log/log.js";
import { auditTopic, deliveriesTopic } from "../log/schemas.js";
import { type AuditValue, readable } from "./readable-record.js";

export const accessActions = ["READ", "OPEN", "EXPORT", "REPLAY", "DROP"] as const;
export type AccessKind = (typeof accessActions)[number];

/** An access that reaches every patient of whom a part of the log tells. */
export interface BulkReach {
  /** Read model whose events they are; default those of every topic. */
  readonly projection?: string;
  /** Events taken by the log at or after this, epoch milliseconds; default from the first. */
  readonly from?: number | undefined;
  /** Events recorded at or before this, epoch milliseconds; default now. */
  readonly until?: number | undefined;
  /** Whether what identifies a person is opened. */
  readonly opened: boolean;
}

/** An access about to be granted. */
export interface Access {
  readonly action: AccessKind;
  /** The command or page by which it is done, without what was asked for. */
  readonly command: string;
  readonly subject: { readonly kind: string; readonly id: string };
  /** Surrogate ids of the patients concerned, as far as they are known. */
  readonly patients: readonly string[];
  /** Whose it is, where that are too many to be named. */
  readonly bulk?: BulkReach;
  readonly events?: number;
  readonly units?: number;
  readonly reason?: string | undefined;
  readonly recipient?: string | undefined;
  /** Who does it. */
  readonly actor: string;
}

const record = "health.audit.AccessRecorded";

/**
 * Records an access in the audit topic. To be awaited before anything is shown: what can't be recorded isn't given.
 * @throws TRIB_LOG_UNAVAILABLE, TRIB_LOG_TOPIC_MISSING
 */
export async function recordAccess(
  log: Pick<Log, "producer">,
  codec: Pick<Codec, "encode">,
  access: Access,
): Promise<void> {
  const { action, command, subject, patients, bulk, events = 0, units = 0, reason, recipient, actor } = access;
  const time = Date.now();
  const recorded: AccessRecordedInput & { readonly meta: AuditMetaInput } = {
    meta: { id: randomUUID(), time, actor },
    action,
    command,
    subject,
    patients: [...new Set(patients)],
    bulk: bulk ? { ...bulk, until: bulk.until ?? time } : null,
    events,
    units,
    reason: reason ?? null,
    recipient: recipient ?? null,
  };
  const producer = await log.producer();
  try {
    await producer.append([{ topic: auditTopic, key: subject.id, value: codec.encode(record, recorded) }]);
  } finally {
    await producer.close();
  }
}

/** A record of the audit topic in its place: an access, or a decision of an operator. */
export interface AuditRecord {
  readonly partition: number;
  readonly offset: number;
  /** Append time, epoch milliseconds. */
  readonly recordedAt: number;
  /** Short name, e.g. `AccessRecorded`, `EventSkipped`. */
  readonly type: string;
  readonly value: AuditValue;
}

/** The log can't be mended: what nobody can read is told as such, and keeps nobody from the rest. */
const unreadable = (place: string, time: number): Pick<AuditRecord, "type" | "value"> => ({
  type: "Unreadable",
  value: { meta: { id: `unreadable ${place}`, time, actor: "-" } },
});

/**
 * Everything in the audit topic, partition by partition. A record written again after a crash counts once.
 * @param options.deliveries with what was sent to partners, which may be more than all the rest; default without.
 */
export async function* auditRecords(
  log: Pick<Log, "read" | "watermarks">,
  codec: Pick<Codec, "decode">,
  { deliveries = false }: { readonly deliveries?: boolean } = {},
): AsyncIterable<AuditRecord> {
  const seen = new Set<string>();
  for (const topic of deliveries ? [auditTopic, deliveriesTopic] : [auditTopic]) {
    for (const { partition, low, high } of await log.watermarks(topic)) {
      for await (const batch of log.read(topic, partition, low, high)) {
        for (const { offset, timestamp, value: bytes } of batch) {
          if (!bytes) continue;
          const { type, value } = readable(codec, bytes) ?? unreadable(`${partition}/${offset}`, timestamp);
          if (seen.has(value.meta.id)) continue;
          seen.add(value.meta.id);
          yield { partition, offset, recordedAt: timestamp, type, value };
        }
      }
    }
  }
}

export const areDeliveries = (found: AuditRecord): found is AuditRecord & { readonly value: DeliveriesRecorded } =>
  found.type === "DeliveriesRecorded";

export const isAccess = (found: AuditRecord): found is AuditRecord & { readonly value: AccessRecorded } =>
  found.type === "AccessRecorded";

/** Whether an access opened what is sealed: units as received, or what identifies a person. */
export const hasOpened = ({ action, units, bulk }: Pick<AccessRecorded, "action" | "units" | "bulk">): boolean =>
  action === "OPEN" || units > 0 || bulk?.opened === true;
