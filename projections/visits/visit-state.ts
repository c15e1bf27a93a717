import { type Clock, compareClocks } from "../clock.js";

/** Statuses an analyst sees. */
export const visitStatuses = ["pre_admitted", "in_progress", "finished", "cancelled", "referenced"] as const;
export type VisitStatus = (typeof visitStatuses)[number];

/** What a message did to a visit, as far as status and location depend on the order of such steps. */
export type VisitStepKind =
  | "admit"
  | "register"
  | "preadmit"
  | "pend"
  | "end"
  | "move"
  | "locate"
  | "cancel-start"
  | "cancel-preadmission"
  | "cancel-visit"
  | "cancel-move"
  | "cancel-end";

/** A step is kept in a hidden column as long as the visit exists: a late one may fall between any two. */
export interface VisitStep {
  readonly at: Clock;
  readonly is: VisitStepKind;
  readonly location?: string;
  /** Time the sender states for a start or an end, epoch milliseconds; the event's own time counts without it. */
  readonly stated?: number;
}

export interface VisitState {
  readonly status: VisitStatus;
  readonly location: string | null;
  /** Epoch milliseconds. */
  readonly startedAt: number | null;
  readonly endedAt: number | null;
  readonly cancelledAt: number | null;
}

type Phase = "referenced" | "preadmitted" | "pending" | "admitted" | "registered" | "discharged" | "cancelled";

const statusOf: Readonly<Record<Phase, VisitStatus>> = {
  referenced: "referenced",
  preadmitted: "pre_admitted",
  pending: "pre_admitted",
  admitted: "in_progress",
  registered: "in_progress",
  discharged: "finished",
  cancelled: "cancelled",
};

const opens = { admit: "admitted", register: "registered", preadmit: "preadmitted", pend: "pending" } as const;
type Opening = keyof typeof opens;

/** Mutable while it walks over the steps of one visit. */
class Walk {
  phase: Phase = "referenced";
  /** What a cancelled discharge goes back to. */
  readonly #below: Phase[] = [];
  readonly #locations: string[] = [];
  #firstStart: number | null = null;
  #statedStart: number | null = null;
  #endedAt: number | null = null;
  #cancelledAt: number | null = null;

  take(step: VisitStep): void {
    switch (step.is) {
      case "admit":
      case "register":
      case "preadmit":
      case "pend":
        this.#open(step.is, step);
        return;
      case "end":
        if (this.phase !== "discharged") this.#below.push(this.phase === "referenced" ? "admitted" : this.phase);
        this.phase = "discharged";
        this.#endedAt = step.stated ?? step.at[0];
        return;
      case "move":
        if (step.location) this.#locations.push(step.location);
        return;
      case "locate":
        if (step.location) this.#locations.splice(-1, 1, step.location);
        return;
      case "cancel-visit":
        if (this.phase !== "cancelled") this.#below.push(this.phase);
        this.#cancel(step);
        return;
      case "cancel-move":
        if (this.#locations.length > 1) this.#locations.pop();
        return;
      case "cancel-start":
        if (this.phase === "admitted" || this.phase === "registered") {
          this.#below.push(this.phase);
          this.#cancel(step);
        } else if (this.phase === "referenced") this.#cancel(step);
        return;
      case "cancel-preadmission":
        if (this.phase === "preadmitted" || this.phase === "pending") this.#cancel(step);
        return;
      case "cancel-end":
        if (this.phase === "discharged") this.phase = this.#below.pop() ?? "admitted";
        // A discharge undone that was never seen: the patient was in the house.
        else if (this.phase === "referenced") this.phase = "admitted";
    }
  }

  #open(kind: Opening, step: VisitStep): void {
    if (kind === "admit" || kind === "register") {
      // A start after a cancel is another start.
      if (this.phase === "cancelled") [this.#firstStart, this.#statedStart] = [null, null];
      this.#firstStart ??= step.at[0];
      this.#statedStart = step.stated ?? this.#statedStart;
    }
    // A late opening never reopens a discharge, it only fills in what lies under it.
    if (this.phase === "discharged") {
      if (this.#below.length > 0) this.#below[this.#below.length - 1] = opens[kind];
    } else this.phase = opens[kind];
    if (step.location && kind !== "pend") this.#locations.push(step.location);
  }

  #cancel(step: VisitStep): void {
    this.phase = "cancelled";
    this.#cancelledAt = step.at[0];
  }

  state(): VisitState {
    return {
      status: statusOf[this.phase],
      location: this.#locations.at(-1) ?? null,
      startedAt: this.#statedStart ?? this.#firstStart,
      endedAt: this.phase === "discharged" ? this.#endedAt : null,
      cancelledAt: this.phase === "cancelled" ? this.#cancelledAt : null,
    };
  }
}

/**
 * The state of a visit after its steps, which are in the order of their clocks.
 *
 * HL7 v2 chapter 3: A11 undoes a start, A12 goes back to the location before, A13 to the status before the discharge,
 * A38 and A27 call off what was only announced, A23 the visit in whatever state; a cancel of what isn't the case changes nothing. A start that is called
 * off keeps its time. A start counts from the time last stated (PV1-44), else from its first message.
 */
export function visitState(steps: readonly VisitStep[]): VisitState {
  const walk = new Walk();
  for (const step of steps) walk.take(step);
  return walk.state();
}

/** The steps with another one at its place; the same event's step again changes nothing. */
export function withStep(steps: readonly VisitStep[], step: VisitStep): readonly VisitStep[] {
  let place = steps.length;
  while (place > 0) {
    const order = compareClocks((steps[place - 1] as VisitStep).at, step.at);
    if (order === 0) return steps;
    if (order < 0) break;
    place--;
  }
  return [...steps.slice(0, place), step, ...steps.slice(place)];
}
