import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Clock } from "../clock.js";
import { type VisitStep, type VisitStepKind, visitState, withStep } from "./visit-state.js";

type Said = readonly [VisitStepKind, location?: string | undefined, stated?: number];

/** Steps an hour apart, the first at 1. */
const steps = (...said: readonly Said[]): VisitStep[] =>
  said.map(([is, location, stated], index) => ({
    at: [index + 1, 0, index, 0],
    is,
    ...(location ? { location } : {}),
    ...(stated === undefined ? {} : { stated }),
  }));
const stateAfter = (...said: readonly Said[]) => visitState(steps(...said));

describe("a visit's status", () => {
  it.each<[string, Said[], string]>([
    ["nothing known", [], "referenced"],
    ["announced", [["preadmit"]], "pre_admitted"],
    ["pending", [["pend"]], "pre_admitted"],
    ["admitted", [["preadmit"], ["admit"]], "in_progress"],
    ["registered", [["register"]], "in_progress"],
    ["discharged", [["admit"], ["end"]], "finished"],
    ["discharged without a start", [["end"]], "finished"],
    ["a discharge undone", [["register"], ["end"], ["cancel-end"]], "in_progress"],
    ["a discharge undone that was never seen", [["cancel-end"]], "in_progress"],
    ["a start called off", [["admit"], ["cancel-start"]], "cancelled"],
    ["a start called off that was never seen", [["cancel-start"]], "cancelled"],
    ["a start called off and made again", [["admit"], ["cancel-start"], ["admit"]], "in_progress"],
    ["a cancel of the start after the discharge", [["admit"], ["end"], ["cancel-start"]], "finished"],
    ["an announcement called off", [["preadmit"], ["cancel-preadmission"]], "cancelled"],
    ["a pending admission called off", [["pend"], ["cancel-preadmission"]], "cancelled"],
    ["a call-off of an announcement already fulfilled", [["admit"], ["cancel-preadmission"]], "in_progress"],
    ["an opening after the discharge", [["admit"], ["end"], ["admit"]], "finished"],
    ["a transfer alone", [["move", "A"]], "referenced"],
  ])("%s: %s is %s", (_, said, status) => {
    expect(stateAfter(...said).status).toBe(status);
  });

  it("goes back to what a late opening put under the discharge", () => {
    expect(stateAfter(["preadmit"], ["end"], ["register"], ["cancel-end"])).toMatchObject({
      status: "in_progress",
      endedAt: null,
    });
    expect(stateAfter(["preadmit"], ["end"], ["cancel-end"]).status).toBe("pre_admitted");
  });
});

describe("a visit's location", () => {
  it.each<[string, Said[], string | null]>([
    ["of the admission", [["admit", "A"]], "A"],
    [
      "of a transfer",
      [
        ["admit", "A"],
        ["move", "B"],
      ],
      "B",
    ],
    ["before the transfer that was cancelled", [["admit", "A"], ["move", "B"], ["cancel-move"]], "A"],
    ["kept when there is nothing to go back to", [["admit", "A"], ["cancel-move"]], "A"],
    [
      "corrected",
      [
        ["admit", "A"],
        ["locate", "B"],
      ],
      "B",
    ],
    ["corrected under a transfer's cancel", [["admit", "A"], ["locate", "B"], ["move", "C"], ["cancel-move"]], "B"],
    ["told by a correction alone", [["locate", "B"]], "B"],
    ["not told by a pending admission", [["pend", "A"]], null],
  ])("%s: %s", (_, said, location) => {
    expect(stateAfter(...said).location).toBe(location);
  });
});

describe("a visit's times", () => {
  it("counts the stated times before the messages' own", () => {
    expect(stateAfter(["admit", "A", 50], ["end", undefined, 90])).toMatchObject({ startedAt: 50, endedAt: 90 });
    expect(stateAfter(["admit", "A"], ["end"])).toMatchObject({ startedAt: 1, endedAt: 2 });
  });

  it("starts with its first start, and anew after a cancel", () => {
    expect(stateAfter(["register"], ["admit"]).startedAt).toBe(1);
    expect(stateAfter(["admit"], ["cancel-start"], ["admit"])).toMatchObject({ startedAt: 3, cancelledAt: null });
  });

  it("has an end only when finished, a cancel only when cancelled", () => {
    expect(stateAfter(["admit"], ["end"], ["cancel-end"]).endedAt).toBeNull();
    expect(stateAfter(["admit"], ["cancel-start"])).toMatchObject({ startedAt: 1, endedAt: null, cancelledAt: 2 });
    expect(stateAfter(["preadmit"])).toMatchObject({ startedAt: null });
  });
});

