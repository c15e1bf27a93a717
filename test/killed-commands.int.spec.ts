import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { seededRandom } from "../demo/random.js";
import { auditRecords } from "../engine/audit/access.js";
import type { ReceivedUnit } from "../engine/intake/connector.js";
import { journalTopic } from "../engine/log/schemas.js";
import { repositoryRoot } from "../engine/service/root.js";
import { openTranslator } from "../engine/service/translator.js";
import { chaosSize, firstSeed, recordChaos } from "../engine/testing/chaos.js";
import { openRegion, type Region } from "./region.js";

/** Takes minutes, so it runs only where it is asked for: TRIBUTARY_CHAOS=full, or `sample` for a short one. */
const isAskedFor = process.env.TRIBUTARY_CHAOS !== undefined;
const units = chaosSize(60, 400);
const erased = chaosSize(2, 8);
const random = seededRandom(`killed commands/${firstSeed()}`);

let region: Region;
let home: string;
let environment: Record<string, string>;
const kills: Record<string, number> = { "translating again": 0, erasing: 0 };

beforeAll(async () => {
  if (!isAskedFor) return;
  region = await openRegion({ name: "hl7v2", version: "1" });
  home = mkdtempSync(join(tmpdir(), "tributary-killed-"));
  const own = /^(TRIBUTARY_(SECRET|KEK)|DATABASE_URL|PG)/;
  const given = Object.entries(process.env).filter(([name]) => !own.test(name)) as [string, string][];
  environment = {
    ...Object.fromEntries(given),
    TRIBUTARY_HOME: home,
    DATABASE_URL: region.database.url,
    TOPIC_PREFIX: region.kafka.settings.TOPIC_PREFIX,
    TRIBUTARY_SECRET: region.secret,
    TRIBUTARY_KEK: region.kek,
  };
}, 60_000);
afterAll(async () => {
  await region?.close();
  if (home) rmSync(home, { recursive: true, force: true });
});

/** How a command ended. */
interface End {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly said: string;
}

function start(parameters: readonly string[]): { readonly child: ChildProcess; readonly ended: Promise<End> } {
  const child = spawn(process.execPath, [join(repositoryRoot, "bin/tributary.mjs"), ...parameters], {
    env: environment,
    cwd: repositoryRoot,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (text: Buffer) => (said += text.toString()));
  const ended = new Promise<End>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => resolve({ code, signal, said }));
  });
  return { child, ended };
}

/** Runs a command again and again, each time killed at what `strike` waits for, at last to its end. */
async function carriedOn(
  kind: keyof typeof kills,
  parameters: readonly string[],
  strikes: readonly (() => Promise<unknown>)[],
) {
  for (const strike of strikes) {
    const { child, ended } = start(parameters);
    await Promise.race([strike(), ended]);
    child.kill("SIGKILL");
    const { signal, code, said } = await ended;
    if (signal === "SIGKILL") kills[kind] = (kills[kind] ?? 0) + 1;
    else expect(code, said).toBe(0);
  }
  const { code, said } = await start(parameters).ended;
  expect(code, said).toBe(0);
  return said;
}

const message = (number: number) =>
  Buffer.from(
    [
      `MSH|^~\\&|ADT|NORTH|X|X|20260110101500||ADT^A01^ADT_A01|K${number}|P|2.5`,
      "EVN|A01|20260110101500",
      `PID|1||${number}^^^NORTH^MR||DOE^ANN||19500102|F`,
      `PV1|1|I|WARD^${number}||||||||||||||||V${number}^^^NORTH^VN`,
      "",
    ].join("\r"),
  );
const journalled = async () =>
  (await region.kafka.log.watermarks(journalTopic)).reduce((sum, { high }) => sum + high, 0);
const equalEverywhere = async () => {
  expect(await region.rebuild()).toEqual([]);
  for (const { name, differing, differences } of await region.verify()) {
    expect({ name, differing, differences }).toEqual({ name, differing: 0, differences: [] });
  }
};

