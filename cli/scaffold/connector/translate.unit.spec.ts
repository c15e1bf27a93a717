import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { testSurrogate } from "../../../engine/testing/recording-intake.js";
import { profileSchema } from "./profile.js";
import { translate } from "./translate.js";

const sample = JSON.parse(readFileSync(new URL("./samples/accepted.json", import.meta.url), "utf8"));
const read = (message: unknown, profile = {}) =>
  translate(Buffer.from(JSON.stringify(message)), {
    partner: "generic",
    profile: profileSchema.parse(profile),
    surrogate: testSurrogate,
  });

describe("a message", () => {
  it("registers its patient, and keeps what names the person sealed", () => {
    const unit = read(sample);
    const subject = testSurrogate("patient", "NORTH", "MR", "N000001");
    expect(unit).toMatchObject({ verdict: { accepted: true }, feed: "generic/NORTH", sealFor: [subject] });
    expect(unit.events).toMatchObject([
      {
        type: "PatientRegistered",
        subject,
        time: Date.UTC(2026, 2, 1, 19, 30),
        fields: { facility: "NORTH", sex: "F", birthYear: 1980 },
        sealed: { identifierValues: ["N000001"], familyName: "Doe", givenNames: ["Jane"], birthDate: "1980-01-02" },
        sealFor: subject,
      },
    ]);
    expect(JSON.stringify(unit.events[0]?.fields)).not.toMatch(/Doe|Jane|N000001|1980-01-02/);
  });

  it("belongs to the profile's facility and authority where it names none", () => {
    const { facility, ...unnamed } = sample;
    const unit = read(unnamed, { facility: "LAB", authority: "REGION" });
    expect(unit.feed).toBe("generic/LAB");
    expect(unit.events[0]?.subject).toBe(testSurrogate("patient", "REGION", "MR", "N000001"));
  });

  it("is rejected with the place, never the value", () => {
    const rejected = read({ ...sample, patient: { ...sample.patient, birthDate: "1980-02-30" } });
    expect(rejected).toMatchObject({ events: [], sealFor: [] });
    expect(rejected.verdict).toEqual({ accepted: false, code: "FIELD_INVALID", location: "patient.birthDate" });
    expect(read("no message").verdict).toMatchObject({ code: "JSON_UNREADABLE" });
    const cut = translate(Buffer.from("{"), {
      partner: "p",
      profile: profileSchema.parse({}),
      surrogate: testSurrogate,
    });
    expect(cut.verdict).toMatchObject({ code: "JSON_UNREADABLE" });
  });
});
