import { compareTruth } from "../../demo/check.js";
import { disturbance, othersShare } from "./disturbance.js";
import { type FeatureRun, measureColumns, measureSealed } from "./features.js";
import { type Ground, inPlace } from "./place.js";
import { type Published, publishAll } from "./publish.js";
import { measureReadModels, type ReadModelRun } from "./read-models.js";
import { type Journalled, journalRegion, manyFeeds, oneFeed } from "./region-journal.js";
import { figure, type PartReport, share, type Table } from "./report.js";

/** Events of a full run for each person of the region: a person is about a dozen units, and eighteen events. */
const eventsPerPatient = 100;

interface RegionRun {
  readonly journalled: Journalled;
  readonly oneFeed: Published;
  readonly manyFeeds: Published;
  readonly models: readonly ReadModelRun[];
  readonly sealed: readonly FeatureRun[];
  /** As it is, with columns of lineage once more, with history. */
  readonly columns: readonly FeatureRun[];
}

/** The region's load: published, folded into all read models at once, and what single features cost. */
export async function measureRegion(ground: Ground, events: number): Promise<PartReport> {
  const patients = Math.max(20, Math.ceil(events / eventsPerPatient));
  const one = await inPlace(ground, async (place) => {
    await journalRegion(place, patients, oneFeed);
    return publishAll(place);
  });
  const rest = await inPlace(ground, async (place) => {
    const journalled = await journalRegion(place, patients, manyFeeds);
    const many = await publishAll(place);
    const models = await measureReadModels(place);
    // The region kept its own books, and knows nothing of the engine.
    await assertTrue(journalled, async (sql) => (await place.pool.query<Record<string, unknown>>(sql)).rows);
    return { journalled, manyFeeds: many, models, sealed: await measureSealed(place) };
  });
  const columns = await measureColumns(ground, events);
  return report({ ...rest, oneFeed: one, columns }, patients, events);
}

async function assertTrue({ region }: Journalled, query: Parameters<typeof compareTruth>[1]): Promise<void> {
  const differences = await compareTruth(region.truth(), query);
  if (differences.length > 0) {
    throw new Error(`${differences.length} rows differ from what is true: ${JSON.stringify(differences.slice(0, 3))}`);
  }
}

function report(run: RegionRun, patients: number, events: number): PartReport {
  const { journalled, models, sealed, columns } = run;
  const [asItIs, traced, kept] = columns;
  return {
    part: "region",
    title: "The region's load",
    how: `A region of ${figure(patients)} people, ${figure(journalled.units)} units of HL7 v2 and X12, was taken into the journal by the connectors' translations without their servers, and published; then the consumers of all read models started at once on the ${figure(run.manyFeeds.events)} events. The read models were compared with the region's own books.`,
    tables: [
      publisherTable(run),
      modelsTable(models),
      featuresTable("restricted columns", sealed),
      featuresTable("lineage and history", columns),
    ],
    findings: [
      costOf("Opening sealed content and keeping it in restricted columns", sealed[0], sealed[1]),
      `${costOf("Three more columns of the kind that say where a row comes from", asItIs, traced)} The engine's own three can't be left out; measured with ${figure(events)} visit events.`,
      costOf("Keeping every version of a row", asItIs, kept),
      ...disturbance(
        [run.oneFeed, run.manyFeeds, ...[...sealed, ...columns].map((feature) => feature.run)].map(othersShare),
      ),
    ],
    figures: { patients, ...run, journalled: { units: journalled.units, seconds: journalled.seconds } },
  };
}

function publisherTable(run: RegionRun): Table {
  const row = (name: string, { events, rate, own, postgres, kafka, seconds, peak }: Published) => [
    name,
    figure(rate),
    figure(own && own / (events / 1e6)),
    share(own, seconds),
    share(postgres, seconds),
    share(kafka, seconds),
    figure(peak && peak / 2 ** 20, " MB"),
  ];
  return {
    columns: ["publisher", "events/s", "own CPU s/M", "own, of a core", "Postgres", "Kafka", "memory"],
    rows: [row("one feed", run.oneFeed), row("many feeds", run.manyFeeds)],
  };
}

const modelsTable = (models: readonly ReadModelRun[]): Table => ({
  columns: ["read model, all at once", "events", "events/s", "process's CPU s/M", "process's memory"],
  rows: models.map(({ projection, consumer, events, rate, own, peak }) => [
    `${projection} (${consumer})`,
    figure(events),
    figure(rate),
    figure(own && own / (events / 1e6)),
    figure(peak && peak / 2 ** 20, " MB"),
  ]),
});

const featuresTable = (name: string, runs: readonly FeatureRun[]): Table => ({
  columns: [name, "events/s", "own CPU s/M", "Postgres CPU s/M", "WAL B/event"],
  rows: runs.map(({ what, run }) => [
    what,
    figure(run.rate),
    figure(run.own && run.own / (run.events / 1e6)),
    figure(run.postgres && run.postgres / (run.events / 1e6)),
    figure(run.walBytes / run.events),
  ]),
});

/** The second run compared with the first. */
function costOf(what: string, without: FeatureRun | undefined, with_: FeatureRun | undefined): string {
  const spent = (run: FeatureRun | undefined) =>
    run?.run.own === undefined || run.run.postgres === undefined
      ? undefined
      : (run.run.own + run.run.postgres) / (run.run.events / 1e6);
  const [before, after] = [spent(without), spent(with_)];
  return before === undefined || after === undefined
    ? `${what}: CPU can't be told here.`
    : `${what}: ${figure(after - before)} CPU seconds more a million events, own and Postgres, or ${figure((100 * (after - before)) / before)} %.`;
}
