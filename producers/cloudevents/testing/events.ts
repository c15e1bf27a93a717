import { readFileSync } from "node:fs";
import { fingerprintOf } from "../../../engine/log/fingerprint.js";
import { testSurrogate } from "../../../engine/testing/recording-intake.js";
import { fromJson } from "../cloud-event.js";
import { schemaPath } from "../data-schema.js";
import { type Profile, profileSchema } from "../profile.js";
import { openLibrary } from "../server.js";
import { type EventUnit, type UnitContext, unitOf } from "../unit.js";

const library = openLibrary();
export const { forms, writers } = library;

/** The `dataschema` that names the schema of a type as it is now. */
export const schemaNow = (type: unknown): string =>
  `https://us.example${schemaPath(type as string, fingerprintOf(forms.get(type as string)!.schema))}`;

/** A structured event. */
export interface Structured {
  readonly [name: string]: unknown;
  readonly data?: unknown;
}

const read = (name: string) =>
  JSON.parse(readFileSync(new URL(`../samples/${name}`, import.meta.url), "utf8")) as unknown;

/** The sample events by their id. */
export const samples: ReadonlyMap<string, Structured> = new Map(
  [read("accepted-patient.json") as Structured, ...(read("accepted-batch.json") as Structured[])].map((event) => [
    event.id as string,
    event,
  ]),
);

export const lake: Profile = profileSchema.parse({
  facility: "LAKE",
  sources: ["https://lake.example/registry"],
  authorities: ["LAKE"],
  providers: ["1234567893"],
  payers: ["LAKEPLAN"],
});

export function contextOf(profile: Profile = lake): UnitContext {
  return {
    partner: "lake",
    profile,
    surrogate: testSurrogate,
    ...library,
  };
}

/** The unit of a structured event in JSON. */
export function take(event: Structured, profile?: Profile): EventUnit {
  return unitOf(fromJson(event), Buffer.from(JSON.stringify(event)), contextOf(profile));
}

/** The sample with other data. */
export function withData(id: string, change: object): Structured {
  const event = samples.get(id)!;
  return { ...event, data: { ...(event.data as object), ...change } };
}
