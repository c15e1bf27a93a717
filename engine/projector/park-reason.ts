/** Why a key is held back. Names places, never values. */
export interface ParkReason {
  readonly code:
    | "TRIB_DELIVERY_MAP_FAILED"
    | "TRIB_DELIVERY_REFUSED"
    | "TRIB_DELIVERY_UNANSWERED"
    | "TRIB_PROJECT_EVENT_UNDECODABLE"
    | "TRIB_PROJECT_FOLD_FAILED"
    | "TRIB_PROJECT_FOLD_PARKED"
    | "TRIB_PROJECT_PARKED_BY_OPERATOR"
    | "TRIB_PROJECT_VALUE_INVALID"
    | "TRIB_PROJECT_WRITE_REFUSED";
  readonly reason: string;
}

/** Of what Postgres alone refuses: no fold can know. */
export const writeRefused: ParkReason["code"] = "TRIB_PROJECT_WRITE_REFUSED";

/** @param code SQLSTATE. */
export const refusedWith = (code: string): ParkReason => ({
  code: writeRefused,
  reason: `Postgres refuses the rows of this event (SQLSTATE ${code})`,
});

/** An operator decided that the event parks its key: it stops the projection, and nobody may park it by themselves. */
export const parkedByOperator: ParkReason = {
  code: "TRIB_PROJECT_PARKED_BY_OPERATOR",
  reason: "an operator decided to park it",
};
