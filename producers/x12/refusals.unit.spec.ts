import { describe, expect, it } from "vitest";
import { deskOf } from "./testing/desk.js";
import { claim, claims837, heading837, type MadeSet, subscriber } from "./testing/interchange.js";
import { unitsOf } from "./testing/units.js";

const { surrogate } = deskOf().intake;
const [north, south] = ["1234567893", "1999999984"];

describe("a 277CA that turns away more than a claim", () => {
  const refused = "STC*A3:24*20260302*U*100";
  const receiver = (batch: string, stc: string) => [
    ...["HL*2*1*21*1", "NM1*41*2*CLEARING*****46*CLEARING"],
    ...(batch === "" ? [] : [`TRN*2*${batch}`]),
    stc,
  ];
  const provider = (level: number, npi: string, stc?: string) => [
    ...[`HL*${level}*2*19*1`, `NM1*85*2*CLINIC*****XX*${npi}`, "TRN*1*0"],
    ...(stc === undefined ? [] : [stc]),
  ];
  const patient = (level: number, parent: number) => [
    ...[`HL*${level}*${parent}*PT`, "NM1*QC*1*DOE*JANE****MI*M100", "TRN*2*C1", "STC*A2:20*20260302*WQ*100.5"],
  ];
  const answer = (...body: string[]): MadeSet => ({
    functionalId: "HN",
    guide: "005010X214",
    st: "277",
    body: [
      ...["BHT*0085*08*A77*20260302*0900*TH", "HL*1**20*1", "NM1*PR*2*PLAN*****PI*PLAN1", "TRN*1*P77"],
      ...["DTP*050*D8*20260301", "DTP*009*D8*20260302", ...body],
    ],
  });
  const exchange = { sender: "PLAN1", receiver: "CLEARING" };
  const told = async (...body: string[]) => {
    const units = await unitsOf([answer(...body)], {}, exchange);
    const acknowledged = units.flatMap(({ events }) =>
      events.flatMap((event) =>
        event.type === "InterchangeAcknowledged" ? [[event.subject, event.fields.verdict, event.fields.codes]] : [],
      ),
    );
    return { acknowledged, flags: units[0]?.flags };
  };
  const batch = surrogate("interchange", "CLEARING", "PLAN1", "BHT/B77");
  const part = (npi: string) => surrogate("interchange", "CLEARING", "PLAN1", `BHT/provider/${npi}/B77`);
  const accepted = "STC*A1:19*20260302*WQ*200";

  it("is read at once, however much is said of one provider, and says when not all of it is kept", async () => {
    const many = Array.from({ length: 15_000 }, (_, at) => `STC*A3:24*20260302*U*100******X${at}`);
    const started = performance.now();
    const { acknowledged, flags } = await told(...receiver("B77", accepted), ...provider(3, north), ...many);
    expect(performance.now() - started).toBeLessThan(3_000);
    expect(acknowledged[1]?.[2]).toHaveLength(100);
    expect(flags).toEqual(["REFUSALS_CUT_OFF"]);
  });

  it("says so of the batch, or of what it has of a provider, wherever that one stands", async () => {
    expect(await told(...receiver("B77", refused))).toEqual({ acknowledged: [[batch, "REJECTED", ["A3"]]], flags: [] });
    const one = await told(...receiver("B77", accepted), ...provider(3, north, refused));
    expect(one.acknowledged).toEqual([
      [batch, "ACCEPTED", ["A1"]],
      [part(north), "REJECTED", ["A3"]],
    ]);
    // After a provider with claims: in no unit of its own.
    const between = [...provider(3, north, accepted), ...patient(4, 3), ...provider(5, south, refused)];
    const later = await told(...receiver("B77", accepted), ...between, ...provider(6, north), ...patient(7, 6));
    expect(later.acknowledged).toEqual([
      [batch, "ACCEPTED", ["A1"]],
      [part(south), "REJECTED", ["A3"]],
    ]);
  });

  it("is flagged where it doesn't name the batch", async () => {
    const unnamed = { acknowledged: [], flags: ["BATCH_UNIDENTIFIED"] };
    expect(await told(...receiver("", refused))).toEqual(unnamed);
    expect(await told(...receiver("", accepted), ...provider(3, north, refused))).toEqual(unnamed);
    expect(await told(...receiver("", accepted))).toEqual({ acknowledged: [], flags: [] });
  });

  it("keeps so many providers of a set as fit a record of the log, and flags that there are more", async () => {
    const many = Array.from({ length: 5_001 }, (_, at) => provider(at + 3, String(1_000_000_000 + at), refused)).flat();
    const { acknowledged, flags } = await told(...receiver("B77", accepted), ...many);
    expect([acknowledged.length, flags]).toEqual([5_001, ["REFUSALS_CUT_OFF"]]);
  });

  it("names what an 837 sent the other way has as the part of its provider", async () => {
    const heading = heading837.map((one) => one.replace("*B1*", "*B77*"));
    const partOf = async (...body: string[]) => {
      const way = { sender: "CLEARING", receiver: "PLAN1" };
      const event = (await unitsOf([claims837(...body)], {}, way))[0]?.events[0];
      return event?.type === "ClaimSubmitted" ? event.fields.transmission?.batchPartId : "no claim";
    };
    expect(await partOf(...heading, ...subscriber, ...claim)).toBe(part(north));
    const nameless = heading.filter((one) => !one.startsWith("REF*EI")).map((one) => one.replace(/\*XX\*.*$/, ""));
    expect(await partOf(...nameless, ...subscriber, ...claim)).toBe(null);
  });
});
