import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { DropFolder } from "../../engine/reception/dropfolder.js";
import { TributaryError } from "../../engine/service/errors.js";
import { type RecordingIntake, recordingIntake } from "../../engine/testing/recording-intake.js";
import { startDroppedFiles } from "./dropped-files.js";
import { lines, profileOf } from "./testing/rows.js";

let inbox: string;
let intake: RecordingIntake;
let folder: DropFolder | undefined;

beforeEach(() => {
  inbox = mkdtempSync(join(tmpdir(), "tributary-csv-spec-"));
  intake = recordingIntake();
});
afterEach(async () => {
  await folder?.close();
  rmSync(inbox, { recursive: true, force: true });
});

const path = (...parts: string[]) => join(inbox, "lake", ...parts);
const names = (of: string) => readdirSync(path(of)).sort();
const text = (...parts: string[]) => readFileSync(path(...parts), "utf8");
const until = (check: () => void) => vi.waitFor(check, { timeout: 5000, interval: 10 });
const good = lines("patient_id,birth_date", "P1,1984-02-29");

async function start(): Promise<void> {
  const desk = { intake, profiles: new Map([["lake", profileOf({})]]), now: Date.now };
  folder = await startDroppedFiles(desk, { inbox, logger: pino({ level: "silent" }), interval: 10, retryAfter: 10 });
}

describe("dropped files", () => {
  it("get their verdicts beside them, and their bad rows with line, column and reason", async () => {
    await start();
    writeFileSync(path("in", "a.csv"), good);
    writeFileSync(path("in", "b.csv"), lines("patient_id,birth_date", "P1,1984-02-29", "P2,1984-02-30"));
    await until(() => expect(names("failed")).toEqual(["b.csv", "b.csv.rejected.csv", "b.csv.verdicts.ndjson"]));
    expect(names("done")).toEqual(["a.csv", "a.csv.verdicts.ndjson"]);
    expect(
      text("done", "a.csv.verdicts.ndjson")
        .split("\n")
        .map((line) => line && JSON.parse(line)),
    ).toEqual([
      { line: 2, controlId: "P1", accepted: true },
      { rows: 1, accepted: 1, rejected: 0, duplicates: 0, blank: 0, totals: [] },
      "",
    ]);
    expect(text("failed", "b.csv.rejected.csv")).toBe(
      'line,column,code,row\r\n3,birth_date,CSV_DATE,"P2,1984-02-30"\r\n',
    );
    expect(names("out")).toEqual(["a.csv.verdicts.ndjson", "b.csv.rejected.csv", "b.csv.verdicts.ndjson"]);
    expect(names("working")).toEqual([]);
  });

  it("wait without an answer while nothing can be made durable", async () => {
    intake.beforeSubmit = () => Promise.reject(new TributaryError("TRIB_INTAKE_UNAVAILABLE"));
    await start();
    writeFileSync(path("in", "a.csv"), good);
    await until(() => expect(names("working")).toEqual(["a.csv"]));
    expect([names("out"), names("done"), names("failed")]).toEqual([[], [], []]);
    intake.beforeSubmit = async () => {};
    await until(() => expect(names("done")).toEqual(["a.csv", "a.csv.verdicts.ndjson"]));
  });

  it("that a killed process left are answered as the first sending should have been", async () => {
    mkdirSync(path("working"), { recursive: true });
    mkdirSync(path("failed"), { recursive: true });
    writeFileSync(path("working", "a.csv"), lines("patient_id", "P1", "P2,"));
    // Killed between the file of bad rows and the answer.
    writeFileSync(path("failed", "a.csv.rejected.csv"), "as far as it came");
    await start();
    await until(() => expect(names("failed")).toEqual(["a.csv", "a.csv.rejected.csv", "a.csv.verdicts.ndjson"]));
    expect(text("failed", "a.csv.rejected.csv")).toContain("3,,CSV_ROW_WIDTH");
  });
});
