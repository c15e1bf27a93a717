import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import { repositoryRoot } from "../engine/service/root.js";

interface LockedPackage {
  readonly version?: string;
  readonly integrity?: string;
  readonly optional?: boolean;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}
interface Lock {
  readonly packages: Readonly<Record<string, LockedPackage>>;
}

const { isNewEnough, missingPackages } = (await import(
  pathToFileURL(join(repositoryRoot, "bin", "packages.mjs")).href
)) as {
  readonly isNewEnough: (version: string) => boolean;
  readonly missingPackages: (lock: Lock, installed: Lock | undefined) => string[];
};

const lock: Lock = {
  packages: {
    "": {},
    "node_modules/pg": { version: "8.23.1", integrity: "sha512-a" },
    "node_modules/pg-linux": { version: "1.0.0", integrity: "sha512-b", optional: true },
    "node_modules/pg-darwin": { version: "1.0.0", optional: true },
  },
};
const { "node_modules/pg": pg, "node_modules/pg-linux": linux } = lock.packages;

describe("the set-up of a fresh clone", () => {
  it("knows which Node is new enough", () => {
    expect(["18.20.0", "20.18.3"].map(isNewEnough)).toEqual([false, false]);
    expect(["20.19.0", "20.20.2", "22.0.0", "24.1.0"].map(isNewEnough)).toEqual([true, true, true, true]);
  });

  it("installs when nothing is there, or an installation was cut short", () => {
    expect(missingPackages(lock, undefined)).toHaveLength(3);
    expect(missingPackages(lock, { packages: {} })).toEqual(["node_modules/pg"]);
  });

  it("installs when the lock file names another version, and not for another platform's binary", () => {
    const packages = { "node_modules/pg": pg!, "node_modules/pg-linux": linux! };
    expect(missingPackages(lock, { packages })).toEqual([]);
    const older = { ...packages, "node_modules/pg": { ...pg, version: "8.0.0" } };
    expect(missingPackages(lock, { packages: older })).toEqual(["node_modules/pg"]);
  });

  it("finds every optional package in the lock file, without which `npm ci` refuses it", () => {
    const { packages } = JSON.parse(readFileSync(join(repositoryRoot, "package-lock.json"), "utf8")) as Lock;
    const found = (from: string, name: string): boolean => {
      if (packages[`${from === "" ? "" : `${from}/`}node_modules/${name}`]) return true;
      if (from === "") return false;
      const parent = from.lastIndexOf("/node_modules/");
      return found(parent < 0 ? "" : from.slice(0, parent), name);
    };
    const absent = Object.entries(packages).flatMap(([from, each]) =>
      Object.keys(each.optionalDependencies ?? {}).filter((name) => !found(from, name)),
    );
    expect(absent).toEqual([]);
  });
});
