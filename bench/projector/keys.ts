import { type CatchUp, catchUp, schemaOf } from "./catch-up.js";
import { benchStart } from "./child.js";
import { benchConsumers } from "./definitions.js";
import { disturbance, othersShare } from "./disturbance.js";
import { type Ground, inPlace } from "./place.js";
import { figure, type PartReport } from "./report.js";
import { visitTopic } from "./visit-event.js";
import { drawnOf, eachOnce, VisitLog } from "./workload.js";

interface KeysRun {
  readonly keys: number;
  /** Every key for the first time. */
  readonly fresh: CatchUp;
  /** Then events of keys drawn evenly, by a process that starts with nothing in memory. */
  readonly drawn: CatchUp;
}

/** Keys as a multiple of `--events`, which is a million. */
const multiples = [0.1, 1, 5] as const;

/** How the cost of an event grows with the number of keys. */
export async function measureKeys(ground: Ground, events: number): Promise<PartReport> {
  const runs: KeysRun[] = [];
  const drawn = Math.ceil(events / 2);
  for (const multiple of multiples) runs.push(await measureFor(ground, Math.ceil(events * multiple), drawn));
  return report(runs, drawn);
}

function measureFor(ground: Ground, keys: number, drawn: number): Promise<KeysRun> {
  return inPlace(ground, async (place) => {
    const log = new VisitLog(place);
    const wanted = { projections: ["visits"], topics: [visitTopic] };
    const start = await benchStart(place, benchConsumers.bench);
    const schema = await schemaOf(place, "visits");
    await log.append(eachOnce(keys));
    const fresh = await catchUp(place, start, wanted);
    await log.append(drawnOf(keys)(drawn));
    await place.pool.query(`VACUUM ANALYZE ${schema}.visits`);
    const again = await catchUp(place, start, wanted);
    await log.assertRight(place.pool, schema);
    return { keys, fresh, drawn: again };
  });
}

const millions = ({ events }: CatchUp) => events / 1e6;
const perMillion = (cpu: number | undefined, run: CatchUp) =>
  figure(cpu === undefined ? undefined : cpu / millions(run));

function report(runs: readonly KeysRun[], drawn: number): PartReport {
  const rows = (pick: (run: KeysRun) => CatchUp) =>
    runs.map((given) => {
      const run = pick(given);
      return [
        figure(given.keys),
        figure(run.rate),
        perMillion(run.own, run),
        perMillion(run.postgres, run),
        figure(run.peak && run.peak / 2 ** 20, " MB"),
        figure(run.walBytes / run.events),
      ];
    });
  const columns = ["events/s", "own CPU s/M", "Postgres CPU s/M", "memory", "WAL B/event"];
  const [few] = runs;
  const many = runs.at(-1);
  const cost = ({ own, postgres, events }: CatchUp) =>
    own === undefined || postgres === undefined ? undefined : (own + postgres) / events;
  const growth = (pick: (run: KeysRun) => CatchUp) => {
    const [one, other] = [few && cost(pick(few)), many && cost(pick(many))];
    return one && other ? figure(other / one) : "-";
  };
  return {
    part: "keys",
    title: "From few keys to many",
    how: `For each number of keys: first one event of every key, in order, then ${figure(drawn)} events of keys drawn evenly from all of them, by a process that was started anew and has none of the rows in memory. So the number of measured updates is the same for each, and the number of keys is what differs. The table was compared with what it must be after both.`,
    tables: [
      { columns: ["keys, each new", ...columns], rows: rows(({ fresh }) => fresh) },
      { columns: ["keys, drawn evenly", ...columns], rows: rows((run) => run.drawn) },
    ],
    findings: [
      `From the fewest keys to the most, CPU (own and Postgres) for a new key is ${growth(({ fresh }) => fresh)} times as much, for an update ${growth((run) => run.drawn)} times.`,
      ...disturbance(runs.flatMap(({ fresh, drawn }) => [fresh, drawn].map(othersShare))),
    ],
    figures: runs,
  };
}
