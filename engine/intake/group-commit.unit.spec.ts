import { describe, expect, it, vi } from "vitest";
import { GroupCommit, type GroupCommitOptions } from "./group-commit.js";

/** Commits are let through one by one. */
function group(options: Partial<GroupCommitOptions<string, string, string>> = {}) {
  const batches: (readonly string[])[] = [];
  const gates: { open: () => void; fail: (error: Error) => void }[] = [];
  const commits = new GroupCommit<string, string, string>({
    prepare: async (items) => items.map((item) => ({ written: item, result: item.toUpperCase() })),
    commit: (items) => {
      batches.push(items);
      return new Promise<void>((resolve, reject) => {
        gates.push({ open: resolve, fail: reject });
      });
    },
    sizeOf: () => 1,
    batchBytes: 100,
    batchItems: 100,
    waitingBytes: 1_000,
    timeLimit: 5_000,
    unavailable: (cause) => new Error("unavailable", { cause }),
    ...options,
  });
  const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
  return {
    commits,
    batches,
    async pass() {
      await turn();
      gates.shift()?.open();
      await turn();
    },
    async fail() {
      await turn();
      gates.shift()?.fail(new Error("down"));
      await turn();
    },
  };
}

describe("group commit", () => {
  it("writes together what waits while the write before is under way, in order", async () => {
    const { commits, batches, pass } = group();
    const first = commits.submit(["a"]);
    await new Promise<void>((resolve) => setImmediate(resolve));
    const rest = [commits.submit(["b", "c"]), commits.submit(["d"])];
    await pass();
    expect(await first).toEqual(["A"]);
    await pass();
    expect(await Promise.all(rest)).toEqual([["B", "C"], ["D"]]);
    expect(batches).toEqual([["a"], ["b", "c", "d"]]);
  });

  it("spreads a large call over commits and answers when all of it is written", async () => {
    const { commits, batches, pass } = group({ batchItems: 2 });
    let answered = false;
    const large = commits.submit(["a", "b", "c"]).finally(() => {
      answered = true;
    });
    await pass();
    expect(answered).toBe(false);
    await pass();
    expect(await large).toEqual(["A", "B", "C"]);
    expect(batches).toEqual([["a", "b"], ["c"]]);
  });

  it("rejects a failed commit's calls with all that wait behind them, and goes on afterwards", async () => {
    const { commits, batches, pass, fail } = group({ batchItems: 1 });
    const outcome = (call: Promise<unknown>) =>
      call.then(
        () => "written",
        (error: Error) => error.message,
      );
    const calls = [outcome(commits.submit(["a"])), outcome(commits.submit(["b"])), outcome(commits.submit(["c"]))];
    await fail();
    expect(await Promise.all(calls)).toEqual(["unavailable", "unavailable", "unavailable"]);
    const next = commits.submit(["d"]);
    await pass();
    expect(await next).toEqual(["D"]);
    // What was given up was never written behind the back of its sender.
    expect(batches).toEqual([["a"], ["d"]]);
  });

  it("makes ready what waits while the write before is under way, and writes nothing of it when that fails", async () => {
    const prepared: string[] = [];
    const { commits, batches, pass, fail } = group({
      stretch: 1,
      prepare: async (items) => {
        prepared.push(...items);
        return items.map((item) => ({ written: item, result: item }));
      },
    });
    const first = Promise.allSettled([commits.submit(["a"])]);
    await new Promise<void>((resolve) => setImmediate(resolve));
    const behind = Promise.allSettled([commits.submit(["b"]), commits.submit(["c"])]);
    await expect.poll(() => prepared).toEqual(["a", "b", "c"]);
    await fail();
    expect((await first)[0]?.status).toBe("rejected");
    expect((await behind).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    const next = commits.submit(["d"]);
    await pass();
    expect(await next).toEqual(["d"]);
    expect(batches).toEqual([["a"], ["d"]]);
  });

  it("rejects what can't be made ready with all that waits behind it; what was ready before is written", async () => {
    let down = false;
    const { commits, batches, pass } = group({
      stretch: 1,
      prepare: async (items) => {
        if (down) throw new Error("no keys");
        return items.map((item) => ({ written: item, result: item }));
      },
    });
    const first = commits.submit(["a"]);
    await new Promise<void>((resolve) => setImmediate(resolve));
    down = true;
    const behind = Promise.allSettled([commits.submit(["b"]), commits.submit(["c"])]);
    expect((await behind).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    await pass();
    expect(await first).toEqual(["a"]);
    expect(batches).toEqual([["a"]]);
  });

  it("gives up what waits behind a write that never ends", async () => {
    const { commits } = group({ timeLimit: 30 });
    await expect(Promise.all([commits.submit(["a"]), commits.submit(["b"])])).rejects.toThrow("unavailable");
  });

  it("an error on one item rejects its call alone", async () => {
    const commits = new GroupCommit<string, string, string>({
      prepare: async (items) =>
        items.map((item) =>
          item === "bad" ? { written: undefined, result: new Error("bad item") } : { written: item, result: item },
        ),
      commit: async () => {},
      sizeOf: () => 1,
      batchBytes: 10,
      batchItems: 10,
      waitingBytes: 10,
      timeLimit: 1_000,
      unavailable: () => new Error("unavailable"),
    });
    const [good, bad] = await Promise.allSettled([commits.submit(["a"]), commits.submit(["bad"])]);
    expect([good?.status, bad?.status]).toEqual(["fulfilled", "rejected"]);
  });

  it("bounds what waits, yet takes a call that alone is larger", async () => {
    const { commits, pass } = group({ waitingBytes: 2 });
    const large = commits.submit(["a", "b", "c", "d"]);
    await expect(commits.submit(["e"])).rejects.toThrow("unavailable");
    await pass();
    expect(await large).toHaveLength(4);
    const next = commits.submit(["f"]);
    await pass();
    expect(await next).toEqual(["F"]);
  });

  it("never writes what was given up while it was being made ready", async () => {
    let ready = () => {};
    const { commits, batches, pass } = group({
      timeLimit: 250,
      prepare: async (items) => {
        if (items.includes("a")) await new Promise<void>((resolve) => (ready = resolve));
        return items.map((item) => ({ written: item, result: item }));
      },
    });
    await expect(commits.submit(["a"])).rejects.toThrow("unavailable");
    const next = commits.submit(["b"]);
    ready();
    await vi.waitFor(() => expect(batches).toEqual([["b"]]), { interval: 5 });
    await pass();
    expect(await next).toEqual(["b"]);
  });
});
