import { afterAll, beforeAll, describe, expect, it } from "vitest";
import patients from "../consumers/patients/consumer.js";
import { auditRecords } from "../engine/audit/access.js";
import { signAsOf } from "../engine/audit/as-of-manifest.js";
import { asOfRows } from "../engine/audit/as-of-rows.js";
import { notaryKey } from "../engine/audit/checkpoint.js";
import type { EventDraft, ReceivedUnit } from "../engine/intake/connector.js";
import { listEntries } from "../engine/intake/journal.js";
import { auditDecisions } from "../engine/projector/audit-decisions.js";
import { createBuild } from "../engine/projector/build.js";
import type { AnyProjection } from "../engine/projector/definition.js";
import type { DatedOpener } from "../engine/projector/ports.js";
import { requestDecisions, requestOutcomes } from "../engine/projector/requests.js";
import { type AsOf, buildAsOf, dropAsOf, listAsOfs, showAsOf } from "../engine/replay/as-of.js";
import { decoderOf } from "../engine/service/decoder.js";
import { createLogger } from "../engine/service/logger.js";
import { closedOpener, sealedOpener } from "../engine/service/sealed-opener.js";
import { type EraseOptions, erasePatient } from "../engine/vault/erase.js";
import { recordsOfPerson } from "../engine/vault/person.js";
import timeline from "../projections/timeline/projection.js";
import { erasedWhileTranslated } from "./erasure/again.js";
import { deliveriesOfErased } from "./erasure/deliveries.js";
import { sharedWithOthers } from "./erasure/shared.js";
import { trailsOfParted } from "./erasure/trails.js";
import { openRegion, projections, type Region } from "./region.js";

let region: Region;
beforeAll(async () => {
  region = await openRegion();
});
afterAll(() => region?.close());

const patientOf = (name: string) => region.intake.surrogate("patient", "NORTH", "MR", name);
const visitOf = (name: string) => region.intake.surrogate("visit", "NORTH", "VN", name);
const claimOf = (name: string) => region.intake.surrogate("claim", "NPI", "", name);

let sent = 0;
function unit(text: string, sealFor: readonly string[], events: readonly EventDraft[]): ReceivedUnit {
  const bytes = Buffer.from(`${text} ${sent++}`);
  return {
    entry: "UNIT",
    partner: "north",
    feed: "north|NORTH",
    format: "ADT^A08",
    bytes,
    verdict: { accepted: true },
    answer: () => "AA",
    identity: { rule: "EVERY", parts: ["north", bytes] },
    sealFor,
    events,
  };
}

/** A patient with a visit and a claim, as three messages tell them. */
function told(name: string, time: number, familyName = name): readonly ReceivedUnit[] {
  const [patient, visit, claim] = [patientOf(name), visitOf(name), claimOf(name)];
  return [
    unit(
      "registered",
      [patient],
      [
        {
          type: "PatientRegistered",
          subject: patient,
          time,
          fields: {
            facility: "NORTH",
            sex: "F",
            birthYear: 1950,
            identifiers: [{ identifierId: patient, authority: "NORTH", type: "MR", strong: false }],
          },
          sealed: { familyName, birthDate: "1950-01-02", identifierValues: [name] },
          sealFor: patient,
        },
      ],
    ),
    unit(
      "admitted",
      [patient],
      [
        {
          type: "VisitStarted",
          subject: visit,
          time,
          fields: { facility: "NORTH", authority: "NORTH", patientId: patient, class: "I", admission: "ADMITTED" },
          sealed: { visitNumber: `V ${name}` },
          sealFor: patient,
        },
      ],
    ),
    unit(
      "claimed",
      [patient],
      [
        {
          type: "ClaimSubmitted",
          subject: claim,
          time,
          fields: {
            payerId: "P",
            patientId: patient,
            visitId: visit,
            frequencyCode: "1",
            kind: "PROFESSIONAL",
            billedAmount: 10_000,
            contentHash: name,
          },
          sealed: { patientControlNumber: `C ${name}`, memberId: `M ${name}` },
          sealFor: patient,
        },
      ],
    ),
  ];
}

