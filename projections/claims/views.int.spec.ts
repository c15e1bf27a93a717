import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { viewsAsOf } from "../../engine/projector/views.js";
import { openPool } from "../../engine/store/pool.js";
import { type FreshDatabase, freshDatabase } from "../../engine/testing/database.js";
import { recorded } from "../../engine/testing/events.js";
import { ProjectionBench } from "../../engine/testing/projection-bench.js";
import claims from "./projection.js";

type Given = Parameters<typeof recorded>[0][number];

const id = (letter: string, number: number) => `00000000-0000-0000-000${letter}-${String(number).padStart(12, "0")}`;
const hour = 3_600_000;
/** An hour ago, two days ago: the ladder's clock is the database's. */
const ago = (hours: number) => Math.floor(Date.now() / 1000) * 1000 - hours * hour;

interface Sent {
  readonly hoursAgo: number;
  readonly interchange?: number;
  readonly set?: string;
  readonly acknowledge?: boolean;
  readonly frequency?: string;
}

function sent(
  number: number,
  { hoursAgo, interchange = number, set = "0001", acknowledge = false, frequency = "1" }: Sent,
): Given {
  return {
    type: frequency === "8" ? "ClaimVoided" : "ClaimSubmitted",
    key: id("c", number),
    time: ago(hoursAgo),
    fields: {
      payerId: "PLAN1",
      frequencyCode: frequency,
      billedAmount: 10_000,
      payerControlNumberHash: frequency === "8" ? "icn" : null,
      contentHash: `${number}/${hoursAgo}`,
      transmission: {
        interchangeId: id("a", interchange),
        groupId: id("b", interchange),
        batchId: id("d", interchange),
        batchPartId: id("f", interchange),
        interchangeControl: String(interchange),
        groupControl: String(interchange),
        setControl: set,
        batchReference: `B${interchange}`,
        acknowledgmentRequested: acknowledge,
      },
    },
  } as unknown as Given;
}

function transmissionAnswered(
  form: "TA1" | "999" | "277CA",
  interchange: number,
  hoursAgo: number,
  verdict: string,
  sets: object[] = [],
): Given {
  return {
    type: "InterchangeAcknowledged",
    key: id({ TA1: "a", "999": "b", "277CA": "d" }[form], interchange),
    time: ago(hoursAgo),
    fields: {
      form,
      sender: "S",
      receiver: "R",
      control: String(interchange),
      verdict,
      sets,
      contentHash: `${form}/${hoursAgo}`,
    },
  } as unknown as Given;
}

const claimAnswered = (number: number, hoursAgo: number, verdict: string): Given =>
  ({
    type: "ClaimAcknowledged",
    key: id("c", number),
    time: ago(hoursAgo),
    fields: { payerId: "PLAN1", verdict, batchId: id("d", number), contentHash: `${number}/${hoursAgo}` },
  }) as unknown as Given;

let database: FreshDatabase;
beforeEach(async () => {
  database = await freshDatabase();
});
afterEach(async () => {
  await database?.drop();
});

async function rowsOf(events: readonly Given[], sql: string): Promise<Record<string, unknown>[]> {
  const bench = await ProjectionBench.create(claims, database.pool);
  bench.append(recorded(events));
  await bench.run({});
  return (await database.pool.query<Record<string, unknown>>(sql)).rows;
}

