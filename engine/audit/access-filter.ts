import type { ErasureRecorded, EventPlace } from "../../schemas/audit/audit.generated.js";
import { type AuditRecord, accessActions, areDeliveries, hasOpened, isAccess } from "./access.js";

/** What is told of a record of the audit topic: an action of an access, or the name of a decision. */
export const auditActions = [
  ...accessActions,
  "DELIVER",
  "EventParked",
  "EventSkipped",
  "ParkRetried",
  "ErasureRecorded",
] as const;
export type AuditAction = (typeof auditActions)[number];

/** Which records of the audit topic are asked for; what is left out counts as any. */
export interface AccessFilter {
  /** Who did it, as recorded. */
  readonly who?: string | undefined;
  /** OPEN takes whatever opened what is sealed: exports, replays and rebuilds that did are told, too. */
  readonly action?: AuditAction | undefined;
  /** Surrogate id of a patient, a visit or a claim that the record names: what was asked for, whose it was, whose key. */
  readonly id?: string | undefined;
  /** Epoch milliseconds, inclusive. */
  readonly since?: number | undefined;
  /** Epoch milliseconds, exclusive. */
  readonly until?: number | undefined;
}

/** Surrogate ids that a record names. An access that reached everybody names nobody. */
function named(found: AuditRecord): readonly string[] {
  if (isAccess(found)) return [found.value.subject.id, ...found.value.patients];
  const { patient, event } = found.value as { readonly event?: EventPlace } & Partial<ErasureRecorded>;
  return [patient, event?.key].filter((id) => id !== undefined && id !== null);
}

function actionOf(found: AuditRecord): string {
  if (areDeliveries(found)) return "DELIVER";
  return isAccess(found) ? found.value.action : found.type;
}

/** Whether a record is of a kind. */
function isOf(found: AuditRecord, action: AuditAction): boolean {
  return actionOf(found) === action || (action === "OPEN" && isAccess(found) && hasOpened(found.value));
}

/** Whether a record is among those asked for. */
export function isWanted(found: AuditRecord, { who, action, id, since, until }: AccessFilter): boolean {
  const { time, actor } = found.value.meta;
  if (who !== undefined && actor !== who) return false;
  if (action !== undefined && !isOf(found, action)) return false;
  if (since !== undefined && time < since) return false;
  if (until !== undefined && time >= until) return false;
  return id === undefined || named(found).includes(id);
}
