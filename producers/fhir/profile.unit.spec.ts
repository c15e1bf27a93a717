import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { repositoryRoot } from "../../engine/service/root.js";
import { profileSchema } from "./profile.js";

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