describe("the acknowledgment ladder", () => {
  it("of an as-of is the same on every database; else its hours are those that are set", async () => {
    const [build] = await rowsOf([sent(1, { hoursAgo: 30 })], "SELECT schema_name AS schema FROM engine.builds");
    const { statements } = viewsAsOf(claims, String(build?.schema), "as_of_spec", ago(0));
    await database.pool.query(["CREATE SCHEMA as_of_spec", ...statements].join(";\n"));
    const client = await database.pool.connect();
    try {
      const overdue = async (schema: string) =>
        (await client.query(`SELECT overdue FROM ${schema}.acknowledgment_ladder`)).rows[0]?.overdue;
      expect([await overdue("projections"), await overdue("as_of_spec")]).toEqual([true, true]);
      await client.query("SET tributary.patience_999 = '1000'");
      expect([await overdue("projections"), await overdue("as_of_spec")]).toEqual([false, true]);
    } finally {
      client.release(true);
    }
  });

  it.each(["TA1", "999"] as const)("has one of two %s of a minute, whichever came first", async (form) => {
    const answers = ["ACCEPTED", "REJECTED"].map((verdict) => {
      const answer = transmissionAnswered(form, 1, 1, verdict);
      return { ...answer, fields: { ...answer.fields, contentHash: verdict } } as Given;
    });
    const sql = "SELECT interchange_verdict, set_verdict, refused_by FROM projections.acknowledgment_ladder";
    const seen = async (given: readonly Given[]) => {
      await rowsOf([sent(1, { hoursAgo: 2, acknowledge: true }), ...given], "SELECT");
      const client = await database.pool.connect();
      try {
        // As where there are few rows, or no statistics: in the order in which they lie.
        for (const scan of ["indexscan", "indexonlyscan", "bitmapscan"]) await client.query(`SET enable_${scan} = off`);
        return (await client.query(sql)).rows;
      } finally {
        client.release(true);
      }
    };
    const rows = await seen(answers);
    await database.drop();
    database = await freshDatabase();
    expect(await seen(answers.reverse())).toEqual(rows);
  });

  it("and the deadlines are the same in every session's zone, also where clocks were changed", async () => {
    // In Berlin on 29 March 2026, at 01:00 UTC.
    const at = (event: Given, day: number, hour: number) => ({ ...event, time: Date.UTC(2026, 2, day, hour) }) as Given;
    const sql = `SELECT s.claim_id, s.interchange_verdict, d.deadline, extract(epoch FROM d.due_at)::bigint AS due
      FROM projections.acknowledgment_ladder s JOIN projections.deadline_breaches d USING (claim_id) ORDER BY 1, 3`;
    const rows = await rowsOf(
      [
        at(sent(1, { hoursAgo: 0 }), 27, 12),
        at(sent(2, { hoursAgo: 0 }), 29, 12),
        at(transmissionAnswered("TA1", 2, 0, "ACCEPTED"), 28, 12),
      ],
      sql,
    );
    expect(rows.length).toBeGreaterThan(3);
    const client = await database.pool.connect();
    try {
      await client.query("SET TimeZone = 'Europe/Berlin'");
      expect((await client.query(sql)).rows).toEqual(rows);
    } finally {
      client.release(true);
    }
  });

  it("tells of every submission what it waits for, since when, and whether that is too long", async () => {
    const set = (setControl: string, verdict: string) => ({ setType: "837", setControl, verdict });
    const rows = await rowsOf(
      [
        sent(1, { hoursAgo: 2 }),
        sent(2, { hoursAgo: 30 }),
        sent(3, { hoursAgo: 30, acknowledge: true }),
        sent(4, { hoursAgo: 30, acknowledge: true }),
        transmissionAnswered("TA1", 4, 29, "REJECTED"),
        sent(5, { hoursAgo: 100 }),
        transmissionAnswered("999", 5, 99, "ACCEPTED", [set("0001", "ACCEPTED")]),
        sent(6, { hoursAgo: 100, interchange: 6, set: "0002" }),
        transmissionAnswered("999", 6, 99, "PARTIALLY_ACCEPTED", [set("0001", "ACCEPTED"), set("0002", "REJECTED")]),
        sent(7, { hoursAgo: 100 }),
        transmissionAnswered("999", 7, 99, "ACCEPTED"),
        claimAnswered(7, 50, "ACCEPTED"),
        sent(8, { hoursAgo: 100 }),
        claimAnswered(8, 50, "REJECTED"),
        // The numbers of 9 come again: the answer is the second's.
        sent(9, { hoursAgo: 1000 }),
        sent(10, { hoursAgo: 40, interchange: 9 }),
        transmissionAnswered("999", 9, 39, "ACCEPTED"),
      ],
      `SELECT right(claim_id::text, 2)::int AS claim, waiting_for, round(waiting_hours) AS hours, overdue, refused_by
       FROM projections.acknowledgment_ladder ORDER BY 1`,
    );
    const waits = (
      claim: number,
      waiting_for: string | null,
      hours: number | null,
      overdue: boolean,
      refused_by: string | null = null,
    ) => ({
      ...{ claim, waiting_for, overdue, refused_by },
      hours: hours === null ? null : String(hours),
    });
    expect(rows).toEqual([
      waits(1, "999", 2, false),
      waits(2, "999", 30, true),
      waits(3, "TA1", 30, true),
      waits(4, null, null, false, "TA1"),
      waits(5, "277CA", 99, true),
      waits(6, null, null, false, "999"),
      waits(7, "835", 50, false),
      waits(8, null, null, false, "277CA"),
      waits(9, "999", 1000, true),
      waits(10, "277CA", 39, false),
    ]);
    // Another installation's partners promise a 999 within two days, and a 277CA within one.
    const name = new URL(database.url).pathname.slice(1);
    await database.pool.query(`ALTER DATABASE ${name} SET tributary.patience_999 = '48'`);
    await database.pool.query(`ALTER DATABASE ${name} SET tributary.patience_277ca = '24'`);
    const later = openPool(database.url, { applicationName: "tributary spec", max: 1 });
    const { rows: others } = await later.query(
      "SELECT right(claim_id::text, 2)::int AS claim FROM projections.acknowledgment_ladder WHERE overdue ORDER BY 1",
    );
    await later.end();
    expect(others.map(({ claim }) => claim)).toEqual([3, 5, 9, 10]);
  });
});

