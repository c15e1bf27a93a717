import { defineConfig } from "vitest/config";

const shared = { environment: "node" as const, pool: "forks" as const };

/** The level of a test is in its file's name: unit (no input or output), int (real services), e2e (whole processes). */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          ...shared,
          name: "unit",
          include: ["**/*.unit.spec.ts"],
          exclude: ["node_modules", "dist"],
          testTimeout: 30_000,
        },
      },
      {
        test: {
          ...shared,
          name: "services",
          include: ["**/*.int.spec.ts", "**/*.e2e.spec.ts"],
          exclude: ["node_modules", "dist"],
          globalSetup: ["test/services.ts"],
          // The machine is shared by Kafka, the registry, Postgres and the processes under test.
          maxWorkers: 2,
          testTimeout: 120_000,
          hookTimeout: 180_000,
        },
      },
    ],
  },
});
