import { appendFileSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { TributaryError } from "../service/errors.js";
import { type DropFolder, type DropFolderOptions, startDropFolder, type TakenFile } from "./dropfolder.js";

let inbox: string;
let folder: DropFolder | undefined;
/** Names of the files that were tried, in order. */
let tried: string[];

beforeEach(() => {
  inbox = mkdtempSync(join(tmpdir(), "tributary-drop-spec-"));
  tried = [];
});
afterEach(async () => {
  await folder?.close();
  rmSync(inbox, { recursive: true, force: true });
});

const names = (of: string) => readdirSync(join(inbox, "north", of)).sort();
const until = (check: () => void) => vi.waitFor(check, { timeout: 5_000, interval: 10 });
const taken: TakenFile = { accepted: true, answers: [{ ending: ".ack", content: Buffer.from("AA") }] };

function start(take: DropFolderOptions["take"], interval = 10): Promise<DropFolder> {
  const logger = pino({ level: "silent" });
  return startDropFolder({ inbox, partners: ["north"], answers: [".ack"], logger, interval, retryAfter: 5, take });
}

/** Opens the folder with two files in it; `fail` says how the first fails. */
async function withFirst(fail: () => unknown): Promise<void> {
  folder = await start(async ({ name }) => {
    tried.push(name);
    const error = name === "a" ? fail() : undefined;
    if (error !== undefined) throw error;
    return taken;
  });
  for (const name of ["a", "b"]) writeFileSync(join(inbox, "north", "in", name), `bytes of ${name}`);
}

const problem = () => JSON.parse(readFileSync(join(inbox, "north", "failed", "a.problem.json"), "utf8"));

describe("a dropped file that fails", () => {
  it("for a final reason goes to failed/ with it, whole, and holds up none behind it", async () => {
    await withFirst(() => new TributaryError("TRIB_RECEPTION_BODY_TOO_LARGE"));
    await until(() => expect(names("done")).toEqual(["b", "b.ack"]));
    expect(names("failed")).toEqual(["a", "a.problem.json"]);
    expect(names("out")).toEqual(["a.problem.json", "b.ack"]);
    expect(problem()).toMatchObject({ code: "TRIB_RECEPTION_BODY_TOO_LARGE" });
    expect(readFileSync(join(inbox, "north", "failed", "a"), "utf8")).toBe("bytes of a");
    expect(tried).toEqual(["a", "b"]);
  });

  it("by an error nobody foresaw is tried again a few times, then goes there without a word of that error", async () => {
    await withFirst(() => new TypeError("Doe, Jane is no name"));
    await until(() => expect(names("done")).toEqual(["b", "b.ack"]));
    expect(tried).toEqual(["a", "a", "a", "b"]);
    expect(problem()).toMatchObject({ code: "TRIB_SERVICE_UNEXPECTED" });
    expect(readFileSync(join(inbox, "north", "failed", "a.problem.json"), "utf8")).not.toContain("Doe");
  });

  it.each([
    ["the log is away", () => new TributaryError("TRIB_INTAKE_UNAVAILABLE")],
    ["the disk is full", () => Object.assign(new Error("ENOSPC"), { errno: -28, code: "ENOSPC", syscall: "write" })],
  ])("since %s waits, however long, and is then answered", async (_, fail) => {
    let away = true;
    await withFirst(() => (away ? fail() : undefined));
    await until(() => expect(tried.length).toBeGreaterThan(10));
    expect([names("working"), names("failed"), names("out")]).toEqual([["a"], [], []]);
    away = false;
    await until(() => expect(names("done")).toEqual(["a", "a.ack", "b", "b.ack"]));
  });

  it("and was taken away meanwhile is let go", async () => {
    await withFirst(() => new TributaryError("TRIB_INTAKE_UNAVAILABLE"));
    await until(() => expect(names("working")).toEqual(["a"]));
    rmSync(join(inbox, "north", "working", "a"));
    await until(() => expect(names("done")).toEqual(["b", "b.ack"]));
  });
});

describe("a file that arrives", () => {
  it.runIf(process.platform === "linux")("whole is taken at once, without waiting for it to stand still", async () => {
    folder = await start(async () => taken, 60_000);
    for (const name of ["a", "b"]) {
      writeFileSync(join(inbox, name), "bytes");
      renameSync(join(inbox, name), join(inbox, "north", "in", name));
    }
    await until(() => expect(names("done")).toEqual(["a", "a.ack", "b", "b.ack"]));
  });

  it("piece by piece is left alone until it stands still", async () => {
    const sizes: number[] = [];
    folder = await start(async ({ size }) => {
      sizes.push(size);
      return taken;
    }, 400);
    const path = join(inbox, "north", "in", "a");
    for (const piece of ["", "one", "two", "three"]) {
      appendFileSync(path, piece);
      await wait(200);
      expect(sizes).toEqual([]);
    }
    await until(() => expect(sizes).toEqual(["onetwothree".length]));
  });

  it("from a sender that pauses, and goes on while it is in hand, is taken anew and answered once, for all of it", async () => {
    const sizes: number[] = [];
    folder = await start(async ({ size, path }) => {
      sizes.push(size);
      if (sizes.length === 1) appendFileSync(path, " and the rest");
      return { accepted: true, answers: [{ ending: ".ack", content: Buffer.from(readFileSync(path)) }] };
    });
    writeFileSync(join(inbox, "north", "in", "a"), "the head");
    await until(() => expect(names("done")).toEqual(["a", "a.ack"]));
    expect(sizes).toEqual([8, 21]);
    expect(readFileSync(join(inbox, "north", "out", "a.ack"), "utf8")).toBe("the head and the rest");
  });
});
