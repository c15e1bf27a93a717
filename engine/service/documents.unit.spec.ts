import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { errorsDocument, metricsDocument, settingsDocument } from "./documents.js";
import { errorDefinitions } from "./error-definitions.js";
import { repositoryRoot } from "./root.js";

describe("the generated documents", () => {
  it.each([
    ["docs/errors.md", errorsDocument],
    ["docs/settings.md", settingsDocument],
    ["docs/metrics.md", metricsDocument],
  ])("%s is what the code says (npm run docs)", (path, render) => {
    expect(readFileSync(join(repositoryRoot, path), "utf8")).toBe(render());
  });

  it("names every error code TRIB_<AREA>_<WHAT>, with an exit code that is not 0", () => {
    for (const [code, definition] of Object.entries(errorDefinitions)) {
      expect(code).toMatch(/^TRIB_[A-Z0-9]+(_[A-Z0-9]+)+$/);
      expect(definition.exitCode).toBeGreaterThan(0);
    }
  });
});
