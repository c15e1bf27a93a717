import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { repositoryRoot } from "../../engine/service/root.js";
import connector from "./connector.js";
import { profileSchema, versionsCountOnce } from "./profile.js";

describe("docs/connectors/fhir.md", () => {
  const text = readFileSync(join(repositoryRoot, "docs/connectors/fhir.md"), "utf8");

  it("explains every field of a profile", () => {
    const { properties } = z.toJSONSchema(profileSchema, { io: "input", unrepresentable: "any" });
    for (const field of Object.keys(properties ?? {})) {
      if (field !== "description") expect(text).toMatch(new RegExp(`\\| \`${field}[\`.]`));
    }
  });

  it("shows a partner that is one", () => {
    const [, shown = ""] = /```json\n([\s\S]*?)```/.exec(text) ?? [];
    expect(profileSchema.safeParse(JSON.parse(shown)).error).toBeUndefined();
  });
});

describe("what a version that comes again is", () => {
  const pull = { base: "https://lake.example" };
  it.each([
    [{}, false],
    [{ pull }, true],
    [{ pull: { ...pull, by: "history" } }, true],
    [{ pull: { ...pull, by: "search" } }, false],
    [{ pull, versions: "latest" }, false],
    [{ versions: "once" }, true],
  ])("follows from the profile, and is the same in a rehearsal, which asks nobody: %j", (given, once) => {
    const profile = profileSchema.parse(given);
    expect(versionsCountOnce(profile)).toBe(once);
    const rehearsed = connector.rehearsal?.(profile);
    expect(rehearsed).toMatchObject({ versions: once ? "once" : "latest" });
    expect(rehearsed).not.toHaveProperty("pull");
  });
});
