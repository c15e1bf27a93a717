import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, expect, it } from "vitest";
import { processIdentity } from "../engine/service/identity.js";
import { commandLineOf, signal } from "./processes.js";

describe("processes", () => {
  it("are told by their command line and start while they run, and not afterwards", async () => {
    const child = spawn(process.execPath, ["-e", "process.stdin.resume()", "a-mark"], {
      stdio: ["pipe", "ignore", "ignore"],
    });
    await once(child, "spawn");
    const pid = child.pid!;
    await expect.poll(() => commandLineOf(pid)).toContain("a-mark");
    const start = processIdentity(pid);
    expect(start).toBeTruthy();
    expect(processIdentity(pid)).toBe(start);
    expect(start).not.toBe(processIdentity(process.pid));
    signal(pid, "SIGKILL");
    await once(child, "exit");
    expect(await commandLineOf(pid)).toBeUndefined();
    expect(processIdentity(pid)).toBeUndefined();
    expect(signal(pid, "SIGTERM")).toBe(false);
  });

  it("are seen all the while a shell becomes the program that it was told to start", async () => {
    for (let round = 0; round < 20; round += 1) {
      const child = spawn("/bin/sh", ["-c", 'exec "$@"', "sh", "/bin/sleep", "60"], { stdio: "ignore" });
      await once(child, "spawn");
      let line: string | undefined = "";
      while (line !== undefined && !line.startsWith("/bin/sleep")) line = await commandLineOf(child.pid!);
      child.kill("SIGKILL");
      expect(line).toContain("/bin/sleep 60");
    }
  });
});
