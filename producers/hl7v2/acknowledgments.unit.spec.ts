import { describe, expect, it } from "vitest";
import { type AckPolicy, acknowledgmentsFor, wantedAcknowledgments } from "./acknowledgments.js";

const policy = (mode: AckPolicy["mode"]): AckPolicy => ({ mode, accept: "AL", application: "NE" });

describe("acknowledgments of a message", () => {
  it("are one AA, AE or AR in the original mode, whatever the header asks for", () => {
    const wanted = wantedAcknowledgments(policy("original"), "NE", "NE");
    expect((["AA", "AE", "AR"] as const).map((code) => acknowledgmentsFor(code, true, wanted))).toEqual([
      ["AA"],
      ["AE"],
      ["AR"],
    ]);
    expect(acknowledgmentsFor("AR", false, wanted)).toEqual(["AR"]);
  });

  it("follow the header where the profile says so, and are original where it says nothing", () => {
    expect(wantedAcknowledgments(policy("header"), "", "")).toBeUndefined();
    expect(wantedAcknowledgments(policy("header"), "AL", "")).toEqual({ accept: "AL", application: "NE" });
    expect(wantedAcknowledgments(policy("header"), "", "ER")).toEqual({ accept: "NE", application: "ER" });
    expect(wantedAcknowledgments(policy("enhanced"), "", "")).toEqual({ accept: "AL", application: "NE" });
    expect(wantedAcknowledgments(policy("enhanced"), "??", "SU")).toEqual({ accept: "AL", application: "SU" });
  });

  it.each([
    // MSH-15, MSH-16, then what AA, AE and AR come to
    ["AL", "AL", "CA AA", "CA AE", "CR"],
    ["AL", "NE", "CA", "CE", "CR"],
    ["AL", "ER", "CA", "CA AE", "CR"],
    ["AL", "SU", "CA AA", "CE", "CR"],
    ["NE", "AL", "AA", "AE", "AR"],
    ["NE", "NE", "", "", ""],
    ["NE", "ER", "", "AE", "AR"],
    ["NE", "SU", "AA", "", ""],
    ["ER", "NE", "", "CE", "CR"],
    ["ER", "AL", "AA", "AE", "CR"],
    ["ER", "ER", "", "AE", "CR"],
    ["SU", "NE", "CA", "", ""],
    ["SU", "AL", "CA AA", "CA AE", "AR"],
  ])("%s/%s: accepted %j, in error %j, rejected %j", (accept, application, ...codes) => {
    const wanted = wantedAcknowledgments(policy("header"), accept, application);
    expect((["AA", "AE", "AR"] as const).map((code) => acknowledgmentsFor(code, true, wanted).join(" "))).toEqual(
      codes,
    );
    expect(acknowledgmentsFor("AR", false, wanted), "what isn't durable is always told").toEqual(["CR"]);
  });
});
