/** Status words of the visits read model. */
export type VisitStatus = "pre_admitted" | "in_progress" | "finished" | "cancelled" | "referenced";
export type VisitClass = "E" | "I" | "O" | "P";

/** One visit as the hospital itself knows it. Moves are functions: they take a state and give the next. */
export interface Visit {
  /** Visit number of PV1-19, unique within its hospital. */
  readonly number: string;
  readonly status: VisitStatus;
  readonly class: VisitClass | null;
  /** The places of the patient so far, the present one last. A cancelled transfer takes its place away again. */
  readonly locations: readonly string[];
  /** Epoch milliseconds; PV1-44, PV1-45, and the time of the cancel. */
  readonly startedAt: number | null;
  readonly endedAt: number | null;
  readonly cancelledAt: number | null;
  /** PV1-7. */
  readonly doctor: string;
}

export const locationOf = (visit: Visit): string | null => visit.locations.at(-1) ?? null;

function expectStatus(visit: Visit, move: string, ...allowed: readonly VisitStatus[]): void {
  if (allowed.includes(visit.status)) return;
  throw new Error(
    `the generator may not ${move} visit ${visit.number}: it is ${visit.status}, not ${allowed.join(" or ")}`,
  );
}

/** A visit of which nothing is known but its number. */
export const mentioned = (number: string, doctor: string): Visit => ({
  number,
  status: "referenced",
  class: null,
  locations: [],
  startedAt: null,
  endedAt: null,
  cancelledAt: null,
  doctor,
});

/** A05. */
export function preAdmit(visit: Visit, location: string): Visit {
  expectStatus(visit, "pre-admit", "referenced");
  return { ...visit, status: "pre_admitted", class: "P", locations: [location] };
}

/** A01 (class I) and A04 (class E or O). */
export function open(visit: Visit, as: VisitClass, location: string, at: number): Visit {
  expectStatus(visit, "open", "referenced", "pre_admitted");
  return { ...visit, status: "in_progress", class: as, locations: [...visit.locations, location], startedAt: at };
}

/** A02. */
export function transfer(visit: Visit, location: string): Visit {
  expectStatus(visit, "transfer", "in_progress");
  return { ...visit, locations: [...visit.locations, location] };
}

/** A12: the place before the last transfer is the present one again. */
export function cancelTransfer(visit: Visit): Visit {
  expectStatus(visit, "cancel a transfer of", "in_progress");
  if (visit.locations.length < 2) throw new Error(`visit ${visit.number} was never transferred`);
  return { ...visit, locations: visit.locations.slice(0, -1) };
}

/** A03. */
export function discharge(visit: Visit, at: number): Visit {
  expectStatus(visit, "end", "in_progress");
  return { ...visit, status: "finished", endedAt: at };
}

/** A13: the visit goes on as before the discharge. */
export function cancelDischarge(visit: Visit): Visit {
  expectStatus(visit, "go on with", "finished");
  return { ...visit, status: "in_progress", endedAt: null };
}

/** A11 of an open visit, A38 of a pre-admitted one. */
export function cancel(visit: Visit, at: number): Visit {
  expectStatus(visit, "cancel", "in_progress", "pre_admitted");
  return { ...visit, status: "cancelled", cancelledAt: at };
}
