import type { AvroRecord, AvroSchema } from "../log/avro.js";
import { rootRecords } from "../log/schemas.js";
import type { AnyProjection, Column } from "../projector/definition.js";
import type { TrailDelivery } from "./deliveries.js";
import type { RowChange } from "./row-changes.js";
import type { Trail, TrailEvent } from "./trail.js";

/** An amount as people read it: `-12.30`. @param cents whole cents. */
function amountText(cents: number): string {
  const digits = String(Math.abs(cents)).padStart(3, "0");
  return `${cents < 0 ? "-" : ""}${digits.slice(0, -2)}.${digits.slice(-2)}`;
}

const instantText = (at: number): string => new Date(at).toISOString();

function columnText(column: Column | undefined, value: unknown): unknown {
  if (typeof value !== "number") return value;
  if (column?.kind === "money") return amountText(value);
  return column?.kind === "instant" ? instantText(value) : value;
}

/** A change of a row with amounts and instants as the read model shows them. */
function readableChange(projections: readonly AnyProjection[], change: RowChange): RowChange {
  const { columns } = projections.find(({ name }) => name === change.projection)?.tables[change.table] ?? {};
  const told = Object.entries(change.columns).map(([name, values]) => {
    const [before, after] = values.map((value) => columnText(columns?.[name], value));
    return [name, [before, after] as const] as const;
  });
  return { ...change, columns: Object.fromEntries(told) };
}

/** Schemas of events by the short name of their type. */
let schemas: ReadonlyMap<string, AvroRecord> | undefined;

function schemaOf(type: string): AvroRecord | undefined {
  schemas ??= new Map([...rootRecords().values()].map(({ schema }) => [schema.name, schema]));
  return schemas.get(type);
}

type Named = Map<string, AvroRecord>;

/** A decoded value as people read it: instants with their zone, amounts with their decimal places. */
function readable(schema: AvroSchema, value: unknown, named: Named): unknown {
  if (value === null || value === undefined) return value;
  if (typeof schema === "string") {
    const record = named.get(schema) ?? named.get(schema.slice(schema.lastIndexOf(".") + 1));
    return record ? readable(record, value, named) : value;
  }
  if (isUnion(schema)) {
    const [only, ...more] = schema.filter((each) => each !== "null");
    return only === undefined || more.length > 0 ? value : readable(only, value, named);
  }
  if ("fields" in schema) {
    named.set(schema.name, schema);
    const types = new Map(schema.fields.map(({ name, type }) => [name, type] as const));
    const entries = Object.entries(value as object).map(([name, content]) => {
      const type = types.get(name);
      return [name, type === undefined ? content : readable(type, content, named)] as const;
    });
    return Object.fromEntries(entries);
  }
  if ("items" in schema) return (value as readonly unknown[]).map((one) => readable(schema.items, one, named));
  if ("logicalType" in schema && typeof value === "number") {
    if (schema.logicalType === "decimal") return amountText(value);
    if (schema.logicalType === "timestamp-millis") return instantText(value);
  }
  return value;
}

const isUnion = (schema: AvroSchema): schema is readonly AvroSchema[] => Array.isArray(schema);

/** The clear part of an event as it is shown. @param type short name of its type. */
export function readableContent(
  type: string,
  event: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  const schema = schemaOf(type);
  return schema ? (readable(schema, event, new Map()) as Readonly<Record<string, unknown>>) : event;
}

function readableEvent(projections: readonly AnyProjection[], event: TrailEvent) {
  return {
    ...event,
    occurredAt: instantText(event.occurredAt),
    recordedAt: instantText(event.recordedAt),
    event: readableContent(event.type, event.event),
    changes: event.changes.map((change) => readableChange(projections, change)),
  };
}

/** A delivery as it is shown and given away. */
export const readableDelivery = (delivery: TrailDelivery) => ({
  ...delivery,
  firstAttemptAt: instantText(delivery.firstAttemptAt),
  lastAttemptAt: instantText(delivery.lastAttemptAt),
});

/**
 * A trail as it is shown and given away: instants in ISO 8601 with their zone, amounts with two decimal places.
 * @param projections those of its rows.
 */
export function readableTrail(trail: Trail, projections: readonly AnyProjection[]) {
  const units = trail.units.map((unit) => ({
    ...unit,
    receivedAt: instantText(unit.receivedAt),
    recordedAt: instantText(unit.recordedAt),
  }));
  const deliveries = trail.deliveries.map(readableDelivery);
  const decisions = trail.decisions.map((decision) => ({ ...decision, at: instantText(decision.at) }));
  return {
    ...trail,
    units,
    deliveries,
    decisions,
    events: trail.events.map((event) => readableEvent(projections, event)),
  };
}

export type ReadableTrail = ReturnType<typeof readableTrail>;