describe.runIf(isAskedFor)("a command that is killed at any time", () => {
  it("and translates again, is carried on by the next to the end that one run has", { timeout: 600_000 }, async () => {
    const hl7v2 = await openTranslator("hl7v2", { ...region.kafka.settings, TRIBUTARY_SECRET: region.secret });
    const made: ReceivedUnit[] = [];
    for (let number = 1; number <= units; number++) made.push(...(await hl7v2.translate("generic", message(number))));
    await hl7v2.close();
    // Journalled by an older version, which made of them nothing but the patient.
    await region.intake.submit(
      made.map((unit) => ({ ...unit, events: unit.events.filter(({ type }) => type.startsWith("Patient")) })),
    );
    await region.settle();
    const before = await journalled();
    // While it starts, and when so many more of the entries are written.
    const written = (count: number) => async () => {
      while ((await journalled()) < before + count) await pause(2);
    };
    const times = chaosSize(1, 10);
    const share = (index: number) => Math.floor((units * (index + random.below(1_000) / 1_000)) / times);
    const shares = Array.from({ length: times }, (_, index) => written(Math.max(1, share(index))));
    const parameters = ["intake", "retranslate", "--partner", "generic", "--reason", "killed", "--yes", "--json"];
    const said = await carriedOn("translating again", parameters, [() => pause(random.between(300, 800)), ...shares]);
    const done = JSON.parse(said) as { units: number; changed: number; unmatched: number };
    expect(done).toMatchObject({ units, unmatched: 0 });
    // All that came before the last run was carried over, none of it written again.
    expect(done.changed).toBeLessThan(units);
    expect(await journalled()).toBe(before + units);
    await region.settle();
    const [told] = await region.rows(
      `SELECT count(*)::int AS events, count(DISTINCT visit_id)::int AS visits FROM projections.timeline
       WHERE event_type = 'VisitStarted'`,
    );
    expect(told).toEqual({ events: units, visits: units });
    const visits =
      "SELECT count(*)::int AS rows FROM projections.visits WHERE status = 'in_progress' AND location LIKE 'WARD^%'";
    expect(await region.rows(visits)).toEqual([{ rows: units }]);
    await equalEverywhere();
  });

  it("and erases, is carried on by the next: nothing left, and each told once", { timeout: 600_000 }, async () => {
    const patients = (
      await region.rows("SELECT patient_id AS id FROM projections.patients ORDER BY patient_id LIMIT $1", [erased])
    ).map(({ id }) => String(id));
    const steps = [
      () => pause(random.between(300, 1000)),
      () => pause(random.between(1_000, 12000)),
      () => pause(random.between(10_000, 14000)),
    ];
    await Promise.all(
      patients.map((id, index) => {
        const parameters = ["vault", "erase", id, "--reason", "killed", "--yes", "--json", "--timeout", "120"];
        return carriedOn("erasing", parameters, [
          steps[index % 3],
          steps[(index + 1) % 3],
        ] as (() => Promise<unknown>)[]);
      }),
    );
    await region.settle();
    const left = await region.rows(
      `SELECT p.status, family_name, birth_date, v.visit_number FROM projections_restricted.patients p
       LEFT JOIN projections_restricted.visits v USING (patient_id) WHERE p.patient_id = ANY ($1)`,
      [patients],
    );
    expect(left).toEqual(
      patients.map(() => ({ status: "erased", family_name: null, birth_date: null, visit_number: null })),
    );
    const told = await region.rows(
      `SELECT event_type, count(*)::int AS events FROM projections.timeline
       WHERE patient_id = ANY ($1) AND event_type LIKE '%Erased' GROUP BY 1 ORDER BY 1`,
      [patients],
    );
    expect(told).toEqual([
      { event_type: "PatientErased", events: erased },
      { event_type: "SubjectErased", events: erased },
    ]);
    const living = "SELECT FROM engine.vault_keys WHERE subject = ANY ($1) AND wrapped IS NOT NULL";
    expect(await region.rows(living, [patients])).toEqual([]);
    const ids = new Map<string, Set<string>>();
    for await (const { type, value } of auditRecords(region.kafka.log, region.kafka.codec)) {
      if (type !== "ErasureRecorded") continue;
      const { patient, step, erasure } = value as unknown as { patient: string; step: string; erasure: string };
      ids.set(`${patient} ${step}`, (ids.get(`${patient} ${step}`) ?? new Set()).add(erasure));
    }
    expect([...ids.values()].map((one) => one.size)).toEqual(patients.flatMap(() => [1, 1]));
    await equalEverywhere();
    recordChaos({
      guarantee: "An erasure, or translating again, that is killed at any time is carried on to the same end",
      spec: "test/killed-commands.int.spec.ts",
      seeds: 1,
      kills: Object.values(kills).reduce((sum, count) => sum + count, 0),
      faults: Object.fromEntries(Object.entries(kills).map(([kind, count]) => [`killed while ${kind}`, count])),
      events: await journalled(),
      violations: 0,
    });
  });
});
