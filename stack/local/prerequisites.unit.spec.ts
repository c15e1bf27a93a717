import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { findJava, javaRelease } from "./java.js";
import { maven } from "./maven.js";

const folder = mkdtempSync(join(tmpdir(), "tributary-programs-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A folder with one program that prints what it is given and ends with a code. */
function program(name: string, says: string, exitCode = 0): string {
  const home = mkdtempSync(join(folder, "home-"));
  mkdirSync(join(home, "bin"));
  const path = join(home, "bin", name);
  writeFileSync(path, `#!/bin/sh\necho '${says}' >&2\nexit ${exitCode}\n`);
  chmodSync(path, 0o755);
  return home;
}

describe("Java", () => {
  it("is known by its feature release", () => {
    expect(javaRelease('openjdk version "17.0.15" 2025-04-15')).toBe(17);
    expect(javaRelease('java version "1.8.0_402"')).toBe(8);
    expect(javaRelease('openjdk version "25" 2025-09-16')).toBe(25);
    expect(javaRelease("Unable to locate a Java Runtime")).toBeUndefined();
  });

  it("is taken from JAVA_HOME before the path", async () => {
    const home = program("java", 'openjdk version "21.0.4"');
    expect(await findJava({ JAVA_HOME: home, PATH: "" })).toBe(join(home, "bin", "java"));
    expect(await findJava({ PATH: `${join(home, "bin")}:/bin` })).toBe("java");
  });

  it("is asked for when there is none, or only the stub of an operating system", async () => {
    const missing = expect.objectContaining({ code: "TRIB_STACK_JAVA_MISSING" });
    await expect(findJava({ PATH: folder })).rejects.toEqual(missing);
    const stub = program("java", "Unable to locate a Java Runtime", 1);
    await expect(findJava({ JAVA_HOME: stub, PATH: "" })).rejects.toEqual(missing);
  });

  it("is refused by its release when too old", async () => {
    const home = program("java", 'openjdk version "11.0.22"');
    await expect(findJava({ JAVA_HOME: home, PATH: "" })).rejects.toMatchObject({
      code: "TRIB_STACK_JAVA_TOO_OLD",
      facts: { found: 11 },
    });
  });
});

describe("Maven", () => {
  const request = { goal: "copy", properties: {}, repository: join(folder, "repository") } as const;

  it("is asked for when there is none", async () => {
    const attempt = maven({ ...request, environment: { PATH: folder } });
    await expect(attempt).rejects.toMatchObject({ code: "TRIB_STACK_MAVEN_MISSING" });
  });

  it("gives its own reason when a download fails", async () => {
    const home = program("mvn", "[ERROR] Unknown host repo.maven.apache.org", 1);
    const attempt = maven({ ...request, environment: { PATH: `${join(home, "bin")}:/bin` } });
    await expect(attempt).rejects.toMatchObject({ code: "TRIB_STACK_DOWNLOAD_FAILED" });
    await expect(attempt).rejects.toThrow("Unknown host repo.maven.apache.org");
  });

  it("tells of a full disk by its own code", async () => {
    const home = program("mvn", "[ERROR] a.jar: No space left on device", 1);
    const attempt = maven({ ...request, environment: { PATH: `${join(home, "bin")}:/bin` } });
    await expect(attempt).rejects.toMatchObject({ code: "TRIB_STACK_DISK_FULL" });
  });
});
