import {
  type EventInputs,
  type EventMeta,
  type EventTypes,
  eventCatalog,
  type SealedTypes,
} from "../../schemas/events.generated.js";
import { rootRecords } from "../log/schemas.js";
import type { FoldInput } from "../projector/fold.js";

/** What a test says about an event; everything else is made up, plainly. */
export interface GivenEvent<Type extends keyof EventInputs> {
  readonly type: Type;
  readonly key: string;
  readonly fields: EventInputs[Type];
  readonly sealed?: SealedTypes[Type];
  /** When it happened, epoch milliseconds; default 0. */
  readonly time?: number;
  /** Its meta where it differs from the made-up one. */
  readonly meta?: Partial<EventMeta>;
}

/** The instant from which recorded times of made-up events count. */
const firstRecorded = Date.UTC(2026, 0, 1);

/**
 * Makes recorded events of what a test says, in the order given: one journal partition, one event a unit, offsets from
 * `from` on.
 */
export function recorded(
  events: readonly { [Type in keyof EventInputs]: GivenEvent<Type> }[keyof EventInputs][],
  from = 1,
): FoldInput[] {
  return events.map((given, index) => {
    const offset = from + index;
    const meta: EventMeta = {
      id: `event-${offset}`,
      source: "generic",
      time: given.time ?? 0,
      timePrecision: "SECOND",
      subject: given.key,
      connector: "test",
      causationId: null,
      correlationId: null,
      traceparent: null,
      generation: 0,
      origin: null,
      ...given.meta,
    };
    return {
      type: given.type,
      key: given.key,
      event: { ...defaultsOf(given.type), ...given.fields, meta, sealed: null } as EventTypes[keyof EventTypes],
      sealed: given.sealed ?? null,
      position: { journal: "journal", partition: 0, offset, index: 0, recordedAt: firstRecorded + offset * 1000 },
      source: { topic: eventCatalog[given.type].topics[0], partition: 0, offset: offset - 1 },
    };
  });
}

const records = rootRecords();

/** Defaults of an event's fields, as a decoder would fill them in. */
function defaultsOf(type: keyof EventInputs): Record<string, unknown> {
  const schema = records.get(eventCatalog[type].record)?.schema;
  const defaults: Record<string, unknown> = {};
  for (const field of schema?.fields ?? []) if (field.default !== undefined) defaults[field.name] = field.default;
  return defaults;
}
