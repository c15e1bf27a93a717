import { defineConfig } from "vitest/config";

const shared = { environment: "node" as const, pool: "forks" as const, exclude: ["node_modules", "dist"] };
const onServices = { globalSetup: ["test/services.ts"], testTimeout: 120_000, hookTimeout: 180_000 };

/**
 * The level of a test is in its file's name: unit (no services), int (real services), e2e (whole processes).
 * One level after the other; whole installations one at a time, since each is a dozen processes beside Kafka and Postgres.
 */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          ...shared,
          name: "unit",
          include: ["**/*.unit.spec.ts"],
          testTimeout: 30_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          ...shared,
          ...onServices,
          name: "int",
          include: ["**/*.int.spec.ts"],
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          ...shared,
          ...onServices,
          name: "e2e",
          include: ["**/*.e2e.spec.ts"],
          maxWorkers: 1,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
