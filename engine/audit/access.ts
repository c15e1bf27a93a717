import { randomUUID } from "node:crypto";
import type { AccessRecorded, AccessRecordedInput, AuditMetaInput } from "../../schemas/audit/audit.generated.js";
import type { Codec } from "../log/codec.js";
import type { Log } from "../log/log.js";
import { auditTopic } from "../log/schemas.js";

export const accessActions = ["READ", "OPEN", "EXPORT", "REPLAY"] as const;
export type AccessKind = (typeof accessActions)[number];

/** An access about to be granted. */
export interface Access {
  readonly action: AccessKind;
  /** The command or page by which it is done, without what was asked for. */
  readonly command: string;
  readonly subject: { readonly kind: string; readonly id: string };
  /** Surrogate ids of the patients concerned, as far as they are known. */
  readonly patients: readonly string[];
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
  const { action, command, subject, patients, events = 0, units = 0, reason, recipient, actor } = access;
  const recorded: AccessRecordedInput & { readonly meta: AuditMetaInput } = {
    meta: { id: randomUUID(), time: Date.now(), actor },
    action,
    command,
    subject,
    patients: [...new Set(patients)],
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
  readonly value: { readonly meta: { readonly id: string; readonly time: number; readonly actor: string } } & Readonly<
    Record<string, unknown>
  >;
}

/** Everything in the audit topic, partition by partition. A record written again after a crash counts once. */
export async function* auditRecords(
  log: Pick<Log, "read" | "watermarks">,
  codec: Pick<Codec, "decode">,
): AsyncIterable<AuditRecord> {
  const seen = new Set<string>();
  for (const { partition, low, high } of await log.watermarks(auditTopic)) {
    for await (const batch of log.read(auditTopic, partition, low, high)) {
      for (const { offset, timestamp, value } of batch) {
        if (!value) continue;
        const decoded = codec.decode(value);
        const type = decoded.record.slice(decoded.record.lastIndexOf(".") + 1);
        const found = decoded.value as AuditRecord["value"];
        if (seen.has(found.meta.id)) continue;
        seen.add(found.meta.id);
        yield { partition, offset, recordedAt: timestamp, type, value: found };
      }
    }
  }
}

export const isAccess = (found: AuditRecord): found is AuditRecord & { readonly value: AccessRecorded } =>
  found.type === "AccessRecorded";

/** Years for which an account of disclosures is owed (45 CFR 164.528). */
export const disclosureYears = 6;

/**
 * Accesses that concern a patient, oldest first.
 * @param patients the patient's ids, those of merged records too.
 * @param since epoch milliseconds.
 */
export async function disclosuresOf(
  log: Pick<Log, "read" | "watermarks">,
  codec: Pick<Codec, "decode">,
  patients: ReadonlySet<string>,
  since: number,
): Promise<(AuditRecord & { readonly value: AccessRecorded })[]> {
  const found = [];
  for await (const each of auditRecords(log, codec)) {
    if (!isAccess(each) || each.value.meta.time < since) continue;
    if (each.value.patients.some((id) => patients.has(id)) || patients.has(each.value.subject.id)) found.push(each);
  }
  return found.sort((left, right) => left.value.meta.time - right.value.meta.time);
}
