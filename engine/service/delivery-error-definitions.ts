import { again, final } from "./error-kinds.js";

/** Coded errors of deliveries to partners; part of `errorDefinitions`. */
export const deliveryErrorDefinitions = {
  TRIB_DELIVERY_DEFINITION_INVALID: {
    summary: "A delivering consumer's definition is wrong.",
    remedy: "Correct what is named; docs/delivering.md says how one is written.",
    ...final(78),
  },
  TRIB_DELIVERY_MAP_FAILED: {
    summary: "A delivery's `map` threw, or gave what is no JSON; the event's key is parked.",
    remedy:
      "Mend `map` where `tributary parked show` says, build, `tributary consumers restart NAME`, then `tributary parked retry`.",
    ...final(65),
  },
  TRIB_DELIVERY_REFUSED: {
    summary: "The partner refuses a delivery for good; the event's key is parked, its later events wait behind it.",
    remedy:
      "See the status with `tributary parked show`; settle it with the partner or mend `map`, then `tributary parked retry`, or `skip` with the reason.",
    ...final(65),
  },
  TRIB_DELIVERY_UNANSWERED: {
    summary: "The partner did not take a delivery within DELIVERY_PATIENCE_SECONDS; the event's key is parked.",
    remedy: "When the partner answers again: `tributary parked retry NAME --all`.",
    ...again(75),
  },
} as const;
