import { describe, expect, it } from "vitest";
import { TributaryError } from "../service/errors.js";
import { ConsumerLane } from "./consumer-lane.js";
import type { ProjectionLane } from "./lane.js";
import { Patience } from "./patience.js";
import type { Decoder } from "./ports.js";

/** Nobody can tell what the schema is: the registry is away. */
const lost: Decoder = {
  decodeEvent: () => {
    throw new TributaryError("TRIB_LOG_UNKNOWN_SCHEMA", "A schema unknown here.");
  },
  learn: () => Promise.reject(new TributaryError("TRIB_LOG_REGISTRY_UNAVAILABLE")),
};
const logger = { info: () => {}, warn: () => {}, error: () => {} };
/** A projection's lane that needs the event; it is never given one. */
const unreached = { needsNo: () => false, attend: async () => {} } as unknown as ProjectionLane;
const record = { offset: 0, timestamp: 0, key: "key", value: Buffer.alloc(6), headers: {} };

/** A lane that waits for a schema, and loses its partition after so many attempts. */
function waiting(attempts: number, ownedThen: boolean): Promise<void> {
  let left = attempts;
  const lane = new ConsumerLane({
    topic: "others",
    partition: 0,
    published: false,
    decoder: lost,
    patience: new Patience({ logger, shortest: 1, longest: 1 }),
    schemaAttempts: attempts,
    lanes: [unreached],
  });
  return lane.batch([record], {
    highWatermark: 1,
    isOwned: () => ownedThen || left-- > 0,
    heartbeat: async () => {},
    seek: () => {},
  });
}

describe("a lane that waits for a schema while the registry is away", () => {
  it("ends in peace when its partition is taken away: the next owner waits on", async () => {
    await expect(waiting(2, false)).resolves.toBeUndefined();
  });

  it("stops its process when it waited long enough", async () => {
    await expect(waiting(2, true)).rejects.toMatchObject({ code: "TRIB_PROJECT_SCHEMA_UNKNOWN" });
  });
});
