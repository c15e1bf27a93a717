import { type AvroSchema, isUnion } from "../log/avro.js";
import { rootRecords } from "../log/schemas.js";
import type { EventDraft } from "./connector.js";
import { isWithinYears } from "./zone.js";

const isInstant = (type: AvroSchema): boolean => {
  if (isUnion(type)) return type.some(isInstant);
  return typeof type === "object" && "logicalType" in type && type.logicalType === "timestamp-millis";
};

let instants: ReadonlyMap<string, readonly string[]> | undefined;

/** Names of the fields of an event that are instants. */
function instantsOf(type: string): readonly string[] {
  instants ??= new Map(
    [...rootRecords().values()].map(({ schema }) => [
      schema.name,
      schema.fields.filter((field) => isInstant(field.type)).map(({ name }) => name),
    ]),
  );
  return instants.get(type) ?? [];
}

/**
 * The field of an event whose instant is of no year that a read model holds: it would hold its key back in all of them.
 * @returns undefined when there is none.
 */
export function strayInstant({ type, time, fields }: EventDraft): string | undefined {
  if (!isWithinYears(time)) return "meta.time";
  const values = fields as Readonly<Record<string, unknown>>;
  return instantsOf(type).find((name) => typeof values[name] === "number" && !isWithinYears(values[name] as number));
}
