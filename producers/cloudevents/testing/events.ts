import { readFileSync } from "node:fs";
import { plainReader } from "../../../engine/log/plain-reader.js";
import { rootRecords } from "../../../engine/log/schemas.js";
import { testSurrogate } from "../../../engine/testing/recording-intake.js";
import { fromJson } from "../cloud-event.js";
import { formsOf } from "../form.js";
import { type Profile, profileSchema } from "../profile.js";
import { type EventUnit, type UnitContext, unitOf } from "../unit.js";

export const forms = formsOf(rootRecords());

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
    forms,
    readAvro: (form, bytes) => plainReader(form.schema)(bytes),
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
