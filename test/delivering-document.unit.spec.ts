import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { validateDelivery } from "../engine/delivery/definition.js";
import { webhook } from "../engine/delivery/webhook.js";
import { consumer } from "../engine/service/consumer.js";
import { repositoryRoot } from "../engine/service/root.js";
import { recorded } from "../engine/testing/events.js";
import { mapped } from "../engine/testing/mapped.js";

const document = readFileSync(join(repositoryRoot, "docs/delivering.md"), "utf8");
const source = readFileSync(join(repositoryRoot, "test/delivering-document.unit.spec.ts"), "utf8");

// #region definition
const definition = consumer({
  name: "acme-health-plan",
  start: "latest",
  deliver: {
    events: ["ClaimSubmitted", "ClaimAdjudicated"],
    to: webhook({ url: { file: "acme-health-plan.url" }, secrets: ["acme-health-plan.whsec"] }),
    map: (told) => {
      if (told.type === "ClaimSubmitted") return { claim: told.key, billedCents: told.event.billedAmount };
      return told.event.balanced ? { claim: told.key, paidCents: told.event.paidAmount } : undefined;
    },
  },
});
// #endregion definition

const claim = "00000000-0000-4000-8000-000000000001";
const paid = {
  remittanceId: claim,
  payerId: "P",
  traceNumber: "1",
  occurrence: 1,
  statusCode: "1",
  paidAt: 0,
  contentHash: "h",
};
const adjudicated = { ...paid, chargeAmount: 5_000, paidAmount: 4_000, patientAmount: 1_000 };

describe("docs/delivering.md", () => {
  it("shows the definition as it is here, and it holds", () => {
    const region = source.split("// #region definition\n")[1]?.split("// #endregion definition")[0] ?? "";
    expect(document).toContain(`<!-- region: definition -->\n\`\`\`ts\n${region.trimEnd()}\n\`\`\``);
    expect(document.match(/^```ts$/gm)).toHaveLength(1);
    if (definition.deliver) validateDelivery(definition.name, definition.deliver);
    const events = recorded([
      { type: "ClaimAdjudicated", key: claim, fields: { ...adjudicated, balanced: true } },
      { type: "ClaimAdjudicated", key: claim, fields: { ...adjudicated, balanced: false } },
    ]);
    expect(mapped(definition, events)).toEqual([{ claim, paidCents: 4_000 }, undefined]);
  });

  it.each([
    ["no event", { events: [] }, "names no event"],
    ["an unknown one", { events: ["ClaimEaten"] }, "ClaimEaten"],
    ["one to open that is not delivered", { opens: ["PatientRegistered"] }, "PatientRegistered"],
    [
      "one to open that has nothing sealed",
      { events: ["VisitEnded", "SubjectErased"], opens: ["SubjectErased"] },
      "SubjectErased",
    ],
    ["an address in the clear", { to: webhook({ url: "http://acme.example/", secrets: ["a"] }) }, "https"],
  ])("a definition with %s is refused by name", (_, change, told) => {
    const wrong = { ...definition.deliver, ...change } as NonNullable<typeof definition.deliver>;
    expect(() => validateDelivery("acme", wrong)).toThrow(told);
  });
});