const erasing = (changes: Partial<EraseOptions> = {}): EraseOptions => ({
  log: region.kafka.log,
  pool: region.database.pool,
  codec: region.kafka.codec,
  secret: region.secret,
  timeline,
  timeout: 30_000,
  forgottenAfter: region.forgottenAfter,
  ...changes,
});
const request = (name: string) => ({ patient: patientOf(name), reason: "request 2026/17", actor: "officer" });
const clear = async () => ({
  patients: await region.rows("SELECT * FROM projections.patients ORDER BY patient_id"),
  visits: await region.rows("SELECT * FROM projections.visits ORDER BY visit_id"),
  claims: await region.rows("SELECT * FROM projections.claims ORDER BY claim_id"),
});
const restricted = (name: string) =>
  region.rows(
    `SELECT p.status, p.family_name, p.birth_date, i.value, v.visit_number, c.patient_control_number, c.member_id, c.billed_amount
     FROM projections_restricted.patients p JOIN projections_restricted.patient_identifiers i USING (patient_id)
     LEFT JOIN projections_restricted.visits v USING (patient_id) LEFT JOIN projections_restricted.claims c USING (patient_id)
     WHERE p.patient_id = $1`,
    [patientOf(name)],
  );
const gone = {
  family_name: null,
  birth_date: null,
  value: null,
  visit_number: null,
  patient_control_number: null,
  member_id: null,
};
const equalEverywhere = async () => {
  expect(await region.rebuild()).toEqual([]);
  for (const { name, differing, differences, skipped } of await region.verify()) {
    expect({ name, differing, differences, skipped }).toEqual({ name, differing: 0, differences: [], skipped: [] });
  }
};

