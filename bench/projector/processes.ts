import { type CatchUp, catchUp, schemaOf } from "./catch-up.js";
import { benchStart } from "./child.js";
import { benchConsumers } from "./definitions.js";
import { disturbance, othersShare } from "./disturbance.js";
import { emptied } from "./emptied.js";
import { type Ground, inPlace, partitions } from "./place.js";
import { figure, type PartReport, share } from "./report.js";
import { visitTopic } from "./visit-event.js";
import { interleaved, VisitLog } from "./workload.js";

const counts = [1, 2, 4] as const;

/** One, two and four processes of one consumer on the same log. */
export async function measureProcesses(ground: Ground, events: number): Promise<PartReport> {
  return inPlace(ground, async (place) => {
    const log = new VisitLog(place);
    await log.append(interleaved(events));
    const runs: { readonly processes: number; readonly run: CatchUp }[] = [];
    for (const processes of counts) {
      await emptied(place, benchConsumers.bench);
      const start = await benchStart(place, benchConsumers.bench);
      const run = await catchUp(place, start, { projections: ["visits"], topics: [visitTopic] }, processes);
      await log.assertRight(place.pool, await schemaOf(place, "visits"));
      runs.push({ processes, run });
    }
    return report(runs, events);
  });
}

const rateOf = ({ rateTogether, rate }: CatchUp) => rateTogether ?? rate ?? 0;

function report(runs: readonly { readonly processes: number; readonly run: CatchUp }[], events: number): PartReport {
  const alone = runs[0]?.run;
  const last = runs.at(-1)?.run;
  const cores = (cpu: number | undefined, { seconds }: CatchUp) => share(cpu, seconds);
  const findings: string[] = [...disturbance(runs.map(({ run }) => othersShare(run)))];
  if (alone && last) {
    const best = runs.reduce((one, other) => (rateOf(other.run) > rateOf(one.run) ? other : one));
    findings.push(
      `Fastest with ${best.processes}: ${figure(rateOf(best.run) / rateOf(alone))} times one process.`,
      `${boundOf(last)}`,
    );
  }
  return {
    part: "processes",
    title: "Several processes of one consumer",
    how: `The same ${figure(events)} events in ${partitions} partitions, up to 50,000 visits interleaved, caught up by one, two and four processes of one group; each table was compared with what it must be, every column of every row. Rates are of the time in which every process had its partitions; CPU is the share of one core over the whole run, starts and group changes included.`,
    tables: [
      {
        columns: [
          "processes",
          "events/s",
          "ratio",
          "from start",
          "own",
          "Postgres",
          "Kafka",
          "all else",
          "memory, all",
        ],
        rows: runs.map(({ processes, run }) => [
          String(processes),
          figure(rateOf(run)),
          figure(alone && rateOf(run) / rateOf(alone)),
          figure(run.rateFromStart),
          cores(run.own, run),
          cores(run.postgres, run),
          cores(run.kafka, run),
          cores(run.others, run),
          figure(run.peak && run.peak / 2 ** 20, " MB"),
        ]),
      },
    ],
    findings,
    figures: runs,
  };
}

/** What the machine's cores were busy with when nothing more could be gained. */
function boundOf({ own, postgres, kafka, others, seconds }: CatchUp): string {
  if (own === undefined || postgres === undefined) return "What bounds it can't be told: the servers are elsewhere.";
  const rest = (kafka ?? 0) + (others ?? 0);
  return `With the most processes the machine was busy for ${figure((own + postgres + rest) / seconds)} cores: ${figure(own / seconds)} in the consumers, ${figure(postgres / seconds)} in Postgres, ${figure(rest / seconds)} in Kafka and all else.`;
}
