import { expect, it } from "vitest";
import { recordAccess } from "../../engine/audit/access.js";
import { deliveryDisclosures } from "../../engine/audit/delivery-disclosures.js";
import { disclosuresOf } from "../../engine/audit/disclosures.js";
import type { TrailKind, TrailRecords } from "../../engine/audit/trail.js";
import { eventsOfPatient } from "../../engine/audit/trail.js";
import type { EventDraft, ReceivedUnit } from "../../engine/intake/connector.js";
import { retranslate } from "../../engine/intake/retranslate.js";
import { projections } from "../region.js";
import { january, sayings, translations } from "../retranslation/sayings.js";
import type { Parts } from "./parts.js";

type Told = (kind: TrailKind, id: string, how?: { opens?: boolean; scanned?: boolean }) => Promise<TrailRecords>;

/** Trails of patients in whose name others' claims were submitted or paid, or whose record went on to another. */
export function claimsOfOthers(parts: () => Parts, trail: Told): void {
  const submitted = (name: string, patient: string, time: number): ReceivedUnit => {
    const { told, claimOf, patientOf, unit } = parts();
    const [, , { events: [draft] = [] }] = told(patient, time) as readonly [unknown, unknown, ReceivedUnit];
    const fields = { ...draft?.fields, visitId: null, contentHash: `${name} ${patient}` };
    return unit(
      `claimed ${name} for ${patient}`,
      [patientOf(patient)],
      [{ ...draft, subject: claimOf(name), fields } as EventDraft],
    );
  };
  const remitted = (subject: string, claimsAmount: number) =>
    ({
      ...{ type: "RemittanceReceived", subject, time: 8_000 },
      fields: {
        ...{ payerId: "P", traceNumber: "T", paidAt: 8_000, paidAmount: 8_000, balanced: true },
        ...{ claimsAmount, providerAdjustmentAmount: 0, claims: 1, difference: 0 },
      },
    }) as unknown as EventDraft;
  const shown = ({ trail: { events, units } }: TrailRecords) =>
    JSON.stringify([events.map(({ opened }) => opened), units.map(({ bytes }) => String(bytes))]);

  it("of a patient has nothing of a claim that was submitted anew for another", async () => {
    const { region, patientOf, claimOf } = parts();
    await region.intake.submit([submitted("Mistaken", "Lea", 7_000), submitted("Mistaken", "Max", 8_000)]);
    await region.settle();
    const [lea, max] = [patientOf("Lea"), patientOf("Max")];
    // Known from nothing else: that it is another's is all that there is to tell.
    const { events, apart } = (await trail("patient", lea, { scanned: true })).trail;
    expect([events, apart.claims]).toEqual([[], [claimOf("Mistaken")]]);
    await region.intake.submit([submitted("Lea's", "Lea", 7_100)]);
    await region.settle();
    const hers = await trail("patient", lea, { opens: true, scanned: true });
    expect(hers.trail.apart).toEqual({ patients: [max], visits: [], claims: [claimOf("Mistaken")] });
    expect(hers.trail.events.map(({ key }) => key)).toEqual([claimOf("Lea's")]);
    expect(shown(hers)).not.toMatch(/M Max|Max/);
    // The other one has it from its beginning, what was told of it as the first one's closed.
    const his = await trail("patient", max, { opens: true });
    expect(his.trail.apart).toEqual({ patients: [lea], visits: [], claims: [] });
    expect(his.trail.events.map(({ opened }) => (opened as { memberId?: string } | null)?.memberId)).toEqual([
      undefined,
      "M Max",
    ]);
    expect(shown(his)).not.toMatch(/M Lea|Lea/);
  });

  it("of a subscriber has nothing of a claim of the family that a remittance names by the family's number", async () => {
    const { region, patientOf, claimOf, unit } = parts();
    const [sue, dan] = [patientOf("Sue"), patientOf("Dan")];
    const paid = {
      ...{ type: "ClaimAdjudicated", subject: claimOf("Dan's"), time: 8_000, sealFor: sue },
      fields: {
        ...{ payerId: "P", traceNumber: "T", paidAt: 8_000, paidAmount: 8_000, balanced: true, patientId: sue },
        ...{ remittanceId: claimOf("none"), occurrence: 1, statusCode: "1", chargeAmount: 10_000, patientAmount: 0 },
        contentHash: "Dan's",
      },
      sealed: { patientName: "Dan, the son" },
    } as unknown as EventDraft;
    await region.intake.submit([submitted("Sue's", "Sue", 7_000), submitted("Dan's", "Dan", 7_000)]);
    await region.intake.submit([unit("paid Dan's", [sue], [paid])]);
    await region.settle();
    // Told by two channels, and not quite alike.
    for (const claimsAmount of [8_000, 8_001])
      await region.intake.submit([unit("remitted", [], [remitted(claimOf("none"), claimsAmount)])]);
    await region.settle();
    const { trail: ofClaim } = await trail("claim", claimOf("Dan's"), { scanned: true });
    expect(ofClaim.events.filter(({ type }) => type === "RemittanceReceived")).toHaveLength(2);
    const hers = await trail("patient", sue, { opens: true, scanned: true });
    expect(hers.trail.apart).toEqual({ patients: [dan], visits: [], claims: [claimOf("Dan's")] });
    expect(shown(hers)).not.toMatch(/Dan/);
    // Whose it is has the remittance, too, opened.
    const his = await trail("patient", dan, { opens: true });
    expect(his.trail.events.map(({ type }) => type)).toEqual(["ClaimSubmitted", "ClaimAdjudicated"]);
    expect(shown(his)).toMatch(/Dan, the son/);
  });

  it("of a patient has no record that was merged into another's afterwards", async () => {
    const { region, told, patientOf, unit } = parts();
    const [una, vic, old] = ["Una", "Vic", "Old"].map(patientOf) as [string, string, string];
    const merged = (into: string, time: number) =>
      unit(
        `merged ${time}`,
        [into, old],
        [
          { subject: into, role: "SURVIVING" },
          { subject: old, role: "RETIRED" },
        ].map(({ subject, role }) => ({
          ...{ type: "PatientsMerged", subject, time },
          fields: { facility: "NORTH", role, survivingPatientId: into, retiredPatientId: old, merges: [] },
        })) as unknown as EventDraft[],
      );
    const registered = ["Una", "Vic", "Old"].map((name) => told(name, 7_000)[0] as ReceivedUnit);
    await region.intake.submit([...registered, merged(una, 8_000), merged(vic, 9_000)]);
    await region.settle();
    const hers = await trail("patient", una, { scanned: true });
    expect([hers.trail.patients, hers.trail.apart.patients]).toEqual([[una], [old]]);
    expect((await trail("patient", vic)).trail.patients).toEqual([old, vic].sort());
  });

  it("is an account that has what was given away before its unit was translated again", async () => {
    const { region } = parts();
    const { pool } = region.database;
    const { log, codec } = region.kafka;
    const { patientOf, unitOf, options } = sayings(() => region);
    const since = Date.now();
    await region.intake.submit([unitOf(["Again", "start", january, "A"], translations.wrong)]);
    await region.settle();
    const source = { log, pool, codec, projections };
    const account = async () => {
      const disclosed = await eventsOfPatient(source, patientOf("Again"));
      const [first] = disclosed.records;
      const [sent, shown] = [
        await deliveryDisclosures(source, disclosed, 0),
        await disclosuresOf(source, disclosed, since),
      ];
      return { first, told: [sent.length, shown.filter(({ value }) => value.command === "audit as-of").length] };
    };
    const { first } = await account();
    await pool.query(
      `INSERT INTO engine.deliveries (event_id, consumer, delivery_id, destination, event_type, topic, partition, log_offset,
         status, attempts, opened, first_attempt_at, last_attempt_at, body_sha256, consumer_role)
       VALUES ('again', 'plan', gen_random_uuid(), 'webhook', 'VisitStarted', $1, $2, $3, 'delivered', 1, true, now(), now(), $4, 'plan')`,
      [first?.topic, first?.partition, first?.offset, Buffer.alloc(32)],
    );
    const subject = { kind: "projection", id: "visits" };
    const bulk = { projection: "visits", opened: true };
    await recordAccess(log, codec, {
      action: "REPLAY",
      command: "audit as-of",
      subject,
      patients: [],
      bulk,
      actor: "ada",
    });
    expect((await account()).told).toEqual([1, 1]);
    expect(await retranslate(options({ filter: { since } }))).toMatchObject({ changed: 1 });
    await region.settle();
    expect((await account()).told).toEqual([1, 1]);
  });
}
