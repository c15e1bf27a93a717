import { type CopiedColumn, copyChunks } from "../../engine/projector/binary-rows.js";
import { quoted } from "../../engine/projector/names.js";
import { copyRows } from "../../engine/store/copy.js";
import { schemaOf } from "../projector/catch-up.js";
import { type Place, partitions } from "../projector/place.js";
import { mixed } from "../projector/visit-event.js";

const hex = (number: number) => number.toString(16).padStart(8, "0");

/** A surrogate id as the engine's keyed hashes are: spread evenly. */
function idOf(kind: number, number: number): string {
  const [one, two, three, four] = [0, 1, 2, 3].map((part) => hex(mixed(number, kind * 16 + part))) as string[];
  return `${one}-${two?.slice(0, 4)}-${two?.slice(4)}-${three?.slice(0, 4)}-${three?.slice(4)}${four}`;
}

/** As in the demo's region: a person has some eighteen events, of four visits and two claims. */
const eventsPerPatient = 18;
const [visitsPerPatient, claimsPerPatient] = [4, 2];
const types = ["PatientUpdated", "VisitStarted", "VisitUpdated", "VisitEnded", "ClaimSubmitted", "ClaimAdjudicated"];
const firstDay = Date.UTC(2020, 0, 1);
/** Beyond the offsets of the events that the log really has. */
const offsetsFrom = 1_000_000_000;

interface Shape {
  readonly patients: number;
  readonly journal: string;
}

const columns = ({ patients, journal }: Shape): CopiedColumn<number>[] => {
  const patientOf = (row: number) => mixed(row, 5) % patients;
  const kindOf = (row: number) => mixed(row, 6) % types.length;
  const own = (kind: number, row: number, each: number) =>
    idOf(kind, patientOf(row) * each + (mixed(row, kind) % each));
  const time = (row: number) => firstDay + row * 15;
  const topic = (row: number) =>
    `health.${["patient", "visit", "visit", "visit", "claim", "claim"][kindOf(row)]}.events`;
  const column = (name: string, fill: CopiedColumn<number>["fill"]): CopiedColumn<number> => ({ name, fill });
  return [
    column("event_id", (into, row) => into.text(`${idOf(7, row)}:0`)),
    column("event_type", (into, row) => into.text(types[kindOf(row)] as string)),
    column("patient_id", (into, row) => into.uuid(idOf(1, patientOf(row)))),
    column("visit_id", (into, row) =>
      kindOf(row) > 0 && kindOf(row) < 4 ? into.uuid(own(2, row, visitsPerPatient)) : into.null(),
    ),
    column("claim_id", (into, row) => (kindOf(row) > 3 ? into.uuid(own(3, row, claimsPerPatient)) : into.null())),
    column("partner", (into, row) => into.text(["north", "south", "practice", "clearing"][row % 4] as string)),
    column("occurred_at", (into, row) => into.timestamptz(time(row))),
    column("recorded_at", (into, row) => into.timestamptz(time(row) + 60_000)),
    column("topic", (into, row) => into.text(topic(row))),
    column("partition", (into, row) => into.integer(row % partitions)),
    column("offset", (into, row) => into.bigint(offsetsFrom + row)),
    column("journal", (into) => into.text(journal)),
    column("journal_partition", (into, row) => into.integer(row % partitions)),
    column("journal_offset", (into, row) => into.bigint(offsetsFrom + row)),
    column("journal_index", (into) => into.integer(0)),
    column("source_topic", (into, row) => into.text(topic(row))),
    column("source_partition", (into, row) => into.integer(row % partitions)),
    column("source_offset", (into, row) => into.bigint(offsetsFrom + row)),
    column("source_ordinal", (into) => into.integer(0)),
  ];
};

function* upTo(count: number): Generator<number> {
  for (let row = 0; row < count; row += 1) yield row;
}

/** What the timeline's table takes. */
export interface Filled {
  readonly rows: number;
  readonly seconds: number;
  readonly tableBytes: number;
  readonly indexBytes: number;
}

/**
 * Fills the timeline's own table with rows that nobody's events made, by COPY, beside those that real events made: as large
 * as after so many events. Keys and indexes are those of the definition, made anew afterwards.
 */
export async function fillTimeline(place: Place, rows: number, journal: string): Promise<Filled> {
  const schema = await schemaOf(place, "timeline");
  const target = `${quoted(schema)}.timeline`;
  const began = performance.now();
  const client = await place.pool.connect();
  try {
    await client.query("SET maintenance_work_mem = '512MB'");
    const { rows: indexes } = await client.query<{ name: string; definition: string; constraint: string | null }>(
      `SELECT indexname AS name, indexdef AS definition, (SELECT conname FROM pg_constraint WHERE conname = indexname
         AND connamespace = $1::regnamespace AND contype = 'p') AS constraint
       FROM pg_indexes WHERE schemaname = $2 AND tablename = 'timeline'`,
      [quoted(schema), schema],
    );
    for (const { name, constraint } of indexes) {
      if (constraint) await client.query(`ALTER TABLE ${target} DROP CONSTRAINT ${quoted(constraint)}`);
      else await client.query(`DROP INDEX ${quoted(schema)}.${quoted(name)}`);
    }
    const filled = columns({ patients: Math.max(1, Math.round(rows / eventsPerPatient)), journal });
    const names = filled.map(({ name }) => quoted(name));
    await copyRows(client, target, names, copyChunks(filled, upTo(rows)));
    for (const { name, definition, constraint } of indexes) {
      await client.query(definition);
      if (constraint) await client.query(`ALTER TABLE ${target} ADD PRIMARY KEY USING INDEX ${quoted(name)}`);
    }
    await client.query(`VACUUM (ANALYZE) ${target}`);
    const { rows: sizes } = await client.query<{ table: string; index: string; count: string }>(
      `SELECT pg_table_size($1) AS table, pg_indexes_size($1) AS index, (SELECT count(*) FROM ${target}) AS count`,
      [target],
    );
    return {
      rows: Number(sizes[0]?.count),
      seconds: (performance.now() - began) / 1000,
      tableBytes: Number(sizes[0]?.table),
      indexBytes: Number(sizes[0]?.index),
    };
  } finally {
    client.release(true);
  }
}