/** The published rules again, written as their author wrote them: a map of a visit changed trigger by trigger. */
function byTheRules(walk: readonly VisitStep[]): { status: string; location: string | null } {
  const s = { status: "referenced", stack: [] as string[], locs: [] as string[] };
  const names: Record<string, string> = {
    admit: "admitted",
    register: "registered",
    preadmit: "preadmitted",
    pend: "pending",
  };
  for (const { is, location } of walk) {
    if (is === "cancel-move") {
      if (s.locs.length > 1) s.locs.pop();
    } else if (is === "cancel-start") {
      if (s.status === "admitted" || s.status === "registered") {
        s.stack.push(s.status);
        s.status = "cancelled";
      } else s.status = s.status === "referenced" ? "cancelled" : s.status;
    } else if (is === "cancel-end") {
      if (s.status === "discharged") s.status = s.stack.length ? (s.stack.pop() as string) : "admitted";
      else s.status = s.status === "referenced" ? "admitted" : s.status;
    } else if (is === "cancel-preadmission") {
      if (s.status === "preadmitted" || s.status === "pending") s.status = "cancelled";
    } else {
      if (is === "end") {
        if (s.status !== "discharged") s.stack.push(s.status !== "referenced" ? s.status : "admitted");
        s.status = "discharged";
      } else if (names[is]) {
        if (s.status === "discharged") {
          if (s.stack.length) s.stack[s.stack.length - 1] = names[is] as string;
        } else s.status = names[is] as string;
      }
      if (location && ["admit", "register", "preadmit", "move"].includes(is)) s.locs.push(location);
      else if (location && is === "locate") {
        if (s.locs.length) s.locs[s.locs.length - 1] = location;
        else s.locs.push(location);
      }
    }
  }
  const shown: Record<string, string> = {
    admitted: "in_progress",
    registered: "in_progress",
    discharged: "finished",
    preadmitted: "pre_admitted",
    pending: "pre_admitted",
  };
  return { status: shown[s.status] ?? s.status, location: s.locs.at(-1) ?? null };
}

const kinds: readonly VisitStepKind[] = [
  "admit",
  "register",
  "preadmit",
  "pend",
  "end",
  "move",
  "locate",
  "cancel-start",
  "cancel-preadmission",
  "cancel-move",
  "cancel-end",
];
const anySteps = fc.array(
  fc.record({ is: fc.constantFrom(...kinds), location: fc.option(fc.constantFrom("A", "B", "C"), { nil: undefined }) }),
  { maxLength: 14 },
);

describe("any steps", () => {
  it("give what the published rules give", () => {
    fc.assert(
      fc.property(anySteps, (said) => {
        const walk = steps(...said.map(({ is, location }): Said => [is, location]));
        const { status, location } = visitState(walk);
        expect({ status, location }).toEqual(byTheRules(walk));
      }),
      { numRuns: 2_000 },
    );
  });

  it("stand in the order of their clocks, however they arrive, once each", () => {
    const clocks = fc.uniqueArray(fc.tuple(fc.nat(3), fc.nat(1), fc.nat(3), fc.nat(1)) as fc.Arbitrary<Clock>, {
      selector: String,
      maxLength: 12,
    });
    fc.assert(
      fc.property(clocks, fc.func(fc.integer()), (given, shuffle) => {
        const sorted = [...given].sort((a, b) => a[0] - b[0] || a[1] - b[1] || a[2] - b[2] || a[3] - b[3]);
        const shuffled = [...given].sort((a, b) => shuffle(a) - shuffle(b));
        const arrived = [...shuffled, ...shuffled.slice(0, 3)].map((at): VisitStep => ({ at, is: "admit" }));
        expect(arrived.reduce<readonly VisitStep[]>(withStep, []).map(({ at }) => at)).toEqual(sorted);
      }),
    );
  });
});
