import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ensureFolder, isComplete } from "./downloads.js";

let cache: string;
let target: string;
beforeEach(() => {
  cache = mkdtempSync(join(tmpdir(), "tributary-cache-"));
  target = join(cache, "kafka");
});
afterEach(() => rmSync(cache, { recursive: true, force: true }));

const fill = async (draft: string) => {
  mkdirSync(join(draft, "lib"));
  writeFileSync(join(draft, "lib", "kafka.jar"), "0123456789");
};

describe("ensureFolder", () => {
  it("fills a folder once", async () => {
    expect(await ensureFolder(target, fill)).toBe(true);
    expect(await ensureFolder(target, () => expect.fail("filled twice"))).toBe(false);
    expect(readFileSync(join(target, "lib", "kafka.jar"), "utf8")).toBe("0123456789");
  });

  it("does not take a failed or killed download for whole", async () => {
    await expect(
      ensureFolder(target, async (draft) => {
        await fill(draft);
        throw new Error("connection lost");
      }),
    ).rejects.toThrow("connection lost");
    expect(existsSync(target)).toBe(false);
    // What the failed one left, as a killed one would, is in the way of nothing and gets into nothing.
    writeFileSync(join(`${target}.partial`, "half.jar"), "01");
    expect(await ensureFolder(target, fill)).toBe(true);
    expect(existsSync(join(target, "half.jar"))).toBe(false);
  });

  it("fills a folder anew that has lost a file or a part of one", async () => {
    await ensureFolder(target, fill);
    truncateSync(join(target, "lib", "kafka.jar"), 4);
    expect(isComplete(target)).toBe(false);
    expect(await ensureFolder(target, fill)).toBe(true);
    rmSync(join(target, "lib", "kafka.jar"));
    expect(await ensureFolder(target, fill)).toBe(true);
    expect(isComplete(target)).toBe(true);
  });

  it("tells of a full disk by its own code", async () => {
    const full = Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });
    await expect(ensureFolder(target, () => Promise.reject(full))).rejects.toMatchObject({
      code: "TRIB_STACK_DISK_FULL",
    });
  });
});
