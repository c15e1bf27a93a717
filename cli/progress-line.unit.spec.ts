import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { IncomingRecord, Log } from "../engine/log/log.js";
import { ProgressLine } from "./progress-line.js";
import { watchedLog } from "./watched-log.js";

let told: string[];
const isTerminal = process.stderr.isTTY;
beforeEach(() => {
  told = [];
  vi.useFakeTimers({ toFake: ["performance"] });
  vi.spyOn(process.stderr, "write").mockImplementation((text) => told.push(String(text)) > 0);
});
afterEach(() => {
  process.stderr.isTTY = isTerminal;
  vi.useRealTimers();
  vi.restoreAllMocks();
});

describe("what long work is at", () => {
  it("is told every few seconds where no terminal is, and not at all of what is quick or for a program", () => {
    process.stderr.isTTY = false;
    const line = new ProgressLine(true, "records");
    line.tell("read", 10, 1_000);
    vi.advanceTimersByTime(4_000);
    line.tell("read", 400, 1_000);
    expect(told).toEqual([]);
    vi.advanceTimersByTime(1_000);
    line.tell("read", 510, 1_000);
    line.tell("read", 1_000, 1_000);
    line.end();
    expect(told).toEqual(["read  51 %  510 of 1000 records, 100 records/s, 5 s left\n"]);
    const silent = new ProgressLine(false);
    vi.advanceTimersByTime(60_000);
    silent.tell("read", 10, 1_000);
    expect(told).toHaveLength(1);
  });

  it("is one line that changes in a terminal, a new one for each step", () => {
    process.stderr.isTTY = true;
    const line = new ProgressLine(true);
    line.tell("read", 0, 10);
    line.tell("read", 1, 10);
    vi.advanceTimersByTime(200);
    line.tell("read", 2, 10);
    line.tell("compare");
    line.end();
    line.end();
    const clear = "\r\u001b[K";
    expect(told).toEqual([
      `${clear}read  0 %  0 of 10 events, 0 events/s`,
      `${clear}read  20 %  2 of 10 events, 10 events/s, 1 s left`,
      "\n",
      `${clear}compare`,
      "\n",
    ]);
  });

  it("is heard of long reads of the log, whose records are what they were", async () => {
    const records = Array.from({ length: 2_500 }, (_, offset) => ({ offset }) as IncomingRecord);
    const log: Pick<Log, "read"> = {
      async *read(_topic, _partition, from, to) {
        for (let at = from; at < to; at += 1_000) yield records.slice(at, Math.min(to, at + 1_000));
      },
    };
    const heard: unknown[] = [];
    const watched = watchedLog(log, (...one) => heard.push(one));
    const read: IncomingRecord[] = [];
    for await (const piece of watched.read("t", 3, 0, 2_500)) read.push(...piece);
    for await (const _ of watched.read("t", 3, 7, 8));
    expect(read).toEqual(records);
    expect(heard).toEqual([
      ["read t/3", 1_000, 2_500],
      ["read t/3", 2_000, 2_500],
      ["read t/3", 2_500, 2_500],
    ]);
  });
});
