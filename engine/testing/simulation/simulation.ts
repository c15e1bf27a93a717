import { vi } from "vitest";
import { ensureBuild } from "../../projector/build.js";
import { physicalTables } from "../../projector/ddl.js";
import type { AnyProjection } from "../../projector/definition.js";
import { integer, projection, table, text, uuid } from "../../projector/definition.js";
import type { Pool } from "../../store/pool.js";
import { notes } from "../notes.js";
import { type Audited, Auditor } from "./audit.js";
import { SimulatedLog } from "./group.js";
import { historyOf, refusedNote } from "./history.js";
import { Processes } from "./processes.js";
import { Chance } from "./random.js";
import { Schedule, type Stage, Violation } from "./schedule.js";
import { type Connection, SimulatedServer } from "./server.js";
import { Services } from "./services.js";
import { Hits, Weather } from "./weather.js";

/** Beside the notes: a consumer may have several projections of a topic, each behind a checkpoint of its own. */
const visits = projection({
  name: "visits",
  version: 1,
  tables: {
    visits: table({
      comment: "Visits.",
      key: ["visit_id"],
      columns: {
        visit_id: uuid("Visit."),
        times: integer("How often."),
        said: { ...text("Sealed."), restricted: true },
      },
    }),
  },
  fold: {
    VisitUpdated: ({ tables, sealed }) => {
      const times = Number(tables.visits.get()?.times ?? 0) + 1;
      tables.visits.put({ times, said: (sealed as { said: string } | null)?.said ?? null });
    },
  },
}) as AnyProjection;

const consumerName = "simulation";
/** Steps after which the weather clears up. */
const stormSteps = 250;
/** What may pass then until everything is applied, in steps and in simulated time. */
const calmSteps = 3_000;
const calmMilliseconds = 90_000;
/** Comparisons in the middle of a run: one in so many writes. */
const compareEvery = 12;

/** Tables and a connection that one simulation after the other uses. */
export interface Ground {
  readonly connection: Connection;
  readonly all: readonly Audited[];
  /** Gives the connection back. */
  release(): void;
}

export async function prepareGround(pool: Pool): Promise<Ground> {
  const all: Audited[] = [];
  for (const each of [notes, visits]) {
    all.push({ projection: each, build: await ensureBuild(pool, each, consumerName) });
  }
  const { schema } = all[0]!.build;
  await pool.query(`ALTER TABLE ${schema}.notes ADD CHECK (note <> '${refusedNote}')`);
  const client = await pool.connect();
  // Faults of the disk are for other specs.
  await client.query("SET synchronous_commit = off");
  return { connection: client as unknown as Connection, all, release: () => client.release() };
}

/** Everything as before the first event. A few rows are deleted faster than files are truncated. */
async function cleared({ connection, all }: Ground): Promise<void> {
  const tables = all.flatMap(({ projection, build: { schema } }) =>
    [...physicalTables(projection).keys()].map((name) => `${schema}.${name}`),
  );
  const emptied = ["engine.checkpoints", "engine.parked_keys", ...tables];
  await connection.query(emptied.map((name) => `DELETE FROM ${name}`).join("; "));
}

export interface Simulated {
  readonly seed: number;
  /** All decisions, in order. */
  readonly trace: readonly string[];
  readonly hits: Hits;
  /** Events compared with rows. */
  readonly events: number;
  readonly violation: Violation | undefined;
}

/** Time passes in steps: to the next moment that somebody waits for. */
const clockOf = (weather: Weather, isIdle: () => boolean): Stage => ({
  *steps() {
    if (vi.getTimerCount() === 0) return;
    const weight = isIdle() ? 1 : 0.2 + weather.weight("hurry");
    yield { name: "time passes", weight, take: () => void vi.advanceTimersToNextTimer() };
  },
});

/** Runs one seed. A violation is part of the result, with all decisions that led to it. */
export async function simulate(seed: number, ground: Ground): Promise<Simulated> {
  await cleared(ground);
  const chance = new Chance(seed);
  const history = historyOf(chance);
  const weather = new Weather(chance);
  const hits = new Hits();
  const all = chance.of(0.3) ? ground.all : ground.all.slice(0, 1);
  const auditor = new Auditor(ground.connection, all, history);
  let writes = 0;
  const server = new SimulatedServer(ground.connection, weather, hits, {
    claimed: (sender, values) => auditor.claimed(sender, values),
    async wrote(sender) {
      await auditor.follow(sender);
      if (++writes % compareEvery === 0) await auditor.compare();
    },
  });
  const log = new SimulatedLog(history, weather, hits, chance);
  const services = new Services(history.happenings, weather, hits);
  const processes = new Processes(
    {
      definition: { name: consumerName, project: all.map(({ projection: each }) => each) },
      services,
      log,
      server,
      weather,
      hits,
      chance,
      cacheRows: chance.pick([1, 4, 20, 1_000]),
    },
    chance.between(1, 3),
  );
  const schedule = new Schedule(chance, [
    server,
    log,
    services,
    processes,
    clockOf(weather, () => server.waiting + services.waiting === 0),
  ]);
  const went = async () => {
    const happened = await schedule.next();
    if (processes.violation) throw processes.violation;
    return happened;
  };
  vi.useFakeTimers({
    toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "Date", "performance"],
    now: Date.UTC(2026, 0, 2),
  });
  try {
    while ((schedule.trace.length < stormSteps || !log.isComplete) && (await went()));
    weather.clearUp();
    processes.thaw();
    const bound = { steps: schedule.trace.length + calmSteps, time: Date.now() + calmMilliseconds };
    while (!auditor.isAtEnd || server.waiting > 0) {
      if (!(await went())) throw new Violation("nothing can happen any more, and the end of the log is not reached");
      if (schedule.trace.length > bound.steps || Date.now() > bound.time) {
        throw new Violation("the weather has been calm for long, and the end of the log is not reached");
      }
    }
    await auditor.compare();
    return { seed, trace: schedule.trace, hits, events: auditor.events, violation: undefined };
  } catch (error) {
    const violation = error instanceof Violation ? error : new Violation("the simulation failed", { cause: error });
    return { seed, trace: schedule.trace, hits, events: auditor.events, violation };
  } finally {
    processes.abandon();
    vi.useRealTimers();
  }
}
