import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import activity from "../consumers/activity/consumer.js";
import claims from "../consumers/claims/consumer.js";
import patients from "../consumers/patients/consumer.js";
import visits from "../consumers/visits/consumer.js";
import type { LogProducer } from "../engine/log/log.js";
import { formatPosition, positionHeader } from "../engine/log/position.js";
import { awaitProjections } from "../engine/projector/await.js";
import { createBuild, currentBuild } from "../engine/projector/build.js";
import type { AnyProjection, Row } from "../engine/projector/definition.js";
import type { FoldInput } from "../engine/projector/fold.js";
import { consumerRole } from "../engine/projector/names.js";
import type { Decoder, Opener } from "../engine/projector/ports.js";
import { prepareConsumer, type RunningConsumer, runConsumer } from "../engine/projector/runner.js";
import { buildStatuses } from "../engine/projector/status.js";
import { dropBuild } from "../engine/projector/swap.js";
import { verifyProjection } from "../engine/projector/verify.js";
import { rolePassword } from "../engine/service/environment.js";
import { readSettings, requireSetting } from "../engine/service/settings.js";
import { openPool, type Pool } from "../engine/store/pool.js";
import { type FreshDatabase, freshDatabase } from "../engine/testing/database.js";
import { recorded } from "../engine/testing/events.js";
import { foldAll } from "../engine/testing/fold.js";
import { type MemoryLog, memoryLog } from "../engine/testing/memory-log.js";

const consumers = [activity, claims, patients, visits];
const projections: readonly AnyProjection[] = consumers.flatMap(({ project }) => project);
const id = (kind: string, number: number) => `0000000${kind}-0000-4000-8000-${String(number).padStart(12, "0")}`;
const minute = 60_000;

/** Patients, visits and claims of a small place, some of it told twice or in a strange order. */
function happenings(from: number, count: number): FoldInput[] {
  const given: Parameters<typeof recorded>[0][number][] = [];
  for (let number = from; number < from + count; number++) {
    const patient = id("a", number);
    const time = Date.UTC(2026, 0, 1) + number * minute;
    given.push({
      type: "PatientRegistered",
      key: patient,
      time,
      fields: {
        facility: "NORTH",
        sex: number % 2 ? "F" : null,
        birthYear: 1900 + (number % 100),
        identifiers: [{ identifierId: id("e", number % 40), authority: "NORTH", type: "SS", strong: number % 3 === 0 }],
      },
      sealed: { familyName: `O'Na"me\\ ${number}`, givenNames: ["Ää", "{b,c}"], identifierValues: [`value ${number}`] },
    });
    const visit = id("b", number);
    given.push(
      {
        type: "VisitEnded",
        key: visit,
        time: time + 10 * minute,
        fields: { facility: "NORTH", authority: "NORTH", patientId: patient, endedAt: time + 9 * minute },
      },
      {
        type: "VisitStarted",
        key: visit,
        time: time + minute,
        fields: {
          facility: "NORTH",
          authority: "NORTH",
          patientId: patient,
          class: "I",
          location: "W^1^2",
          admission: "ADMITTED",
        },
      },
    );
    given.push({
      type: "ClaimSubmitted",
      key: id("c", number),
      time: time + 20 * minute,
      fields: {
        payerId: "PAYER",
        frequencyCode: "1",
        kind: "PROFESSIONAL",
        billedAmount: 12_345 + number,
        contentHash: `hash ${number}`,
        patientId: patient,
        lines: [{ lineNumber: 1, chargeAmount: 12_345 + number, procedureCode: "99213", modifiers: ["25"] }],
      },
    });
    if (number % 5 === 1) {
      const fields = { facility: "NORTH", survivingPatientId: patient, retiredPatientId: id("a", number - 1) };
      for (const role of ["RETIRED", "SURVIVING"] as const) {
        const key = role === "RETIRED" ? fields.retiredPatientId : fields.survivingPatientId;
        given.push({ type: "PatientsMerged", key, time: time + 30 * minute, fields: { ...fields, role } });
      }
    }
  }
  return recorded(given, from * 10 + 1);
}

/** Roles belong to the whole server, so an installation beside this one must find the password that it would set. */
const passwordOf = ({ name }: { readonly name: string }) => {
  const settings = readSettings(process.env);
  const [databaseUrl, secret] = (["DATABASE_URL", "TRIBUTARY_SECRET"] as const).map((of) =>
    requireSetting(settings, of),
  );
  return rolePassword({ databaseUrl: String(databaseUrl), secret: String(secret) }, consumerRole(name));
};

let database: FreshDatabase;
let log: MemoryLog;
let producer: LogProducer;
let running: RunningConsumer[];
let pools: Pool[];
let appended: FoldInput[];
const failures: Error[] = [];

/** Bytes are a number in a list: what the codec does has its own tests. */
const known: FoldInput[] = [];
const decoder: Decoder = {
  decodeEvent(value) {
    const input = known[Number(value.toString())];
    if (!input) throw new Error("no event");
    return { type: input.type, event: { ...input.event, sealed: input.sealed ? Buffer.from("sealed") : null } };
  },
  learn: async () => {},
};
const opener: Opener = {
  open: async (contents) =>
    contents.map(
      ({ eventId }) =>
        known.find(({ event }) => (event as { meta: { id: string } }).meta.id === eventId)?.sealed ?? null,
    ),
};

