import { describe, expect, it } from "vitest";
import { testSurrogate } from "../../engine/testing/recording-intake.js";
import { profileSchema } from "./profile.js";
import { messageOf } from "./testing/messages.js";
import { readTransmission } from "./transmission.js";

const profiles = new Map([["generic", profileSchema.parse({})]]);

/** Takes a block in. @returns its units, its answer, and the milliseconds that it held everybody else up. */
function take(block: string) {
  const begun = performance.now();
  const { units, answer } = readTransmission(
    Buffer.from(block),
    { profiles, surrogate: testSurrogate, receivedAt: 0 },
    () => "receipt",
  );
  const text = answer(units.map(({ verdict }) => ({ verdict, receiptId: "receipt" }))).join("");
  return { units, text, milliseconds: performance.now() - begun };
}

const many = (count: number, of: (index: number) => string) => Array.from({ length: count }, (_, index) => of(index));

/** Anybody on the network may send these, and while one is read nobody else is answered. */
describe("a message that is made to be costly is refused within moments", () => {
  it.each([
    ["of wrong segments", { more: many(90_000, (at) => `Abc|${at}`) }, "|BAD_SEGMENT_ID"],
    ["of wrong dates", { more: many(90_000, (at) => `OBX|${at}|TX|||x|||||||||20240231`) }, "ERR||OBX^1^14|102"],
    ["of segments without an end", { more: many(400_000, () => "NTE|") }, "|TOO_LARGE"],
    ["of identifiers", { pid: `1||${many(150_000, (at) => `${at}`).join("~")}` }, "|TOO_LARGE"],
    ["of merges", { type: "ADT^A40", pv1: null, more: many(20_000, (at) => `MRG|${at}^^^NORTH^MR`) }, "|TOO_LARGE"],
    ["of patients", { type: "ADT^A24", pv1: null, more: many(20_000, (at) => `PID|1||P${at}`) }, "|TOO_LARGE"],
  ])("%s", (_, sketch, answer) => {
    const { units, text, milliseconds } = take(messageOf(sketch));
    expect(units.map(({ events }) => events)).toEqual([[]]);
    expect(text).toContain(answer);
    expect(milliseconds).toBeLessThan(3_000);
  });
});

it("a block of more messages than are taken together is refused as one, with the head that is kept", () => {
  const { units, text } = take("MSH|^~\\&|A|B|||20240102||ADT^A01|C1|P|2.5\r".repeat(20_000));
  expect(units.length).toBe(1);
  expect(units[0]).toMatchObject({ verdict: { accepted: false, code: "102", location: "MSH" }, events: [] });
  expect(units[0]?.bytes.length).toBe(65_536);
  expect(text).toContain("MSA|AR|C1");
});
