import type { ReceivedUnit, Verdict } from "../../engine/intake/connector.js";
import type { AvroRecord } from "../../engine/log/avro.js";
import {
  attributeProblem,
  type CloudEvent,
  type EnvelopeProblem,
  isAvro,
  isJson,
  mediaTypeOf,
  readJson,
} from "./cloud-event.js";
import { saidSchema } from "./data-schema.js";
import type { Form } from "./form.js";
import { asBefore } from "./later-fields.js";
import { type Profile, speaksFor } from "./profile.js";
import { type Data, readForm } from "./read-form.js";
import type { Meaning, Sender } from "./telling.js";
import { translateEvent } from "./translate.js";

/** What units are made with. */
export interface UnitContext extends Sender {
  readonly partner: string;
  readonly forms: ReadonlyMap<string, Form>;
  /** By type and fingerprint, the schemas that data may have been written with. */
  readonly writers: ReadonlyMap<string, ReadonlyMap<string, AvroRecord>>;
  /** Reads Avro binary data, written with one of these schemas, as its form; undefined when the bytes aren't it. */
  readonly readAvro: (form: Form, fingerprint: string, bytes: Buffer) => unknown;
}

interface Refusal {
  readonly code: string;
  readonly place: string;
}

/** An event's unit, and what names it to its sender. */
export interface EventUnit {
  readonly unit: ReceivedUnit;
  readonly id: string | null;
  readonly source: string | null;
}

/** The scope within which a partner's order means something. */
export const feedOf = (partner: string, { facility }: Profile): string => `${partner}/${facility}`;

/**
 * The unit of an event: verdict, identity, facts. Pure.
 * @param bytes the event exactly as received.
 */
export function unitOf(event: CloudEvent | EnvelopeProblem, bytes: Buffer, context: UnitContext): EventUnit {
  const attributes = "attributes" in event ? event.attributes : {};
  const { id = null, source = null } = attributes;
  const base = {
    entry: "UNIT" as const,
    partner: context.partner,
    feed: feedOf(context.partner, context.profile),
    format: "CloudEvent",
    bytes,
    answer: answerOf,
  };
  const refused = ({ code, place }: Refusal): EventUnit => {
    const verdict = { accepted: false as const, code: `CE_${code}`, location: place };
    return { id, source, unit: { ...base, verdict, sealFor: [], events: [] } };
  };
  if (!("attributes" in event)) return refused(event);
  const problem = attributeProblem(attributes);
  if (problem) return refused(problem);
  if (!speaksFor(context.profile.sources, source ?? "")) return refused({ code: "NOT_AUTHORIZED", place: "source" });
  const form = context.forms.get(attributes.type ?? "");
  if (!form) return refused({ code: "TYPE_UNKNOWN", place: "type" });
  const data = dataOf(event, form, context);
  if ("code" in data) return refused(data);
  const told = readForm(form.schema, data.json);
  if (isRefusal(told)) return refused(told);
  const meaning = translateEvent(form.type, attributes.time ?? "", told, context);
  if (isRefusal(meaning)) return refused(meaning);
  return { id, source, unit: { ...base, format: form.type, ...accepted(event, told, meaning as Meaning, context) } };
}

function isRefusal(value: object): value is Refusal {
  return "code" in value && "place" in value && Object.keys(value).length === 2;
}

function accepted(event: CloudEvent, data: Data, meaning: Meaning, { partner }: UnitContext) {
  const { id = "", source = "", type = "", time = "" } = event.attributes;
  return {
    verdict: { accepted: true as const },
    ...meaning,
    controlId: { scope: ["cloudevents", source], value: id },
    // Source and id say what it is; the content is in it too, so that another event under a used id is not lost.
    identity: {
      rule: "EVERY" as const,
      parts: ["cloudevents", partner, source, id, type, String(Date.parse(time)), JSON.stringify(asBefore(data))],
    },
  };
}

/** The data as JSON would have it. */
function dataOf(
  { data, attributes }: CloudEvent,
  form: Form,
  context: UnitContext,
): { readonly json: unknown } | Refusal {
  if (data === null) return { code: "DATA_MISSING", place: "data" };
  const said = saidSchema(attributes.dataschema, form, context.profile, context.writers.get(form.type) ?? new Map());
  if ("unknown" in said) return { code: "SCHEMA_UNKNOWN", place: "dataschema" };
  // Data in JSON names its fields, and versions only differ by fields that may be left out.
  if ("json" in data) return data;
  const type = mediaTypeOf(attributes.datacontenttype ?? "");
  if (isAvro(type)) {
    // Its bytes say nothing of themselves: read as another version's they may well be other facts.
    if (said.fingerprint === undefined) return { code: "SCHEMA_MISSING", place: "dataschema" };
    const json = context.readAvro(form, said.fingerprint, data.bytes);
    return json === undefined ? { code: "UNREADABLE", place: "data" } : { json };
  }
  if (!isJson(type)) return { code: "DATA_FORMAT", place: "datacontenttype" };
  const json = readJson(data.bytes);
  return json ? { json: json.value } : { code: "UNREADABLE", place: "data" };
}

const answerOf = (verdict: Verdict): string => (verdict.accepted ? "200" : "422");