/** As the publisher does: in order, here and there a stretch again. */
async function publish(events: readonly FoldInput[]): Promise<void> {
  for (let from = 0; from < events.length; from += 50) {
    const stretch = events.slice(from, from + 50);
    for (let time = 0; time < (from % 100 === 0 ? 2 : 1); time++) {
      const records = stretch.map((input) => ({
        topic: input.source.topic,
        key: input.key,
        value: Buffer.from(String(known.push(input) - 1)),
        headers: { [positionHeader]: formatPosition(input.position) },
      }));
      const places = await producer.append(records);
      if (time > 0) continue;
      appended.push(
        ...stretch.map((input, index) => ({
          ...input,
          event: { ...input.event, sealed: input.sealed ? Buffer.from("sealed") : null },
          source: places[index] as NonNullable<(typeof places)[0]>,
        })),
      );
    }
  }
}

async function start(): Promise<void> {
  const silent = { info: () => {}, warn: () => {}, error: () => {} };
  for (const definition of consumers) {
    const url = database.urlAs(consumerRole(definition.name), passwordOf(definition));
    const pool = openPool(url, { applicationName: "spec", max: 4 });
    pools.push(pool);
    const onFailure = (error: Error) => void failures.push(error);
    running.push(await runConsumer({ definition, log, pool, decoder, opener, logger: silent, onFailure }));
  }
}

async function stop(): Promise<void> {
  await Promise.all(running.splice(0).map((consumer) => consumer.close()));
  await Promise.all(pools.splice(0).map((pool) => pool.end()));
}

beforeAll(async () => {
  database = await freshDatabase();
  for (const definition of consumers) {
    await prepareConsumer(database.pool, definition, { password: passwordOf(definition) });
  }
  log = memoryLog();
  producer = await log.producer();
  await log
    .producer()
    .then((other) => other.append([{ topic: "health.intake.journal", partition: 0, key: "", value: Buffer.of() }]));
  [running, pools, appended] = [[], [], []];
});
afterAll(async () => {
  await database?.drop();
});
beforeEach(() => start());
afterEach(() => stop());

async function verified(name: string) {
  const projection = projections.find((one) => one.name === name) as AnyProjection;
  const build = await currentBuild(database.pool, name);
  if (!build) throw new Error("no build");
  return verifyProjection({ projection, build, log, pool: database.pool, decoder, opener });
}

const sorted = (rows: readonly Row[] | undefined) => (rows ?? []).map((row) => JSON.stringify(row)).sort();

describe("the read models", () => {
  it("are what a pure fold of the log gives, each written by its own role", async () => {
    await publish(happenings(1, 60));
    expect(await awaitProjections({ log, pool: database.pool, projections, timeout: 30_000 })).toEqual({
      parkedKeys: 0,
    });
    await stop();
    await start();
    await publish(happenings(61, 40));
    await awaitProjections({ log, pool: database.pool, projections, timeout: 30_000 });
    expect(failures).toEqual([]);
    for (const { name } of projections) {
      expect({ name, ...(await verified(name)) }).toMatchObject({ differing: 0, skipped: [] });
    }
    const { rows } = await database.pool.query("SELECT person_id, patient_ids FROM projections.persons");
    const patientProjection = projections.find(({ name }) => name === "patients") as AnyProjection;
    const wanted = foldAll(
      patientProjection,
      appended.filter(({ source }) => source.topic === "health.patient.events"),
    );
    expect(rows.length).toBeGreaterThan(10);
    expect(sorted(rows)).toEqual(sorted(wanted.persons));
    const { rows: days } = await database.pool.query(
      "SELECT sum(events)::bigint AS events FROM projections.daily_activity",
    );
    expect(days[0].events).toBe(appended.length);
    for (const status of await buildStatuses(database.pool, log, Date.now(), projections)) {
      expect(status).toMatchObject({ state: "current", lagEvents: 0, lagSeconds: 0, parkedKeys: 0 });
    }
  });

  it("tell the whole log as the lag of a build that nobody feeds yet", async () => {
    const visits = projections.find(({ name }) => name === "visits") as AnyProjection;
    const made = await createBuild(database.pool, visits, "visits");
    const statuses = await buildStatuses(database.pool, log, Date.now(), projections);
    const events = (await log.watermarks("health.visit.events")).reduce((sum, { high }) => sum + high, 0);
    expect(events).toBeGreaterThan(0);
    expect(statuses.find(({ name, build }) => name === "visits" && build === made.build)?.lagEvents).toBe(events);
    await dropBuild(database.pool, "visits", made.build);
  });

  it("show a row changed behind the engine's back", async () => {
    await database.pool.query("UPDATE build_visits_1.visits SET location = 'moved' WHERE visit_id = $1", [id("b", 7)]);
    await database.pool.query("DELETE FROM build_timeline_1.timeline WHERE event_id = 'event-15'");
    expect((await verified("visits")).differences).toEqual([
      { table: "visits", key: id("b", 7), what: "different", columns: ["location"] },
    ]);
    expect(await verified("timeline")).toMatchObject({
      differing: 1,
      differences: [{ table: "timeline", what: "missing" }],
    });
  });

  it("are not awaited for ever", async () => {
    await stop();
    await publish(happenings(200, 1));
    await expect(awaitProjections({ log, pool: database.pool, projections, timeout: 300 })).rejects.toMatchObject({
      code: "TRIB_PROJECT_AWAIT_TIMEOUT",
      message: expect.stringContaining("health."),
    });
  });
});
