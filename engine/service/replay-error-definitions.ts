import { again, final } from "./error-kinds.js";

/** Coded errors of builds that are made from the log; part of `errorDefinitions`. */
export const replayErrorDefinitions = {
  TRIB_REPLAY_AS_OF_TOO_YOUNG: {
    summary: "The moment of an as-of has not passed by more than the allowed difference between clocks.",
    remedy: "Records of that moment may still come: ask for an earlier one, or wait CLOCK_SKEW_SECONDS and ask again.",
    ...again(75, 400),
  },
  TRIB_REPLAY_BUSY: {
    summary: "The build is in other hands: another process rebuilds it, or its consumer feeds it.",
    remedy: "Wait for the other process or end it; `tributary projections list` shows every build.",
    ...again(75),
  },
  TRIB_REPLAY_COMPARE_TIMEOUT: {
    summary: "Two builds were never seen at the same position, so they could not be compared.",
    remedy: "See that the consumer runs and both builds move (`tributary projections list`), then call it again.",
    ...again(1),
  },
  TRIB_REPLAY_INTERRUPTED: {
    summary: "A rebuild was ended before it was done.",
    remedy: "Call it again: it goes on where it was.",
    ...again(75),
  },
  TRIB_REPLAY_NOT_WHOLE: {
    summary: "An as-of does not hold exactly what its moment's vector says; it is not signed and not kept.",
    remedy: "Call it again; if it comes again, report it with the place named: it is a fault of the engine.",
    ...final(70),
  },
  TRIB_REPLAY_NOT_TAKEN_UP: {
    summary: "A rebuilt build was handed over, and no consumer feeds it.",
    remedy: "Start the consumer (`tributary run <consumer>`) and call it again: it goes on where it was.",
    ...again(1),
  },
  TRIB_REPLAY_UNPUBLISHED: {
    summary: "Units of before the moment asked for are in the journal and their events are not published yet.",
    remedy: "See that the publisher runs (`tributary run publisher`), then call it again.",
    ...again(75, 503),
  },
  TRIB_REPLAY_VAULT_MOVED: {
    summary: "Patients were erased while an as-of was built, so that its restricted columns may show who is gone.",
    remedy: "Call it again when no erasure runs.",
    ...again(75),
  },
  TRIB_REPLAY_AS_OF_DROPPED: {
    summary: "An as-of was dropped while it was read: a patient was erased, or somebody dropped it.",
    remedy: "Build it again; what was erased is not in it any more.",
    ...again(75),
  },
} as const;
