import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { eventsOfSubjects } from "../../engine/audit/event-index.js";
import { type TrailKind, type TrailSource, trailOf } from "../../engine/audit/trail.js";
import { connectCodec } from "../../engine/log/registry.js";
import { readJournalId } from "../../engine/log/topics.js";
import { allProjections } from "../../engine/service/discover.js";
import { repositoryRoot } from "../../engine/service/root.js";
import { percentile } from "../intake/mllp-load.js";
import { recordsIn } from "../projector/catch-up.js";
import type { Place } from "../projector/place.js";
import { eventTopics, publishAll } from "../projector/publish.js";
import { measureReadModels } from "../projector/read-models.js";
import { journalRegion, manyFeeds } from "../projector/region-journal.js";
import { type Filled, fillTimeline } from "./timeline.js";

/** Trails of one kind, in milliseconds. */
export interface Asked {
  readonly what: string;
  readonly kind: TrailKind;
  readonly trails: number;
  /** Events a trail, on average. */
  readonly events: number;
  readonly p50: number;
  readonly p99: number;
  readonly most: number;
  /** The command from its start to its end, once. */
  readonly command: number;
  /** The same by reading the log, once, and events that it read through. */
  readonly scan: number;
}

export interface TrailRun {
  readonly filled: Filled;
  /** Real events in the log. */
  readonly logged: number;
  readonly asked: readonly Asked[];
  /** Kinds of the nodes of the plan, as Postgres tells them. */
  readonly plan: readonly string[];
}

const kinds: readonly { readonly what: string; readonly kind: TrailKind; readonly ids: string }[] = [
  {
    what: "a paid claim",
    kind: "claim",
    ids: "SELECT claim_id AS id FROM projections.claims WHERE status = 'paid'",
  },
  { what: "a visit", kind: "visit", ids: "SELECT visit_id AS id FROM projections.visits" },
  {
    what: "a patient",
    kind: "patient",
    ids: "SELECT patient_id AS id FROM projections.patients WHERE merged_into IS NULL",
  },
  {
    what: "a merged patient",
    kind: "patient",
    ids: "SELECT patient_id AS id FROM projections.patients WHERE merged_into IS NOT NULL",
  },
];

async function elapsed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

/** The nodes by which Postgres finds the events of a few subjects. @throws when it reads the whole table. */
async function planOf({ pool }: Place, ids: readonly string[]): Promise<string[]> {
  const { rows } = await pool.query(`EXPLAIN (FORMAT JSON) ${eventsOfSubjects}`, [ids, ids, ids]);
  const nodes: string[] = [];
  const walk = (node: Readonly<Record<string, unknown>>) => {
    nodes.push([node["Node Type"], node["Index Name"]].filter(Boolean).join(" "));
    for (const inner of (node.Plans ?? []) as Readonly<Record<string, unknown>>[]) walk(inner);
  };
  walk(rows[0]["QUERY PLAN"][0].Plan);
  if (nodes.includes("Seq Scan")) throw new Error(`A trail would read the whole timeline: ${nodes.join(", ")}.`);
  return nodes;
}

/** @param people of the region whose events are really there. @param rows of the timeline beside them. */
export async function measureTrails(place: Place, people: number, rows: number, each: number): Promise<TrailRun> {
  const { pool, log, settings } = place;
  await journalRegion(place, people, manyFeeds);
  await publishAll(place);
  await measureReadModels(place);
  const logged = await recordsIn(place, eventTopics);
  const filled = await fillTimeline(place, rows, await readJournalId(log));
  const codec = await connectCodec(settings);
  const source: TrailSource = { log, pool, codec, projections: await allProjections() };
  const asked: Asked[] = [];
  for (const { what, kind, ids: sql } of kinds) {
    const found = await pool.query<{ id: string }>(`${sql} ORDER BY md5(${kind}_id::text) LIMIT $1`, [each + 1]);
    const [warm, ...ids] = found.rows.map(({ id }) => id);
    if (warm === undefined) continue;
    await trailOf(source, kind, warm);
    const times: number[] = [];
    let events = 0;
    for (const id of ids) {
      times.push(
        await elapsed(async () => {
          events += (await trailOf(source, kind, id)).trail.events.length;
        }),
      );
    }
    const sorted = Float64Array.from(times).sort();
    const command = [join(repositoryRoot, "bin", "tributary.mjs"), "audit", "trail", kind, warm, "--json"];
    asked.push({
      what,
      kind,
      trails: ids.length,
      events: events / ids.length,
      p50: percentile(sorted, 0.5),
      p99: percentile(sorted, 0.99),
      most: percentile(sorted, 1),
      command: await elapsed(() =>
        promisify(execFile)(process.execPath, command, { env: { ...place.environment }, maxBuffer: 2 ** 28 }),
      ),
      scan: await elapsed(() => trailOf({ ...source, scan: true }, kind, warm)),
    });
  }
  const { rows: some } = await pool.query<{ id: string }>("SELECT patient_id AS id FROM projections.patients LIMIT 3");
  const plan = await planOf(
    place,
    some.map(({ id }) => id),
  );
  return { filled, logged, asked, plan };
}
