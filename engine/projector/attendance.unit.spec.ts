import { describe, expect, it } from "vitest";
import type { LaneHandler } from "../log/log.js";
import type { Pool } from "../store/pool.js";
import { attended } from "./attendance.js";
import { RequestWatch } from "./request-watch.js";

const builds = () => [
  {
    projection: "notes",
    build: 1,
    version: 1,
    schema: "build_notes_1",
    state: "current" as const,
    consumer: "notes",
    feed: "consumer" as const,
    indexed: true,
    currentSince: null,
  },
];
const quietLane: LaneHandler = { open: async () => 7, batch: async () => {}, close: async () => {} };
const elapsed = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

describe("what operators ask for", () => {
  it("is looked for with one query for all lanes of a process, and anew a second later", async () => {
    const queries: unknown[] = [];
    let now = 0;
    const query = async (...parameters: unknown[]) => {
      queries.push(parameters);
      return { rows: queries.length === 1 ? [] : [{ topic: "events", partition: 3 }] };
    };
    const watch = new RequestWatch({ query } as unknown as Pool, builds, () => now);
    const asked = () => Promise.all([0, 1, 2, 3].map((partition) => watch.concerns("events", partition)));
    expect(await asked()).toEqual([false, false, false, false]);
    now = 999;
    expect(await asked()).toEqual([false, false, false, false]);
    expect(queries).toHaveLength(1);
    now = 1_000;
    expect(await asked()).toEqual([false, false, false, true]);
    expect(queries).toHaveLength(2);
  });

  it("is asked for by the lane itself when the query fails", async () => {
    const query = () => Promise.reject(new Error("away"));
    expect(await new RequestWatch({ query } as unknown as Pool, builds).concerns("events", 0)).toBe(true);
  });

  it("is attended to when the lane opens, then only when there is something", async () => {
    let attendances = 0;
    let isAsked = false;
    const attend = async () => void attendances++;
    const lane = attended(quietLane, attend, async () => isAsked, 5);
    expect(await lane.open()).toBe(7);
    expect(attendances).toBe(1);
    await elapsed(60);
    expect(attendances).toBe(1);
    isAsked = true;
    await elapsed(60);
    expect(attendances).toBeGreaterThan(1);
    await lane.close();
  });
});
