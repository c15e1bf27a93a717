import { describe, expect, it } from "vitest";
import { Lane, type LaneBatch } from "./lane.js";
import type { IncomingRecord, LaneContext, Ownership } from "./log.js";

/** A lane with everything around it scripted. */
class Bench {
  readonly log: string[] = [];
  readonly contexts: LaneContext[] = [];
  low = 0;
  high = 1_000;
  start = 0;
  /** Offsets of the log that hold no record. */
  readonly empty = new Set<number>();
  work: (records: readonly IncomingRecord[], context: LaneContext) => Promise<void> = async () => undefined;
  readonly lane = new Lane(
    { topic: "t", partition: 0 },
    {
      open: async () => {
        this.log.push("open");
        return this.start;
      },
      batch: async (records, context) => {
        this.log.push(`batch ${records.map(({ offset }) => offset).join(",")}`);
        this.contexts.push(context);
        await this.work(records, context);
      },
      close: async () => {
        this.log.push("close");
      },
    },
    {
      seek: (offset) => this.log.push(`seek ${offset}`),
      resume: () => this.log.push("resume"),
      assertReadable: async (offset) => {
        if (offset < this.low || offset > this.high) throw new Error(`not readable: ${offset}`);
      },
      holdsRecords: async (from, to) => {
        for (let offset = from; offset < to; offset++) if (!this.empty.has(offset)) return true;
        return false;
      },
    },
  );
}

function batch(fetchedFrom: number, offsets: readonly number[], lastOffset = offsets.at(-1) ?? fetchedFrom): LaneBatch {
  return {
    fetchedFrom,
    lastOffset,
    highWatermark: 100,
    records: offsets.map((offset) => ({ offset, timestamp: 0, key: "", value: null, headers: {} })),
    heartbeat: async () => undefined,
  };
}

const none = Promise.resolve();

