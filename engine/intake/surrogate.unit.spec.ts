import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { eventId } from "./event-id.js";
import { contentHash, keyedHash } from "./keyed-hash.js";
import { surrogates } from "./surrogate.js";

const secret = "00112233445566778899aabbccddeeff".repeat(2);
const surrogate = surrogates(keyedHash(secret));

describe("surrogate ids", () => {
  // Computed with Python's hmac module: ids must stay the same for ever.
  it("are HMAC-SHA-256 of the length-prefixed parts, 128 bits as UUID", () => {
    expect(surrogate("patient", "HOSP", "MR", "12345")).toBe("d31b7938-5d43-65fe-d5a0-e726cb192bd3");
    expect(surrogate("visit", "HOSP", "", "V-1")).toBe("051679c8-2553-0262-3db1-df952908fd39");
    expect(surrogate("claim", "1234567893", "", "CLM é")).toBe("bc93a66b-43b6-337e-bd4c-447b5152c029");
    expect(surrogate("patient", "HOSPM", "R", "12345")).toBe("167408cb-093e-74b4-5a7d-6f3db2d952e1");
    const content = contentHash(secret);
    const hash = "548d08eead36c8ecf91e80414c5c5a369630fc7590932b8129f8c607ab7909e0";
    expect(content([Buffer.from("MSH|x\r")]).toString("hex")).toBe(hash);
    expect(content([Buffer.from("MSH"), Buffer.from("|x\r")]).toString("hex")).toBe(hash);
    expect(eventId("0f8fad5b-d9cb-469f-a165-70867728950e", 0, 2)).toBe("84328c43-5333-458e-3fc7-d411bf0ac99c");
  });

  it("are the same from memory as computed anew, however the cache turns over", () => {
    const parts = fc.tuple(fc.string({ maxLength: 3 }), fc.string({ maxLength: 3 }), fc.string({ maxLength: 3 }));
    fc.assert(
      fc.property(fc.array(parts, { maxLength: 200 }), (names) => {
        const small = surrogates(keyedHash(secret), 8);
        for (const [authority, type, value] of [...names, ...names]) {
          const fresh = surrogates(keyedHash(secret), 8);
          expect(small("patient", authority, type, value)).toBe(fresh("patient", authority, type, value));
        }
      }),
      { numRuns: 30 },
    );
  });

  it("differ with the secret and with every part", () => {
    const others = [
      surrogates(keyedHash("ff".repeat(32)))("patient", "HOSP", "MR", "12345"),
      surrogate("visit", "HOSP", "MR", "12345"),
      surrogate("patient", "HOS", "PMR", "12345"),
      surrogate("patient", "HOSP", "MR1", "2345"),
    ];
    expect(new Set([...others, surrogate("patient", "HOSP", "MR", "12345")]).size).toBe(5);
  });
});
