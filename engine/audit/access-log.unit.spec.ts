import { expect, it } from "vitest";
import { standaloneCodec } from "../log/codec.js";
import { auditTopic, journalTopic } from "../log/schemas.js";
import { memoryLog } from "../testing/memory-log.js";
import { auditRecords, recordAccess } from "./access.js";
import { accessRow } from "./access-row.js";
import { patientsOfRecord } from "./event-index.js";

const codec = standaloneCodec();

it("a record of the audit topic that nobody can read is told as such, and keeps nobody from the others", async () => {
  const log = memoryLog({ partitions: 1 });
  const producer = await log.producer();
  const look = {
    action: "READ",
    command: "audit trail",
    subject: { kind: "claim", id: "c" },
    patients: [],
    actor: "ada",
  } as const;
  await recordAccess(log, codec, look);
  await producer.append([{ topic: auditTopic, partition: 0, key: "k", value: Buffer.from("no record") }]);
  await recordAccess(log, codec, { ...look, actor: "bob" });
  const told = [];
  for await (const each of auditRecords(log, codec)) told.push(accessRow(each));
  expect(told.map(({ who, action }) => [who, action])).toEqual([
    ["ada", "READ"],
    ["-", "Unreadable"],
    ["bob", "READ"],
  ]);
});

it("a unit names the patients of its events", async () => {
  const event = (type: "VisitUpdated" | "PatientUpdated", subject: string, fields: object) => ({
    ...{
      key: subject,
      id: `${type} 1`,
      type,
      topic: type === "VisitUpdated" ? "health.visit.events" : "health.patient.events",
    },
    value: codec.encodeEvent(type, {
      meta: { id: `${type} 1`, source: "north", time: 0, subject, connector: "spec" },
      ...{ facility: "NORTH", authority: "NORTH" },
      ...fields,
    } as never),
  });
  const value = codec.encodeEntry({
    ...{ entry: "UNIT", journal: "j", receiptId: "r", receivedAt: 0, partner: "north", feed: "f", connector: "spec" },
    ...{
      connectorVersion: "1",
      format: "ADT",
      accepted: true,
      contentHash: Buffer.alloc(0),
      size: 0,
      sealedUnit: Buffer.alloc(0),
    },
    events: [event("VisitUpdated", "v", { patientId: "p1" }), event("PatientUpdated", "p2", {})],
  } as never);
  const record = { offset: 3, timestamp: 0, key: "f", value, headers: {} };
  expect(await patientsOfRecord(codec, { topic: journalTopic, partition: 0, offset: 3, record })).toEqual(["p1", "p2"]);
});
