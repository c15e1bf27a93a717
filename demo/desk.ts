import type { DemographicField } from "./chart.js";
import type { MessageKind } from "./message.js";
import type { Random } from "./random.js";
import type { HospitalSender } from "./senders.js";
import type { Visit } from "./visit.js";

/** The desk at which one patient's matters are told: a clock that only moves forward, and the chart. */
export interface Desk {
  readonly random: Random;
  readonly sender: HospitalSender;
  /** Moves the clock on by some minutes and gives the new time. */
  pass(fromMinutes: number, toMinutes: number): number;
  /** Tells an event of now. */
  tell(kind: MessageKind, visit: Visit | null, cleared?: readonly DemographicField[], retired?: string): void;
  /** Corrects the chart at random and tells it. */
  amend(kind: "A08" | "A31", visit: Visit | null): void;
  newVisitNumber(): string;
  file(visit: Visit): void;
}
