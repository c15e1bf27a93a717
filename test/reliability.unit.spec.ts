import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import { repositoryRoot } from "../engine/service/root.js";
import { type ChaosFigures, recordChaos } from "../engine/testing/chaos.js";
import { chaosSpecs, readFigures, reliabilityDocument, reliabilityPage, specsNamedIn } from "./reliability.js";

const zombie: ChaosFigures = {
  guarantee: "A zombie writes nothing",
  spec: "engine/projector/zombie.int.spec.ts",
  seeds: 0,
  kills: 0,
  faults: { "frozen before a statement": 41 },
  events: 1_200,
  violations: 0,
};
const crash: ChaosFigures = {
  guarantee: "A crash changes no row | ever",
  spec: "engine/projector/crash.int.spec.ts",
  seeds: 3,
  kills: 1_371,
  faults: { "killed at a send": 1_300, "killed at a statement": 71 },
  events: 18_824,
  violations: 0,
};

describe("the page about reliability", () => {
  it("has a row a spec, in the order of guarantees, and their sums", () => {
    const page = reliabilityDocument([zombie, crash], 7, "long");
    expect(page.split("\n")[0]).toContain("npm run test:chaos");
    expect(page.split("\n").filter((line) => line.startsWith("|"))).toEqual([
      "| guarantee | spec | seeds | processes killed | faults that hit work in progress | events checked | violations |",
      "| --- | --- | --- | --- | --- | --- | --- |",
      "| A crash changes no row \\| ever | `engine/projector/crash.int.spec.ts` | 3 | 1,371 | killed at a send: 1,300<br>killed at a statement: 71 | 18,824 | 0 |",
      "| A zombie writes nothing | `engine/projector/zombie.int.spec.ts` | every case | 0 | frozen before a statement: 41 | 1,200 | 0 |",
      "| **in all** |  | 3 | 1,371 | 1,412 | 20,024 | 0 |",
    ]);
    expect(page).toContain("(this page: 7)");
    expect(specsNamedIn(page)).toEqual([crash.spec, zombie.spec]);
  });

  it("names exactly the specs that record figures", () => {
    const page = readFileSync(join(repositoryRoot, reliabilityPage), "utf8");
    expect(specsNamedIn(page).filter((path) => !existsSync(join(repositoryRoot, path)))).toEqual([]);
    // When they differ, `npm run test:chaos` writes the page anew.
    expect(specsNamedIn(page)).toEqual(chaosSpecs());
  });

  it("is as the generator writes it, but for the figures", () => {
    const withoutRows = (text: string) => text.replace(/^\|.*\n/gm, "").replace(/this page: \d+/, "");
    const page = withoutRows(readFileSync(join(repositoryRoot, reliabilityPage), "utf8"));
    const lengths = (["short", "long"] as const).map((length) => withoutRows(reliabilityDocument([zombie], 7, length)));
    expect(lengths).toContain(page);
  });
});

describe("figures of a fault spec", () => {
  it("come back as recorded, and are refused when a kind of fault hit nothing", () => {
    const folder = mkdtempSync(join(tmpdir(), "tributary-figures-"));
    vi.stubEnv("TRIBUTARY_CHAOS_REPORT", folder);
    // By another name: a spec that calls it by its own is taken for one of a guarantee.
    const record = recordChaos;
    try {
      record(zombie);
      record(crash);
      expect(readFigures(folder)).toEqual(expect.arrayContaining([zombie, crash]));
      expect(readFigures(folder)).toHaveLength(2);
      expect(() => record({ ...zombie, faults: { "frozen before a statement": 0 } })).toThrow("hit no work");
    } finally {
      vi.unstubAllEnvs();
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