describe("an erasure", () => {
  it("takes what identifies a patient out of every build, and leaves everything else as it was", async () => {
    await region.intake.submit([...told("Ann", 1_000), ...told("Bob", 2_000)]);
    // A merge concerns both: its bytes are sealed under the keys of both.
    await region.intake.submit([unit("both", [patientOf("Ann"), patientOf("Bob")], [])]);
    await region.settle();
    const before = await clear();
    expect(await restricted("Ann")).toEqual([expect.objectContaining({ family_name: "Ann", visit_number: "V Ann" })]);

    const erased = await erasePatient(erasing(), request("Ann"));
    expect(erased).toMatchObject({ outcome: "erased", visits: 1, claims: 1, keys: 1 });
    // What is sealed under her key and another's is gone, too.
    expect(erased.left).toEqual({ units: 0, sealedFor: [] });
    await region.settle();
    expect(await restricted("Ann")).toEqual([{ ...gone, status: "erased", billed_amount: "100.00" }]);
    expect(await restricted("Bob")).toEqual([expect.objectContaining({ status: "active", family_name: "Bob" })]);
    const after = await clear();
    const plain = ({ patients, visits, claims }: Awaited<ReturnType<typeof clear>>) => ({
      patients: patients.map(({ status: _, recorded_at: __, source_offset: ___, ...row }) => row),
      visits,
      claims,
    });
    expect(plain(after)).toEqual(plain(before));
    await equalEverywhere();
  });

  it("makes every unit unreadable that was sealed under the patient's key, those of several patients too", async () => {
    const readable: (string | null)[] = [];
    const { log, codec } = region.kafka;
    for await (const one of listEntries({ log, codec, pool: region.database.pool, vault: region.vault })) {
      readable.push(one.unitSha256);
    }
    expect([readable.length, readable.filter((hash) => hash !== null).length]).toEqual([7, 3]);
  });

  it("of a person takes along what was accepted a moment before", async () => {
    const { log } = region.kafka;
    const parts = { log, pool: region.database.pool, projections, timeout: 30_000 };
    const national = region.intake.surrogate("patient", "NATION", "NI", "Cyd");
    const identifiers = [{ identifierId: national, authority: "NATION", type: "NI", strong: true }];
    const fields = { facility: "NORTH", identifiers };
    const sealed = { identifierValues: ["Cyd"] };
    const registered = { type: "PatientRegistered", time: 2_500, fields, sealed } as const;
    const identified = ["Cyd", "Cyd again"]
      .map(patientOf)
      .map((subject) => unit("identified", [subject], [{ ...registered, subject, sealFor: subject }]));
    await region.intake.submit(identified);
    expect(await recordsOfPerson(parts, patientOf("Cyd"))).toEqual([patientOf("Cyd"), patientOf("Cyd again")].sort());
  });

  it("is recorded: who, what, when, why, and nothing personal", async () => {
    const records = [];
    for await (const { type, value } of auditRecords(region.kafka.log, region.kafka.codec)) {
      if (type === "ErasureRecorded") records.push(value);
    }
    expect(records).toEqual([
      expect.objectContaining({ step: "BEGUN", patient: patientOf("Ann"), reason: "request 2026/17" }),
      expect.objectContaining({ step: "DONE", patient: patientOf("Ann"), visits: 1, claims: 1, keys: 1 }),
    ]);
    expect(JSON.stringify(records)).not.toMatch(/Ann/);
  });

  it("has nothing to do a second time, until something is told again, which a new key seals", async () => {
    expect(await erasePatient(erasing(), request("Ann"))).toMatchObject({ outcome: "nothing" });
    await region.intake.submit(told("Ann", 3_000, "Anna"));
    await region.settle();
    expect(await restricted("Ann")).toEqual([expect.objectContaining({ status: "active", family_name: "Anna" })]);
    expect(
      await region.rows("SELECT generation FROM engine.vault_keys WHERE subject = $1", [patientOf("Ann")]),
    ).toEqual([{ generation: 1 }, { generation: 2 }]);
    // Whom only a claim names has no row of patients: an erasure makes none.
    await region.intake.submit(told("Dot", 3_100).slice(2));
    for (const name of ["Ann", "Dot"])
      expect(await erasePatient(erasing(), request(name))).toMatchObject({ outcome: "erased", keys: 1 });
    await region.settle();
    expect(await restricted("Ann")).toEqual([{ ...gone, status: "erased", billed_amount: "100.00" }]);
    expect((await clear()).patients.map(({ patient_id }) => patient_id)).not.toContain(patientOf("Dot"));
  });

  it("that is ended anywhere is carried on by the next, and comes to the same once", async () => {
    const events = async () =>
      region.rows(
        "SELECT event_type, count(*)::int AS events FROM projections.timeline WHERE event_type LIKE '%Erased' AND $1 IN (patient_id, visit_id) GROUP BY 1 ORDER BY 1",
        [patientOf("Bob")],
      );
    for (const last of ["destroyed", "forgotten", "journalled"]) {
      const ended = erasePatient(
        erasing({
          onStep: (step) => {
            if (step === last) throw new Error("ended");
          },
        }),
        request("Bob"),
      );
      await expect(ended).rejects.toThrow("ended");
    }
    const erased = await erasePatient(erasing(), { ...request("Bob"), reason: "another" });
    expect(erased).toMatchObject({ outcome: "erased", reason: "request 2026/17", keys: 1 });
    await region.settle();
    expect(await restricted("Bob")).toEqual([expect.objectContaining({ ...gone, status: "erased" })]);
    expect(await events()).toEqual([
      { event_type: "PatientErased", events: 1 },
      { event_type: "SubjectErased", events: 2 },
    ]);
    await equalEverywhere();
  });

  it("takes the patient out of what was known at past moments: kept, being made, or left behind", async () => {
    const { pool } = region.database;
    const { log, codec } = region.kafka;
    await region.intake.submit(told("Cyd", 4_000));
    await region.settle();
    const at = Date.now() - 1;
    const [projection] = patients.project as [AnyProjection];
    const read = { log, pool, decoder: decoderOf(codec), logger: createLogger("spec", "silent") };
    const parts = { ...read, projection, consumer: patients, decisionLog: auditDecisions(log, codec) };
    const all: AsOf[] = [];
    const made = async (opener: DatedOpener) => {
      const asOf = await buildAsOf({ ...parts, opener, at, clockSkew: 0 });
      all.push(asOf);
      return asOf;
    };
    const key = notaryKey("11".repeat(32));
    const show = async (asOf: AsOf) => showAsOf(pool, asOf, await signAsOf(pool, asOf, key, "1.0.0"), "spec");
    const names = async ({ schema }: AsOf) =>
      (await region.rows(`SELECT family_name FROM "${schema}".patients ORDER BY 1`)).map((row) => row.family_name);
    // It keeps the key in memory longer than the erasure takes here.
    const opener = sealedOpener(pool, region.kek, codec);
    try {
      const [kept, being, sealed] = [await made(opener), await made(opener), await made(closedOpener)];
      expect(await names(kept)).toContain("Cyd");
      await show(kept);
      await show(sealed);
      await createBuild(pool, projection, patients.name, "as-of");

      const { asOfs, reason, actor } = await erasePatient(erasing(), request("Cyd"));
      expect(asOfs).toEqual([kept.schema]);
      const dropped: unknown[] = [];
      for await (const one of auditRecords(log, codec)) if (one.value.action === "DROP") dropped.push(one);
      expect(dropped).toMatchObject([
        {
          type: "AccessRecorded",
          value: { command: "vault erase", subject: { kind: "as-of", id: kept.schema }, reason, meta: { actor } },
        },
      ]);
      expect((await listAsOfs(pool)).map(({ schema }) => schema)).toEqual([sealed.schema]);
      expect(await region.rows("SELECT build FROM engine.builds WHERE feed = 'as-of' ORDER BY build")).toEqual([
        { build: being.build },
        { build: sealed.build },
      ]);
      expect(await region.rows("SELECT FROM pg_namespace WHERE nspname = $1", [kept.schema])).toEqual([]);
      const reading = asOfRows(pool, kept, "patient", patientOf("Cyd"), true);
      await expect(reading).rejects.toMatchObject({ code: "TRIB_REPLAY_AS_OF_DROPPED" });
      await expect(show(being)).rejects.toMatchObject({ code: "TRIB_REPLAY_VAULT_MOVED" });

      const again = await made(opener);
      expect(await names(again)).not.toContain("Cyd");
      // A destruction that is not committed yet comes first all the same.
      const destroying = await pool.connect();
      await destroying.query("BEGIN; SELECT engine.vault_destroy('{}')");
      const showing = show(again).then(
        () => "shown",
        (error: { code?: string }) => error.code,
      );
      const waiting = expect.poll(async () => {
        const text =
          "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database() AND query LIKE 'INSERT INTO engine.as_ofs%'";
        return (await region.rows(text)).length;
      });
      await Promise.race([showing, waiting.toBe(1)]);
      await destroying.query("COMMIT");
      destroying.release();
      expect(await showing).toBe("TRIB_REPLAY_VAULT_MOVED");
    } finally {
      for (const one of all) await dropAsOf(pool, one);
      opener.close();
    }
    await region.settle();
  });

  it("tells of what came between its end and the run that carries it on", async () => {
    await region.intake.submit(told("Eve", 4_000));
    await region.settle();
    const ended = erasePatient(
      erasing({
        onStep: (step) => {
          if (step === "journalled") throw new Error("ended");
        },
      }),
      request("Eve"),
    );
    await expect(ended).rejects.toThrow("ended");
    await region.settle();
    // A second visit of hers, and the first told of again: both under a key of their own time.
    const [, admitted] = told("Eve", 5_000) as [ReceivedUnit, ReceivedUnit];
    const second = { ...(admitted.events?.[0] as EventDraft), subject: visitOf("Eve 2") };
    await region.intake.submit([...told("Eve", 5_000), unit("admitted", [patientOf("Eve")], [second])]);
    await region.settle();
    expect(await restricted("Eve")).toHaveLength(2);
    const erased = await erasePatient(erasing(), request("Eve"));
    expect(erased).toMatchObject({ outcome: "erased", visits: 2, claims: 1, keys: 2 });
    await region.settle();
    const wiped = { ...gone, status: "erased", billed_amount: "100.00" };
    expect(await restricted("Eve")).toEqual([wiped, wiped]);
    await equalEverywhere();
  });

  it("finds the visit of a key that the timeline holds back", async () => {
    const { database, kafka } = region;
    const { pool } = database;
    await region.settle();
    const topic = "health.visit.events";
    // Whatever comes next on the visits' topic.
    const places = (await kafka.log.watermarks(topic)).map(({ partition, high }) => ({
      topic,
      partition,
      offset: high,
    }));
    const parking = { projection: "timeline", action: "park", places, reason: "told so", by: "operator" } as const;
    const asked = await requestDecisions(pool, parking);
    const isDone = async () => (await requestOutcomes(pool, asked)).every(({ state }) => state === "done");
    await expect.poll(isDone, { timeout: 10_000 }).toBe(true);
    await region.intake.submit(told("Fay", 6_000).slice(0, 2));
    await region.settle();
    const visit = () => region.rows("SELECT FROM projections.timeline WHERE visit_id = $1", [visitOf("Fay")]);
    expect(await visit()).toEqual([]);
    expect(await erasePatient(erasing(), request("Fay"))).toMatchObject({ outcome: "erased", visits: 1, claims: 0 });
    await region.settle();
    expect(await restricted("Fay")).toEqual([{ ...gone, status: "erased", billed_amount: null }]);
    expect((await region.verify()).map(({ differing }) => differing).filter(Boolean)).toEqual([]);
  });

  erasedWhileTranslated(() => region);

  const erase = (name: string) => erasePatient(erasing(), request(name));
  deliveriesOfErased(() => ({ region, told, patientOf, erase }));
  sharedWithOthers(() => ({ region, unit, told, patientOf, visitOf, claimOf, erase, equalEverywhere }));

  it("is refused for who is not known", async () => {
    await expect(erasePatient(erasing(), request("Nobody"))).rejects.toMatchObject({ code: "TRIB_CLI_NOT_FOUND" });
  });
});

describe("a trail", () => trailsOfParted(() => ({ region, unit, told, patientOf, visitOf, claimOf })));
