import { setTimeout as pause } from "node:timers/promises";
import type { Pool } from "../../engine/store/pool.js";

/** What a partner that does nothing wrong sees of a connector. */
export interface NeighbourFigures {
  /** Milliseconds from the moment a unit was due to its answer. */
  readonly answers: Float64Array;
  /** Milliseconds from the answer to the row an analyst sees, of every tenth unit. */
  readonly rows: Float64Array;
  /** Answers that were another than accepted. */
  readonly wrong: readonly string[];
}

export interface NeighbourOptions {
  readonly url: string;
  readonly pool: Pool;
  /** Id of the patient whose number is given. */
  readonly patientOf: (number: string) => string;
  /** Units a second. */
  readonly rate: number;
  readonly milliseconds: number;
  /** Tells its units from those of other stretches. */
  readonly run: string;
}

const sampled = 10;
const longestRow = 120_000;

function unitOf(id: string): string {
  return JSON.stringify({
    specversion: "1.0",
    id,
    source: "https://neighbour.example/registry",
    type: "health.patient.PatientRegistered",
    time: "2026-03-01T09:30:00Z",
    datacontenttype: "application/json",
    data: {
      identifiers: [{ authority: neighbourAuthority, type: "MR", value: id }],
      sex: "F",
      birthYear: 1984,
      details: { familyName: "Okafor", givenNames: ["Ada"] },
    },
  });
}

/** Sends at a steady rate, whatever the answers do, and measures. Resolves when every sampled row is there. */
export async function neighbour({
  url,
  pool,
  patientOf,
  rate,
  milliseconds,
  run,
}: NeighbourOptions): Promise<NeighbourFigures> {
  const count = Math.floor((milliseconds / 1000) * rate);
  const answers: number[] = [];
  const rows: number[] = [];
  const wrong: string[] = [];
  const waiting: Promise<void>[] = [];
  const began = performance.now();
  for (let at = 0; at < count; at++) {
    const due = began + (at * 1000) / rate;
    if (due > performance.now()) await pause(due - performance.now());
    const id = `${run}-${at}`;
    const one = async () => {
      const response = await fetch(url, {
        method: "POST",
        headers: { "content-type": "application/cloudevents+json" },
        body: unitOf(id),
      });
      const body = await response.text();
      const answeredAt = performance.now();
      answers.push(answeredAt - due);
      if (response.status !== 200) wrong.push(`${response.status} ${body.slice(0, 200)}`);
      else if (at % sampled === 0) rows.push((await rowOf(pool, patientOf(id))) - answeredAt);
    };
    waiting.push(one());
  }
  await Promise.all(waiting);
  return { answers: Float64Array.from(answers), rows: Float64Array.from(rows), wrong };
}

/** The authority whose numbers its patients have. */
export const neighbourAuthority = "NEIGHBOUR";

/** Waits for the row. @returns when it was seen. */
async function rowOf(pool: Pool, patient: string): Promise<number> {
  for (const until = performance.now() + longestRow; ; await pause(5)) {
    const { rows } = await pool.query("SELECT FROM projections.patients WHERE patient_id = $1", [patient]);
    if (rows.length > 0) return performance.now();
    if (performance.now() > until) throw new Error(`no row of ${patient} within ${longestRow / 1000} s`);
  }
}
