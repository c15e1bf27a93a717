import { standaloneCodec } from "../log/codec.js";
import {
  type AnyProjection,
  appended,
  integer,
  money,
  park,
  projection,
  restricted,
  summed,
  table,
  text,
  uuid,
} from "../projector/definition.js";
import type { Decoder, Opener } from "../projector/ports.js";
import { TributaryError } from "../service/errors.js";

/** What the made-up events say, in a field that a real event has: `act value`. */
export type Act = "set" | "line" | "delete" | "park" | "throw" | "overflow";

/** Every kind of table and of column that is written in its own way, and every way in which an event can park its key. */
export const crashProjection = projection({
  name: "crash",
  version: 1,
  tables: {
    crash_visits: table({
      comment: "The last fact about a visit.",
      key: ["visit_id"],
      columns: {
        visit_id: uuid("Visit."),
        note: text("Last note."),
        number: restricted(text("Number.")),
        times: integer("How often."),
        paid: money("Paid."),
      },
    }),
    crash_lines: table({
      comment: "Lines of a visit.",
      key: ["visit_id", "line"],
      columns: { visit_id: uuid("Visit."), line: text("Line."), times: integer("How often.") },
    }),
    crash_acts: summed({
      comment: "Acts.",
      key: ["act"],
      columns: { act: text("Act."), events: integer("Events."), cents: money("Cents.") },
    }),
    crash_history: appended({ comment: "All acts.", columns: { visit_id: uuid("Visit."), act: text("Act.") } }),
  },
  fold: {
    VisitUpdated: ({ event, sealed, key, tables }) => {
      const [act, value = ""] = event.facility.split(" ") as [Act, string?];
      tables.crash_acts.add({ act }, { events: 1, cents: 101 });
      tables.crash_history.append({ visit_id: key, act });
      const times = Number(tables.crash_visits.get()?.times ?? 0) + 1;
      if (act === "set") {
        tables.crash_visits.put({ note: value, number: sealed?.visitNumber ?? null, times, paid: times * 10 });
      }
      if (act === "line") {
        const line = tables.crash_lines.get({ line: value });
        tables.crash_lines.put({ line: value, times: Number(line?.times ?? 0) + 1 });
        if (tables.crash_lines.all().length > 2) tables.crash_lines.delete({ line: value });
      }
      if (act === "delete") tables.crash_visits.delete();
      if (act === "throw") throw new Error("told to");
      // Only Postgres notices: the batch is refused and halved until the event stands alone.
      if (act === "overflow") tables.crash_visits.put({ note: value, number: null, times: 2 ** 31, paid: 0 });
      return act === "park" ? park("told to") : undefined;
    },
  },
}) as AnyProjection;

/**
 * Decodes as after a start: the first schema has to be learned. Sealed content is not encrypted.
 * @param forgotten events of which it is opened no more, by id.
 */
export function crashPorts(forgotten: ReadonlySet<string> = new Set()): {
  readonly decoder: Decoder;
  readonly opener: Opener;
} {
  const codec = standaloneCodec();
  let learned = false;
  return {
    decoder: {
      decodeEvent(value) {
        if (!learned && value[0] === 0) throw new TributaryError("TRIB_LOG_UNKNOWN_SCHEMA");
        return codec.decodeEvent(value);
      },
      async learn() {
        learned = true;
      },
    },
    opener: {
      open: async (contents) =>
        contents.map(({ type, sealed, eventId }) => (forgotten.has(eventId) ? null : codec.decodeSealed(type, sealed))),
    },
  };
}