describe("a batch that a 277CA turns away", () => {
  const refused = (number: number, hoursAgo: number, verdict = "REJECTED") =>
    transmissionAnswered("277CA", number, hoursAgo, verdict);
  const part = (number: number, hoursAgo: number) => ({ ...refused(number, hoursAgo), key: id("f", number) }) as Given;
  const given = [
    sent(1, { hoursAgo: 100 }),
    refused(1, 50),
    sent(2, { hoursAgo: 100 }),
    refused(2, 50, "ACCEPTED"),
    part(2, 40),
    sent(3, { hoursAgo: 100 }),
    refused(3, 50, "ACCEPTED"), // Which says nothing of the claims in it.
    // What is said of the claim itself has the word.
    sent(4, { hoursAgo: 100 }),
    refused(4, 50),
    claimAnswered(4, 40, "ACCEPTED"),
    sent(5, { hoursAgo: 100 }),
    claimAnswered(5, 40, "REJECTED"),
    // Sent anew, under the number of the batch before; and long before it was used again.
    sent(6, { hoursAgo: 100 }),
    sent(6, { hoursAgo: 30 }),
    refused(6, 20),
    sent(7, { hoursAgo: 2000 }),
    refused(7, 50),
  ];

  it("is refused on the ladder with all claims in it, or with those of a provider", async () => {
    const rows = await rowsOf(
      given,
      `SELECT right(claim_id::text, 2)::int AS claim, refused_by, claim_refused_with AS refused_with, claim_verdict AS verdict,
         waiting_for, latest FROM projections.acknowledgment_ladder ORDER BY 1, submitted_at`,
    );
    const row = (claim: number, refused_with: string | null, verdict: string | null, waiting_for: string | null) => {
      return { claim, refused_by: refused_with && "277CA", refused_with, verdict, waiting_for, latest: true };
    };
    expect(rows).toEqual([
      row(1, "batch", "rejected", null),
      row(2, "provider", "rejected", null),
      row(3, null, null, "999"),
      row(4, null, "accepted", "835"),
      row(5, "claim", "rejected", null),
      { ...row(6, null, null, null), latest: false },
      row(6, "batch", "rejected", null),
      row(7, null, null, "999"),
    ]);
    const open =
      "SELECT right(claim_id::text, 2)::int AS claim FROM projections.deadline_breaches WHERE open ORDER BY 1";
    expect((await database.pool.query(open)).rows.map(({ claim }) => claim)).toEqual([3, 7, 7, 7]);
  });
});

