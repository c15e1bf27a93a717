/** What `consumers new NAME` writes: a read model that counts a visit's events, to be changed into what is wanted. */

/** Path in the checkout -> content, formatted whatever the name's length. */
export function consumerScaffold(name: string): ReadonlyMap<string, string> {
  const table = name.replaceAll("-", "_");
  return new Map([
    [
      `projections/${table}/projection.ts`,
      `import { instant, integer, projection, table, text, uuid } from "../../engine/projector/definition.js";
import type { EventTypes } from "../../schemas/events.generated.js";

type VisitEvent = EventTypes["VisitStarted" | "VisitTransferred" | "VisitEnded"];

/** One row a visit: how often it was heard of. */
export default projection({
  name: "${table}",
  version: 1,
  tables: {
    ${table}: table({
      comment: "One row a visit that was started, moved or ended.",
      key: ["visit_id"],
      columns: {
        visit_id: uuid("Surrogate id of the visit."),
        facility: text("Sending facility."),
        events: integer("Events that changed the visit."),
        last_event_at: instant("Latest time of these events, by the sender's clock."),
      },
    }),
  },
  fold: {
    VisitStarted: ({ event, tables }) => heard(event, tables.${table}),
    VisitTransferred: ({ event, tables }) => heard(event, tables.${table}),
    VisitEnded: ({ event, tables }) => heard(event, tables.${table}),
  },
});

/** A fold is pure: no clock, no random, no input or output. The same events give the same rows on any machine. */
function heard(event: VisitEvent, rows: KeyedRows): undefined {
  const row = rows.get();
  rows.put({
    facility: event.facility,
    events: Number(row?.events ?? 0) + 1,
    last_event_at: Math.max(Number(row?.last_event_at ?? event.meta.time), event.meta.time),
  });
}
`.replace("instant, integer, projection", "instant, integer, type KeyedRows, projection"),
    ],
    [
      `projections/${table}/projection.unit.spec.ts`,
      `import { describe, expect, it } from "vitest";
import { recorded } from "../../engine/testing/events.js";
import { foldAll } from "../../engine/testing/fold.js";
import definition from "./projection.js";

const visit = "00000000-0000-4000-8000-000000000001";

describe("${table}", () => {
  it("given a visit that started and ended, when folded, then it was heard of twice", () => {
    const events = recorded([
      { type: "VisitStarted", key: visit, time: 1000, fields: { facility: "NORTH", authority: "NORTH" } },
      { type: "VisitEnded", key: visit, time: 3000, fields: { facility: "NORTH", authority: "NORTH" } },
    ]);
    const rows = foldAll(definition, events).${table} ?? [];
    expect(rows).toHaveLength(1);
    expect(rows[0]).toMatchObject({ visit_id: visit, facility: "NORTH", events: 2, last_event_at: 3000 });
  });
});
`,
    ],
    [
      `consumers/${name}/consumer.ts`,
      `import { consumer } from "../../engine/service/consumer.js";
import projection from "../../projections/${table}/projection.js";

export default consumer({
  name: "${name}",
  project: [projection],
});
`,
    ],
    [
      `consumers/${name}/README.md`,
      `# ${name}

Keeps \`projections.${table}\`: one row a visit, from the log's beginning.

\`\`\`sql
select facility, count(*), max(last_event_at) from projections.${table} group by facility;
\`\`\`

Change the table and the fold in \`projections/${table}/projection.ts\`; raise \`version\` when rows already there would differ.
`,
    ],
  ]);
}
