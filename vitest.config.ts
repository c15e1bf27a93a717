import { defineConfig } from "vitest/config";
import { LongestFirst } from "./test/longest-first.js";

const shared = {
  environment: "node" as const,
  pool: "forks" as const,
  exclude: ["node_modules", "dist"],
  maxWorkers: 2,
};
const onServices = { globalSetup: ["test/services.ts"], testTimeout: 120_000, hookTimeout: 180_000 };

/**
 * The level of a test is in its file's name: unit (no services), int (real services), e2e (whole processes).
 * One level after the other, two files at a time: a whole installation waits (for a member to be missed, a broker to be
 * back) about as long as it works, and all that a spec kills or freezes is its own.
 */
export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        test: {
          ...shared,
          name: "unit",
          // What they import is loaded once a worker: that takes longer than most of them.
          isolate: false,
          include: ["**/*.unit.spec.ts"],
          testTimeout: 30_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: { ...shared, ...onServices, name: "int", include: ["**/*.int.spec.ts"], sequence: { groupOrder: 1 } },
      },
      {
        test: { ...shared, ...onServices, name: "e2e", include: ["**/*.e2e.spec.ts"], sequence: { groupOrder: 2 } },
      },
    ],
  },
});