/** Everything that can happen without waiting has happened. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function laneBefore() {
  let release = (): void => undefined;
  const previous = new Promise<void>((resolve) => {
    release = resolve;
  });
  return { previous, release: () => release() };
}

describe("lane", () => {
  it("seeks and resumes when its handler is open, then takes batches in turn", async () => {
    const { lane, log } = Object.assign(new Bench(), { start: 5 });
    await lane.open(none);
    await lane.batch(batch(5, [5, 6]));
    await lane.batch(batch(7, [7]));
    expect(log).toEqual(["open", "seek 5", "resume", "batch 5,6", "batch 7"]);
    expect(lane.expected).toBe(8);
  });

  it("discards what arrives before it is open", async () => {
    const bench = new Bench();
    await bench.lane.batch(batch(0, [0]));
    expect(bench.log).toEqual([]);
  });

  it("opens only after the lane before it is closed", async () => {
    const bench = new Bench();
    const { previous, release } = laneBefore();
    const opening = bench.lane.open(previous);
    await turn();
    expect(bench.log).toEqual([]);
    release();
    await opening;
    expect(bench.log).toEqual(["open", "seek 0", "resume"]);
  });

  it("doesn't open when it was lost before", async () => {
    const bench = new Bench();
    const { previous, release } = laneBefore();
    const opening = bench.lane.open(previous);
    await turn();
    const closed = bench.lane.lose();
    release();
    await Promise.all([opening, closed]);
    expect(bench.log).toEqual(["close"]);
  });

  it("takes it for no failure that an opening ends with an error after the lane was lost, for one before", async () => {
    for (const isLost of [true, false]) {
      let told: boolean | undefined;
      let fail: (error: Error) => void = () => undefined;
      const handler = {
        open: async (ownership?: Ownership) => {
          await new Promise((_, reject) => {
            fail = reject;
          }).finally(() => {
            told = ownership?.isOwned();
          });
          return 0;
        },
        batch: async () => undefined,
        close: async () => undefined,
      };
      const reading = {
        seek: () => undefined,
        resume: () => undefined,
        assertReadable: async () => undefined,
        holdsRecords: async () => false,
      };
      const lane = new Lane({ topic: "t", partition: 0 }, handler, reading);
      const opening = lane.open(none);
      await turn();
      const closed = isLost ? lane.lose() : none;
      fail(new Error("away"));
      if (isLost) await opening;
      else await expect(opening).rejects.toThrow("away");
      await closed;
      expect(told).toBe(!isLost);
    }
  });

  it("takes an error of a batch for a failure only while it has the partition", async () => {
    const bench = new Bench();
    await bench.lane.open(none);
    bench.work = async () => {
      throw new Error("away");
    };
    await expect(bench.lane.batch(batch(0, [0]))).rejects.toThrow("away");
    let closed: Promise<void> | undefined;
    bench.work = async () => {
      closed = bench.lane.lose();
      throw new Error("away");
    };
    await bench.lane.batch(batch(0, [0]));
    await closed;
    expect(bench.log.at(-1)).toBe("close");
  });

  it("refuses to open at an offset that isn't there", async () => {
    const bench = Object.assign(new Bench(), { start: 5, low: 6 });
    await expect(bench.lane.open(none)).rejects.toThrow("not readable: 5");
    expect(bench.log).toEqual(["open"]);
  });

  it("refuses when the library moved away because the records wanted are gone", async () => {
    const bench = Object.assign(new Bench(), { start: 5 });
    await bench.lane.open(none);
    bench.low = 20;
    await expect(bench.lane.batch(batch(20, [20]))).rejects.toThrow("not readable: 5");
    expect(bench.log).not.toContain("batch 20");
  });

  it("refuses when the log became shorter than what was read", async () => {
    const bench = Object.assign(new Bench(), { start: 50 });
    await bench.lane.open(none);
    bench.high = 3;
    await expect(bench.lane.batch(batch(0, [0, 1, 2]))).rejects.toThrow("not readable: 50");
  });

  it("goes back to its place when the library moved behind it or beyond records, and over a gap that the broker left", async () => {
    const bench = Object.assign(new Bench(), { start: 10 });
    await bench.lane.open(none);
    await bench.lane.batch(batch(0, [0, 1]));
    expect(bench.log.at(-1)).toBe("seek 10");
    bench.log.length = 0;
    bench.empty.add(10);
    await bench.lane.batch(batch(12, [12]));
    expect(bench.log).toEqual(["seek 10"]);
    expect(bench.lane.expected).toBe(10);
    bench.empty.add(11);
    await bench.lane.batch(batch(12, [12]));
    expect(bench.log.at(-1)).toBe("batch 12");
    expect(bench.lane.expected).toBe(13);
  });

  it("counts the broker's own records at the end of a batch as read", async () => {
    const bench = new Bench();
    await bench.lane.open(none);
    await bench.lane.batch(batch(0, [0, 1], 2));
    expect(bench.lane.expected).toBe(3);
  });

  it("tells its handler when it is lost, waits for it, and closes once", async () => {
    const bench = new Bench();
    await bench.lane.open(none);
    let finish = (): void => undefined;
    bench.work = () =>
      new Promise((resolve) => {
        finish = resolve;
      });
    const handling = bench.lane.batch(batch(0, [0]));
    await turn();
    expect(bench.contexts[0]?.isOwned()).toBe(true);
    expect(bench.lane.busyMilliseconds()).toBeGreaterThanOrEqual(0);
    const closed = bench.lane.lose();
    expect(bench.contexts[0]?.isOwned()).toBe(false);
    expect(bench.log).not.toContain("close");
    finish();
    await Promise.all([handling, closed, bench.lane.lose()]);
    expect(bench.log.filter((each) => each === "close")).toHaveLength(1);
    await bench.lane.batch(batch(1, [1]));
    expect(bench.log).not.toContain("batch 1");
    expect(bench.lane.busyMilliseconds()).toBeUndefined();
  });

  it("reads on from where its handler seeks", async () => {
    const bench = new Bench();
    await bench.lane.open(none);
    bench.work = async (_, context) => context.seek(3);
    await bench.lane.batch(batch(0, [0]));
    expect(bench.log.at(-1)).toBe("seek 3");
    expect(bench.lane.expected).toBe(3);
  });
});
