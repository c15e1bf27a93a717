import type { AvroRecord } from "../../engine/log/avro.js";
import { compileType } from "../../engine/log/avro-type.js";
import { registryApi } from "../../engine/log/registry-api.js";
import type { Settings } from "../../engine/service/settings.js";

/** The topic that the bench's own consumers read, without prefix; a topic of others, in the Confluent wire format. */
export const visitTopic = "bench.visit.events";

const types = ["ADMITTED", "TRANSFERRED", "UPDATED", "CHARGED", "DISCHARGED"] as const;

/** The same record as in the side-by-side benchmark: about 100 bytes. */
const schema: AvroRecord = {
  type: "record",
  name: "VisitEvent",
  namespace: "bench",
  fields: [
    { name: "eventId", type: "string" },
    { name: "visitId", type: "string" },
    { name: "patientId", type: "string" },
    { name: "type", type: { type: "enum", name: "VisitEventType", symbols: [...types] } },
    { name: "status", type: "string" },
    { name: "ward", type: ["null", "string"], default: null },
    { name: "facility", type: "string" },
    { name: "occurredAt", type: { type: "long", logicalType: "timestamp-millis" } },
    { name: "sequence", type: "int" },
    { name: "chargeCents", type: "long" },
  ],
};

export interface VisitEvent {
  readonly eventId: string;
  readonly visitId: string;
  readonly patientId: string;
  readonly type: (typeof types)[number];
  readonly status: string;
  readonly ward: string | null;
  readonly facility: string;
  readonly occurredAt: number;
  readonly sequence: number;
  readonly chargeCents: number;
}

const statuses = ["planned", "arrived", "in-progress", "on-leave", "finished"] as const;
const wards = Array.from({ length: 40 }, (_, number) => `WARD-${String(number).padStart(2, "0")}`);
const facilities = Array.from({ length: 24 }, (_, number) => `FAC-${String(number).padStart(3, "0")}`);
const firstInstant = Date.UTC(2025, 0, 1);

/** A number below 2^32 that looks like chance and depends on nothing but its arguments. */
export function mixed(one: number, two: number): number {
  let hash = Math.imul(one ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(two + 0x27d4eb2f, 0xc2b2ae35);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  hash = Math.imul(hash ^ (hash >>> 12), 0x297a2d39);
  return (hash ^ (hash >>> 15)) >>> 0;
}

const hex = (number: number) => number.toString(16).padStart(8, "0");

export const visitIdOf = (visit: number): string => `V-${String(visit).padStart(8, "0")}`;

/** Event number `sequence` (from 1) of a visit: nothing but these two decides it, so what must stand in the end is known. */
export function visitEvent(visit: number, sequence: number): VisitEvent {
  const chance = mixed(visit, sequence);
  const id = hex(chance) + hex(mixed(chance, visit)) + hex(mixed(sequence, chance)) + hex(mixed(visit, ~sequence));
  const at = sequence === 1 ? 0 : 1 + (chance % 3);
  return {
    eventId: `${id.slice(0, 8)}-${id.slice(8, 12)}-${id.slice(12, 16)}-${id.slice(16, 20)}-${id.slice(20)}`,
    visitId: visitIdOf(visit),
    patientId: `P-${String((visit * 7919) % 9_000_000).padStart(8, "0")}`,
    type: types[at] ?? "UPDATED",
    status: statuses[sequence === 1 ? 1 : 2 + (chance % 2)] ?? "planned",
    ward: chance % 10 === 0 ? null : (wards[chance % wards.length] ?? null),
    facility: facilities[visit % facilities.length] ?? "",
    occurredAt: firstInstant + (visit % 1_000_000) * 60_000 + sequence,
    sequence,
    chargeCents: chance % 5_000_000,
  };
}

/** Registers the schema for a topic; gives what encodes an event. */
export async function visitEncoder(settings: Settings): Promise<(event: VisitEvent) => Buffer> {
  const id = await registryApi(settings).register(`${settings.TOPIC_PREFIX}${visitTopic}-value`, schema);
  const type = compileType(schema);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(id, 1);
  return (event) => Buffer.concat([head, type.toBuffer(event)]);
}
