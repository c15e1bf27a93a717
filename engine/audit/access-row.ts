import type { AccessRecorded, ErasureRecorded, EventPlace } from "../../schemas/audit/audit.generated.js";
import { type AuditRecord, areDeliveries, isAccess } from "./access.js";

/** A record of the audit topic as one row for people. */
export interface AccessRow {
  /** ISO 8601 in UTC. */
  readonly when: string;
  readonly who: string;
  readonly action: string;
  /** The command, as what an action does to it differs: a rebuild and a roll-back both replay. Null where no command is named. */
  readonly how: string | null;
  readonly what: string;
  /** Whose: how many patients are named, or whom an access to many reached. */
  readonly whose: string | null;
  readonly events: number;
  readonly units: number;
  readonly reason: string | null;
  readonly recipient: string | null;
}

const instant = (at: number): string => new Date(at).toISOString();

/** Whom an access to many reached, in words. */
export function reachText({ projection, from, until, opened }: NonNullable<AccessRecorded["bulk"]>): string {
  const since = from === null ? "" : ` from ${instant(from)}`;
  const where = projection === null ? "the log" : `${projection}`;
  return `everyone in ${where}${since} until ${instant(until)}${opened ? ", opened" : ""}`;
}

function whose({ patients, bulk }: AccessRecorded): string | null {
  if (bulk) return reachText(bulk);
  return patients.length === 0 ? null : `${patients.length} patient${patients.length === 1 ? "" : "s"}`;
}

/** Shows an access, a decision of an operator, a step of an erasure, or what a later version may record. */
export function accessRow(found: AuditRecord): AccessRow {
  const { meta, reason } = found.value as AuditRecord["value"] & { readonly reason?: string | null };
  const row = {
    when: instant(meta.time),
    who: meta.actor,
    action: found.type,
    how: null,
    what: "-",
    whose: null,
    events: 0,
    units: 0,
    reason: reason ?? null,
    recipient: null,
  };
  if (isAccess(found)) {
    const { action, command, subject, events, units, recipient } = found.value;
    return {
      ...row,
      action,
      how: command,
      what: `${subject.kind} ${subject.id}`,
      whose: whose(found.value),
      events,
      units,
      recipient,
    };
  }
  if (areDeliveries(found)) {
    const { consumer, destination, topic, partition, deliveries } = found.value;
    const told = { action: "DELIVER", how: destination, what: `${topic}/${partition}`, recipient: consumer };
    return { ...row, ...told, events: deliveries.length };
  }
  if (found.type === "ErasureRecorded") {
    const { patient, step } = found.value as unknown as ErasureRecorded;
    return { ...row, what: `patient ${patient} ${step}`, whose: "1 patient" };
  }
  const { event } = found.value as { readonly event?: EventPlace };
  if (!event) return row;
  return { ...row, what: `${event.projection} ${event.topic}/${event.partition}/${event.offset}`, events: 1 };
}
