import type { AuditMetaInput, ErasureRecordedInput } from "../../schemas/audit/audit.generated.js";
import type { Codec } from "../log/codec.js";
import type { Log } from "../log/log.js";
import { auditTopic } from "../log/schemas.js";

/** Records an erasure in the audit topic. Recorded again after a crash it has the same id, and counts once. */
export async function recordErasure(
  { log, codec }: { readonly log: Pick<Log, "producer">; readonly codec: Pick<Codec, "encode"> },
  erasure: {
    readonly id: string;
    readonly patient: string;
    readonly reason: string;
    readonly actor: string;
    readonly requestedAt: number;
  },
  step: "BEGUN" | "DONE",
  counts: Pick<ErasureRecordedInput, "visits" | "claims" | "keys"> = {},
): Promise<void> {
  const { id, patient, reason, actor, requestedAt } = erasure;
  const recorded: ErasureRecordedInput & { readonly meta: AuditMetaInput } = {
    meta: { id: `${id}/${step}`, time: step === "BEGUN" ? requestedAt : Date.now(), actor },
    step,
    erasure: id,
    patient,
    reason,
    ...counts,
  };
  const producer = await log.producer();
  try {
    const value = codec.encode("health.audit.ErasureRecorded", recorded);
    await producer.append([{ topic: auditTopic, key: patient, value }]);
  } finally {
    await producer.close();
  }
}
