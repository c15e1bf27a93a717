import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { bufferSource } from "../../engine/reception/byte-source.js";
import type { DropFolder } from "../../engine/reception/dropfolder.js";
import { startDroppedFiles } from "./dropped-files.js";
import { receive } from "./reception.js";
import { deskOf, type TestDesk, take } from "./testing/desk.js";
import { claim, claims837, heading837, interchange, subscriber } from "./testing/interchange.js";

const claimsOf = (control: string) => interchange([claims837(...heading837, ...subscriber, ...claim)], { control });
let inbox: string;
let desk: TestDesk;
let folder: DropFolder | undefined;

beforeEach(() => {
  inbox = mkdtempSync(join(tmpdir(), "tributary-x12-spec-"));
  desk = deskOf();
});
afterEach(async () => {
  await folder?.close();
  rmSync(inbox, { recursive: true, force: true });
});

const path = (...parts: string[]) => join(inbox, "generic", ...parts);
const names = (of: string) => readdirSync(path(of)).sort();
const start = async () => {
  folder = await startDroppedFiles(desk, { inbox, logger: pino({ level: "silent" }), interval: 10, retryAfter: 10 });
};
const drop = (name: string, bytes: Buffer) => writeFileSync(path("in", name), bytes);
const until = (check: () => void) => vi.waitFor(check, { timeout: 5000, interval: 10 });

describe("a drop folder", () => {
  it("answers a good file beside it in done/, a rejected one in failed/", async () => {
    await start();
    drop("a.837", claimsOf("000000001"));
    await until(() => expect(names("done")).toEqual(["a.837", "a.837.999"]));
    expect(readFileSync(path("done", "a.837.999"), "latin1")).toContain("IK5*A~");
    expect(names("out")).toEqual(["a.837.999"]);
    drop("b.837", claimsOf("000000001"));
    await until(() => expect(names("failed")).toEqual(["b.837", "b.837.999"]));
    expect(readFileSync(path("failed", "b.837.999"), "latin1")).toContain("*R*025~");
    expect(names("working")).toEqual([]);
  });

  it("says why it can't read a file", async () => {
    await start();
    drop("c.txt", Buffer.from("hello"));
    await until(() => expect(names("failed")).toEqual(["c.txt", "c.txt.problem.json"]));
    expect(readFileSync(path("failed", "c.txt.problem.json"), "utf8")).toContain("X12_NOT_AN_INTERCHANGE");
  });

  it("overwrites nothing when a name comes again", async () => {
    await start();
    drop("a.837", claimsOf("000000001"));
    await until(() => expect(names("done")).toHaveLength(2));
    drop("a.837", claimsOf("000000002"));
    await until(() => expect(names("done")).toEqual(["a.837", "a.837.1", "a.837.1.999", "a.837.999"]));
    expect(readFileSync(path("done", "a.837")).equals(claimsOf("000000001"))).toBe(true);
  });

  it("leaves files alone that are still being written", async () => {
    await start();
    for (const name of [".a.837", "a.837.tmp", "a.837.part"]) drop(name, claimsOf("000000001"));
    drop("z.837", claimsOf("000000002"));
    await until(() => expect(names("done")).toEqual(["z.837", "z.837.999"]));
    expect(names("in")).toEqual([".a.837", "a.837.part", "a.837.tmp"]);
  });

  it("keeps a file without an answer while nothing can be made durable, then answers as ever", async () => {
    desk.intake.failAfter = 0;
    await start();
    drop("a.837", claimsOf("000000001"));
    await until(() => expect(names("working")).toEqual(["a.837"]));
    expect([names("out"), names("done"), names("failed")]).toEqual([[], [], []]);
    desk.intake.failAfter = null;
    await until(() => expect(names("done")).toEqual(["a.837", "a.837.999"]));
    expect(desk.intake.published).toHaveLength(1);
  });

  it("answers a file that a killed process left in working/ as the first should have, and publishes it once", async () => {
    await receive(bufferSource(claimsOf("000000001")), "generic", desk);
    mkdirSync(path("working"), { recursive: true });
    writeFileSync(path("working", "a.837"), claimsOf("000000001"));
    await start();
    await until(() => expect(names("done")).toEqual(["a.837", "a.837.999"]));
    expect(readFileSync(path("done", "a.837.999"), "latin1")).toContain("IK5*A~");
    expect(desk.intake.published).toHaveLength(1);
  });

  it("knows a duplicate among the files that a killed process left in working/", async () => {
    await take(claimsOf("000000001"), desk);
    mkdirSync(path("working"), { recursive: true });
    writeFileSync(path("working", "again.837"), claimsOf("000000001"));
    await start();
    await until(() => expect(names("failed")).toEqual(["again.837", "again.837.999"]));
    expect(readFileSync(path("failed", "again.837.999"), "latin1")).toContain("*R*025~");
  });

  it.each([
    ["and had journalled that it did", true],
    ["and could not journal that it did", false],
  ])("moves a file that a killed process had answered, %s, and leaves the answer as it was given", async (_, noted) => {
    if (noted) await take(claimsOf("000000001"), desk);
    for (const folder of ["working", "done"]) mkdirSync(path(folder), { recursive: true });
    writeFileSync(path("working", "a.837"), claimsOf("000000001"));
    writeFileSync(path("done", "a.837.999"), "as given");
    await start();
    await until(() => expect(names("done")).toEqual(["a.837", "a.837.999"]));
    expect(readFileSync(path("done", "a.837.999"), "latin1")).toBe("as given");
    drop("b.837", claimsOf("000000001"));
    await until(() => expect(names("failed")).toEqual(["b.837", "b.837.999"]));
  });

  it("leaves no moment in which a file is moved and its answer not journalled", async () => {
    const moved: string[][] = [];
    const submit = desk.intake.submit.bind(desk.intake);
    desk.intake.submit = (units) => {
      moved.push(names("done").filter((name) => !name.endsWith(".999")));
      return submit(units);
    };
    await start();
    drop("a.837", claimsOf("000000001"));
    await until(() => expect(names("done")).toEqual(["a.837", "a.837.999"]));
    expect(moved).toEqual([[], []]);
  });
});
