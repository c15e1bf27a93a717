import { disturbance, othersShare } from "./disturbance.js";
import type { BenchOptions } from "./options.js";
import { type OwnFigures, ownFigures } from "./own-figures.js";
import type { Ground } from "./place.js";
import { figure, type PartReport } from "./report.js";
import { type Compared, ourName, sideBySide } from "./side-by-side.js";

/** The contender's figures: beside those of its peers where their benchmark is at hand, else alone. */
export async function measureBesidePeers(ground: Ground, { events, peers }: BenchOptions): Promise<PartReport> {
  return peers === undefined
    ? aloneReport(await ownFigures(ground, events), events)
    : besideReport(await sideBySide(peers, events), events);
}

const part = { part: "peers", title: "Beside other engines" } as const;
const columns = ["events/s", "own CPU s/M", "Postgres CPU s/M", "memory", "WAL B/event"];

function besideReport(compared: Compared, events: number): PartReport {
  const names = Object.keys(compared.interleaved);
  const others = names.filter((name) => name !== ourName);
  const rate = (side: Compared["interleaved"], name: string) => side[name]?.catchUp?.eventsPerSecond?.median;
  const ratio = (side: Compared["interleaved"], name: string) => {
    const best = Math.max(...others.map((other) => rate(side, other) ?? 0));
    const own = rate(side, name);
    return own === undefined || best === 0 ? "-" : figure(own / best);
  };
  const shown = (name: string) => (name === ourName ? "Tributary" : name);
  const catchUps = (side: Compared["interleaved"]) =>
    names.map((name) => {
      const of = (what: string) => side[name]?.catchUp?.[what]?.median;
      return [
        shown(name),
        figure(of("eventsPerSecond")),
        figure(of("peerCpuPerMillion")),
        figure(of("postgresCpuPerMillion")),
        figure(side[name]?.catchUp?.peakRssMb?.max, " MB"),
        figure(of("walBytesPerEvent")),
        ratio(side, name),
      ];
    });
  const recoveries = names.map((name) => {
    const { live } = compared.live[name] ?? {};
    const { kill } = compared.killed[name] ?? {};
    const isRight = live?.ok === true && kill?.ok === true;
    return [
      shown(name),
      figure(live?.commitMs?.p50, " ms"),
      figure(live?.commitMs?.p99, " ms"),
      figure(kill?.secondsToFirstProgress, " s"),
      figure(kill?.secondsToDone, " s"),
      isRight ? "yes" : "NO",
    ];
  });
  return {
    ...part,
    how: `Measured beside ${others.join(", ")} by their own benchmark, one after the other on the same topic, schema, server and rows, each table compared there with an independent fold; the middle of three catch-ups in turn, live and killed once. A row without figures is a run that failed or gave a wrong table. Rates are from the first row, memory is the most resident in any, latency is from the send to the commit at 1,000 events/s, and the kill is a SIGKILL at two fifths; progress within a tenth of a second is a statement of the killed process that Postgres still had, a process started again needs two to three seconds to its own. The topic's events have no journal position, so there are no repetitions to drop; every other guarantee is on.`,
    tables: [
      { columns: ["visits interleaved", ...columns, "to the best peer"], rows: catchUps(compared.interleaved) },
      { columns: ["keys skewed", ...columns, "to the best peer"], rows: catchUps(compared.skewed) },
      {
        columns: ["live and killed", "p50", "p99", "killed: progress", "killed: done", "right"],
        rows: recoveries,
      },
      {
        columns: ["ceilings: a piece alone, interleaved", "events/s", "Postgres CPU s/M"],
        rows: Object.entries(compared.ceilings).flatMap(([name, { eventsPerSecond, postgresCpuPerMillion }]) =>
          eventsPerSecond ? [[name, figure(eventsPerSecond.median), figure(postgresCpuPerMillion?.median)]] : [],
        ),
      },
    ],
    findings: disturbance(
      [compared.interleaved, compared.skewed].flatMap((side) =>
        names.map((name) => side[name]?.catchUp?.noise?.median),
      ),
    ),
    figures: { events, ...compared },
  };
}

function aloneReport(own: OwnFigures, events: number): PartReport {
  const perMillion = (cpu: number | undefined) => figure(cpu === undefined ? undefined : cpu / (events / 1e6));
  const row = (name: string, run: OwnFigures["interleaved"]) => [
    name,
    figure(run.rate),
    perMillion(run.own),
    perMillion(run.postgres),
    figure(run.peak && run.peak / 2 ** 20, " MB"),
    figure(run.walBytes / run.events),
  ];
  const { recovery, live } = own;
  return {
    ...part,
    how: `Tributary's figures alone: the benchmark of the peers was not given (\`--peers\`). Each table was compared with what it must be. Latency is from just before the append to the first look at the checkpoints that shows the event, of ${figure(live.events)} events at 1,000 a second; the kill is a SIGKILL at two fifths.`,
    tables: [
      {
        columns: ["catch-up", ...columns],
        rows: [row("visits interleaved", own.interleaved), row("keys skewed", own.skewed)],
      },
      {
        columns: ["live and killed", "p50", "p99", "killed: progress", "killed: done"],
        rows: [
          [
            "Tributary",
            figure(live.p50, " ms"),
            figure(live.p99, " ms"),
            figure(recovery.toProgress, " s"),
            figure(recovery.toDone, " s"),
          ],
        ],
      },
    ],
    findings: disturbance([own.interleaved, own.skewed].map(othersShare)),
    figures: { events, ...own },
  };
}
