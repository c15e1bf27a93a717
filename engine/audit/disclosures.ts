import type { AccessRecorded } from "../../schemas/audit/audit.generated.js";
import type { Codec } from "../log/codec.js";
import type { Log } from "../log/log.js";
import { parsePosition, positionHeader } from "../log/position.js";
import type { AnyProjection } from "../projector/definition.js";
import { topicsOfProjections } from "../projector/roles.js";
import { type AuditRecord, auditRecords, isAccess } from "./access.js";
import type { PlacedRecord } from "./read-places.js";

/** Years for which an account of disclosures is owed (45 CFR 164.528). */
export const disclosureYears = 6;

/** Of whom an account is asked, and what the log tells of them. */
export interface Disclosed {
  /** The patient's ids, those of merged records too. */
  readonly patients: ReadonlySet<string>;
  /** Events about them, as the log has them: by these they are among whom an access to many reached. */
  readonly records: readonly PlacedRecord[];
}

type Bulk = NonNullable<AccessRecorded["bulk"]>;

/** Whether a patient of whom the log has this event is among whom the access reached. */
function reaches(
  { projection, from, until }: Bulk,
  { topic, record }: PlacedRecord,
  projections: readonly AnyProjection[],
) {
  const known = projections.filter(({ name }) => name === projection);
  // A read model that is no more may have been of anybody.
  if (known.length > 0 && !topicsOfProjections(known).includes(topic)) return false;
  const recordedAt = parsePosition(record.headers[positionHeader] ?? "")?.recordedAt ?? record.timestamp;
  return recordedAt <= until && (from === null || record.timestamp >= from);
}

/**
 * Accesses that concern a patient, oldest first: those that name it, and those that reached everyone in a part of the log
 * where it is.
 * @param projections as they are now: they say which events a read model is made of.
 * @param since epoch milliseconds.
 */
export async function disclosuresOf(
  parts: {
    readonly log: Pick<Log, "read" | "watermarks">;
    readonly codec: Pick<Codec, "decode">;
    readonly projections: readonly AnyProjection[];
  },
  { patients, records }: Disclosed,
  since: number,
): Promise<(AuditRecord & { readonly value: AccessRecorded })[]> {
  const found = [];
  for await (const each of auditRecords(parts.log, parts.codec)) {
    if (!isAccess(each) || each.value.meta.time < since) continue;
    const { subject, patients: named, bulk } = each.value;
    const concerns =
      patients.has(subject.id) ||
      named.some((id) => patients.has(id)) ||
      (bulk && records.some((record) => reaches(bulk, record, parts.projections)));
    if (concerns) found.push(each);
  }
  return found.sort((left, right) => left.value.meta.time - right.value.meta.time);
}
