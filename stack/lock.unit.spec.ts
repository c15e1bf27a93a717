import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { processIdentity } from "../engine/service/identity.js";
import { withLock } from "./lock.js";

const folder = mkdtempSync(join(tmpdir(), "tributary-lock-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("withLock", () => {
  it("lets one at a time do its work", async () => {
    const path = join(folder, "one");
    let inside = 0;
    let most = 0;
    const work = async () => {
      inside += 1;
      most = Math.max(most, inside);
      await new Promise((resolve) => setImmediate(resolve));
      inside -= 1;
    };
    await Promise.all(Array.from({ length: 5 }, () => withLock(path, work)));
    expect(most).toBe(1);
    expect(existsSync(path)).toBe(false);
  });

  it("is released when the work fails", async () => {
    const path = join(folder, "failing");
    await expect(withLock(path, async () => Promise.reject(new Error("broken")))).rejects.toThrow("broken");
    await expect(withLock(path, async () => "again")).resolves.toBe("again");
  });

  it("takes over the lock of an ended process, also when many try at once", async () => {
    const path = join(folder, "dead");
    const ended = spawnSync(process.execPath, ["-e", ""]).pid;
    writeFileSync(path, `${ended} 1 some-boot/123\n`);
    let inside = 0;
    let most = 0;
    const work = async () => {
      inside += 1;
      most = Math.max(most, inside);
      await new Promise((resolve) => setImmediate(resolve));
      inside -= 1;
    };
    await Promise.all(Array.from({ length: 5 }, () => withLock(path, work, { patience: 5000 })));
    expect(most).toBe(1);
  });

  it("takes over the lock of an ended process whose id another process has by now", async () => {
    const path = join(folder, "recycled");
    writeFileSync(path, `${process.pid} 1 some-boot/123\n`);
    await expect(withLock(path, async () => "mine", { patience: 0 })).resolves.toBe("mine");
  });

  it("takes over a lock that says nothing", async () => {
    const path = join(folder, "empty");
    writeFileSync(path, "");
    await expect(withLock(path, async () => "mine", { patience: 0 })).resolves.toBe("mine");
  });

  it("names the live process that keeps it", async () => {
    const path = join(folder, "live");
    writeFileSync(path, `${process.pid} 1 ${processIdentity()}\n`);
    const waited: number[] = [];
    const attempt = withLock(path, async () => "mine", { patience: 0, onWait: (pid) => waited.push(pid) });
    await expect(attempt).rejects.toMatchObject({ code: "TRIB_STACK_LOCKED", facts: { pid: process.pid } });
    expect(waited).toEqual([process.pid]);
    expect(existsSync(path)).toBe(true);
  });
});