describe("what does not balance", () => {
  it("is listed by line, claim and transaction, in exact amounts", async () => {
    const payment = {
      type: "ClaimAdjudicated",
      key: id("c", 50),
      time: ago(1),
      fields: {
        remittanceId: id("e", 50),
        payerId: "PLAN1",
        traceNumber: "T50",
        occurrence: 1,
        statusCode: "1",
        chargeAmount: 10_010,
        paidAmount: 9_000,
        patientAmount: 0,
        adjustments: [
          { lineNumber: 1, group: "CO", reason: "45", amount: 1_000 },
          { group: "CO", reason: "94", amount: 5 },
        ],
        lines: [
          { lineNumber: 1, chargeAmount: 5_010, paidAmount: 4_000 },
          { lineNumber: 2, chargeAmount: 5_000, paidAmount: 5_000 },
        ],
        balanced: false,
        paidAt: ago(1),
        contentHash: "p",
      },
    } as unknown as Given;
    const remittance = {
      type: "RemittanceReceived",
      key: id("e", 50),
      time: ago(1),
      fields: {
        payerId: "PLAN1",
        traceNumber: "T50",
        paidAt: ago(1),
        paidAmount: 8_999,
        claimsAmount: 9_000,
        providerAdjustmentAmount: -10,
        claims: 1,
        balanced: false,
        difference: -11,
      },
    } as unknown as Given;
    const rows = await rowsOf(
      [payment, remittance],
      `SELECT level, line_number AS line, expected_amount::text AS expected, stated_amount::text AS stated, difference::text
       FROM projections.unbalanced_amounts ORDER BY level`,
    );
    expect(rows).toEqual([
      { level: "claim", line: null, expected: "90.05", stated: "90.00", difference: "-0.05" },
      { level: "line", line: 1, expected: "40.10", stated: "40.00", difference: "-0.10" },
      { level: "transaction", line: null, expected: "90.10", stated: "89.99", difference: "-0.11" },
    ]);
  });
});

const paid = (number: number, hoursAgo: number, paidAmount: number): Given =>
  ({
    type: "ClaimAdjudicated",
    key: id("c", number),
    time: ago(hoursAgo),
    fields: {
      remittanceId: id("e", number),
      payerId: "PLAN1",
      traceNumber: `T${number}`,
      paidAt: ago(hoursAgo),
      occurrence: 1,
      statusCode: paidAmount > 0 ? "1" : "4",
      chargeAmount: 10_000,
      paidAmount,
      patientAmount: 0,
      balanced: true,
      contentHash: `${number}/${hoursAgo}`,
    },
  }) as unknown as Given;

describe("deadline breaches", () => {
  it("lists what was acknowledged, decided or paid too late, or not yet, and nothing else", async () => {
    const day = 24;
    const rows = await rowsOf(
      [
        // In time.
        sent(1, { hoursAgo: 20 * day }),
        claimAnswered(1, 19 * day, "ACCEPTED"),
        paid(1, 5 * day, 9_000),
        // Acknowledged too late, decided in time.
        sent(2, { hoursAgo: 20 * day }),
        claimAnswered(2, 10 * day, "ACCEPTED"),
        paid(2, 5 * day, 9_000),
        // Denied too late: nothing is to be paid.
        sent(3, { hoursAgo: 60 * day }),
        claimAnswered(3, 59 * day, "ACCEPTED"),
        paid(3, 20 * day, 0),
        // Never answered.
        sent(4, { hoursAgo: 60 * day }),
        // Refused: nothing more is due.
        sent(5, { hoursAgo: 60 * day }),
        claimAnswered(5, 59 * day, "REJECTED"),
        // Sent anew after weeks without an answer, and answered then.
        sent(6, { hoursAgo: 60 * day }),
        sent(6, { hoursAgo: 2 * day }),
        claimAnswered(6, day, "ACCEPTED"),
      ],
      `SELECT right(claim_id::text, 2)::int AS claim, deadline, open, round(days_over) AS days
       FROM projections.deadline_breaches ORDER BY 1, due_at`,
    );
    const missed = (claim: number, deadline: string, open: boolean, days: number) => ({
      claim,
      deadline,
      open,
      days: String(days),
    });
    expect(rows).toEqual([
      missed(2, "acknowledged", false, 7),
      missed(3, "decided", false, 10),
      missed(4, "acknowledged", true, 57),
      missed(4, "decided", true, 30),
      missed(4, "paid", true, 15),
      missed(6, "acknowledged", true, 55),
      missed(6, "decided", true, 28),
      missed(6, "paid", true, 13),
    ]);
  });
});
