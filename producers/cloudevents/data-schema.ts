import type { AvroRecord } from "../../engine/log/avro.js";
import { fingerprintOf } from "../../engine/log/fingerprint.js";
import type { RootRecord } from "../../engine/log/schemas.js";
import type { CommittedVersion } from "../../engine/log/versions.js";
import { type Form, formOf } from "./form.js";
import type { Profile } from "./profile.js";

/**
 * Schemas that data of a type may have been written with, by fingerprint: the form of today, and what it was with every
 * committed version of the event and of what it keeps sealed. Pure.
 * @param committed versions of all records, by full name.
 */
export function writersOf(
  { type, schema }: Form,
  records: ReadonlyMap<string, RootRecord>,
  committed: ReadonlyMap<string, readonly CommittedVersion[]>,
): ReadonlyMap<string, AvroRecord> {
  const sealedRecord = records.get(type)?.sealedRecord ?? null;
  const sealed = sealedRecord === null ? [null] : (committed.get(sealedRecord) ?? []).map((each) => each.schema);
  const writers = new Map([[fingerprintOf(schema), schema]]);
  for (const version of committed.get(type) ?? []) {
    for (const details of sealed) {
      const form = formOf(version.schema, details);
      const fingerprint = fingerprintOf(form);
      if (!writers.has(fingerprint)) writers.set(fingerprint, form);
    }
  }
  return writers;
}

/** Path below a partner's address at which a schema is shown; as an address it is the `dataschema` that names it. */
export const schemaPath = (type: string, fingerprint: string): string => `/schemas/${type}/${fingerprint}`;

/** Whichever host it names: partners know us by other addresses than we do. */
const ours = /^[a-z][a-z0-9+.-]*:.*\/schemas\/([\w.]+)\/([0-9a-f]{64})$/i;

/** What an event says of the schema that its data was written with. */
export type SaidSchema = { readonly fingerprint: string | undefined } | { readonly unknown: true };

/**
 * The schema of an event's data: the one that `dataschema` names, by our name or by the partner's own, else the one that
 * its profile says for the type.
 * @returns `fingerprint` undefined: nothing is said. `unknown`: what is said names no schema of this type.
 */
export function saidSchema(
  dataschema: string | undefined,
  form: Form,
  { schemas }: Profile,
  writers: ReadonlyMap<string, AvroRecord>,
): SaidSchema {
  const named = (name: string): string | undefined => (Object.hasOwn(schemas, name) ? schemas[name] : undefined);
  const fingerprint = dataschema === undefined ? named(form.type) : (named(dataschema) ?? ourName(dataschema, form));
  if (fingerprint !== undefined && writers.has(fingerprint)) return { fingerprint };
  return dataschema === undefined && fingerprint === undefined ? { fingerprint } : { unknown: true };
}

function ourName(dataschema: string, { type }: Form): string | undefined {
  const [, of, fingerprint] = ours.exec(dataschema) ?? [];
  return of === type ? fingerprint : undefined;
}
