import type { ParkReason } from "./fold.js";

/** An operator decided that the event parks its key: it stops the projection, and nobody may park it by themselves. */
export const parkedByOperator: ParkReason = {
  code: "TRIB_PROJECT_PARKED_BY_OPERATOR",
  reason: "an operator decided to park it",
};
