import type { Codec } from "../log/codec.js";
import { journalTopic } from "../log/schemas.js";
import type { AnyProjection } from "../projector/definition.js";
import type { Pool } from "../store/pool.js";
import type { AuditRecord, auditRecords } from "./access.js";
import { auditEventOf } from "./audit-event.js";
import { deliveriesWithin } from "./deliveries.js";
import { deliveryDisclosures, oldestFirst } from "./delivery-disclosures.js";
import { type Disclosed, disclosuresOf } from "./disclosures.js";
import { patientsOfRecord } from "./event-index.js";
import type { PlacedRecord } from "./read-places.js";
import { readableDelivery, readableTrail } from "./readable.js";
import type { Trail } from "./trail.js";

/** Where the files of a package are made from. */
export interface PackageSource {
  readonly log: Parameters<typeof auditRecords>[0];
  readonly codec: Codec;
  readonly pool: Pool;
  readonly projections: readonly AnyProjection[];
  /** The journal's id: names the installation. */
  readonly journal: string;
}

/** A stretch of the log's time; epoch milliseconds, both inclusive. */
export interface PackedPeriod {
  readonly from: number;
  readonly until: number;
}

type Files = ReadonlyMap<string, Uint8Array>;

const lines = (rows: readonly object[]): Buffer => Buffer.from(rows.map((row) => `${JSON.stringify(row)}\n`).join(""));

/** Files of a package about a claim, a visit or a patient, beside records and proofs. */
export async function filesOfTrail(
  source: PackageSource,
  trail: Trail,
  records: readonly PlacedRecord[],
): Promise<Files> {
  const told = readableTrail(trail, source.projections);
  const fileOf = (place: string) => `units/${place.replace("/", "-")}.bin`;
  const units = told.units.map(({ bytes, ...unit }) => ({ ...unit, file: bytes ? fileOf(unit.place) : null }));
  const files = new Map<string, Uint8Array>();
  files.set("trail.json", Buffer.from(`${JSON.stringify({ ...told, units }, undefined, 2)}\n`));
  for (const { place, bytes } of trail.units) if (bytes) files.set(fileOf(place), bytes);
  const others = new Set(trail.apart.patients);
  const patients = new Set(trail.patients.filter((id) => !others.has(id)));
  files.set("access.jsonl", await accesses(source, { patients, records }, trail.subject.id, 0));
  return files;
}

/** Files of a package about a period, beside records and proofs: deliveries made in it, and who was shown any of it. */
export async function filesOfPeriod(
  source: PackageSource,
  subject: string,
  { from, until }: PackedPeriod,
  records: readonly PlacedRecord[],
): Promise<Files> {
  const made = await deliveriesWithin(source, from, until);
  const patients = await concernedBy(source.codec, records);
  return new Map([
    ["deliveries.jsonl", lines(made.map(readableDelivery))],
    // What was not there yet was shown to nobody.
    ["access.jsonl", await accesses(source, { patients, records }, subject, from)],
  ]);
}

/** Ids of the entities and patients that events tell of, by which accesses name them. What can't be decoded tells of its key. */
async function concernedBy(codec: Codec, records: readonly PlacedRecord[]): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  for (const placed of records) {
    if (placed.topic === journalTopic) continue;
    found.add(placed.record.key);
    for (const id of await patientsOfRecord(codec, placed)) found.add(id);
  }
  return found;
}

/**
 * Who was shown or given any of it, by name or among many: accesses here, and what was sent to partners.
 * @param subject what the package is about: an access that was asked for it names nobody else where it is nobody's.
 */
async function accesses(
  { log, codec, pool, projections, journal }: PackageSource,
  { patients, records }: Disclosed,
  subject: string,
  since: number,
): Promise<Buffer> {
  const named = new Set([...patients, subject]);
  const shown = await disclosuresOf({ log, codec, projections }, { patients: named, records }, since);
  const sent = await deliveryDisclosures({ log, codec, pool }, { patients, records }, since);
  return lines(oldestFirst<AuditRecord>([...shown, ...sent]).map((access) => auditEventOf(access, journal)));
}
