import { describe, expect, it } from "vitest";
import { recorded } from "../../engine/testing/events.js";
import { foldAll } from "../../engine/testing/fold.js";
import { eventCatalog } from "../../schemas/events.generated.js";
import timeline from "./projection.js";

const patient = "00000000-0000-0000-0000-0000000000a1";
const visit = "00000000-0000-0000-0000-0000000000b1";
const claim = "00000000-0000-0000-0000-0000000000c1";
const remittance = "00000000-0000-0000-0000-0000000000e1";
const payment = {
  payerId: "P",
  traceNumber: "T1",
  paidAt: 0,
  paidAmount: 1,
  balanced: true,
} as const;

describe("the timeline", () => {
  it("has a row an event, under everyone it concerns", () => {
    const { timeline: rows } = foldAll(
      timeline,
      recorded([
        { type: "PatientUpdated", key: patient, time: 10, fields: { facility: "NORTH" }, meta: { source: "north" } },
        {
          type: "VisitEnded",
          key: visit,
          time: 20,
          fields: { facility: "NORTH", authority: "NORTH", patientId: patient },
        },
        {
          type: "ClaimAdjudicated",
          key: claim,
          fields: {
            ...payment,
            patientId: patient,
            remittanceId: remittance,
            occurrence: 1,
            statusCode: "1",
            chargeAmount: 1,
            patientAmount: 0,
            contentHash: "x",
          },
        },
        {
          type: "RemittanceReceived",
          key: remittance,
          fields: { ...payment, claimsAmount: 1, providerAdjustmentAmount: 0, claims: 1, difference: 0 },
        },
      ]),
    );
    const none = { patient_id: null, visit_id: null, claim_id: null, remittance_id: null };
    expect(rows).toMatchObject([
      { ...none, event_type: "PatientUpdated", patient_id: patient, occurred_at: 10, partner: "north" },
      { ...none, event_type: "VisitEnded", patient_id: patient, visit_id: visit, occurred_at: 20 },
      { ...none, event_type: "ClaimAdjudicated", patient_id: patient, claim_id: claim, remittance_id: remittance },
      { ...none, event_type: "RemittanceReceived", remittance_id: remittance },
    ]);
    expect(rows?.[1]).toMatchObject({
      event_id: "event-2",
      recorded_at: Date.UTC(2026, 0, 1, 0, 0, 2),
      topic: "health.visit.events",
      partition: 0,
      offset: 1,
      journal: "journal",
      journal_partition: 0,
      journal_offset: 2,
      journal_index: 0,
    });
  });

  it("leaves no type of event out", () => {
    expect(Object.keys(timeline.fold).sort()).toEqual(Object.keys(eventCatalog).sort());
  });
});
