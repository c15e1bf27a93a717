import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { untoldTime } from "../intake/retranslate.js";
import { readSettings } from "./settings.js";
import { openTranslator } from "./translator.js";

const root = mkdtempSync(join(tmpdir(), "tributary-translator-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const settings = readSettings({ TRIBUTARY_SECRET: "5e".repeat(32) });

/** A folder of profiles with further partners, who prove themselves. */
function withPartners(connector: string, partners: Readonly<Record<string, object>>): void {
  const folder = join(root, "producers", connector, "partners");
  mkdirSync(folder, { recursive: true });
  for (const [partner, profile] of Object.entries(partners)) {
    writeFileSync(join(folder, `${partner}.json`), JSON.stringify({ description: "A partner.", ...profile }));
  }
}

const patient = (id: string) => Buffer.from(JSON.stringify({ resourceType: "Patient", id, gender: "female" }));

describe("a connector that translates again", () => {
  it("lets in what it is given for a partner that proves itself, whatever with", async () => {
    const signature = { method: "signature", keys: ["guarded.secret"] };
    const certificate = { method: "certificate", fingerprints: [Array(32).fill("AB").join(":")] };
    withPartners("fhir", { signing: { authentication: [signature] }, certified: { authentication: [certificate] } });
    const fhir = await openTranslator("fhir", settings, root);
    try {
      for (const partner of ["signing", "certified"]) {
        const units = await fhir.translate(partner, patient("p1"));
        expect(units.map((unit) => [unit.partner, unit.verdict])).toEqual([[partner, { accepted: true }]]);
      }
    } finally {
      await fhir.close();
    }
  });

  it("leaves the time open where the sender gives none: it is not now that the unit was received", async () => {
    const fhir = await openTranslator("fhir", settings);
    try {
      const made = await fhir.translate("generic", patient("p1"));
      expect(made.flatMap(({ events }) => events.map(({ type, time }) => [type, time]))).toEqual([
        ["PatientRegistered", untoldTime],
      ]);
    } finally {
      await fhir.close();
    }
  });

  it("takes a body that is larger than partners may send by default", async () => {
    const fhir = await openTranslator("fhir", settings);
    try {
      const units = await fhir.translate("generic", Buffer.alloc(50_000_001, "x"));
      expect(units).toHaveLength(1);
    } finally {
      await fhir.close();
    }
  });

  it("asks no partner's server for anything", async () => {
    const asked: (string | undefined)[] = [];
    const lake = createServer((request, response) => {
      asked.push(request.url);
      response.end("{}");
    }).listen(0, "127.0.0.1");
    await new Promise((resolve) => lake.once("listening", resolve));
    const pull = { base: `http://127.0.0.1:${(lake.address() as AddressInfo).port}`, everySeconds: 0.05 };
    withPartners("fhir", { lake: { pull } });
    const fhir = await openTranslator("fhir", settings, root);
    try {
      expect(await fhir.translate("lake", patient("p1"))).toHaveLength(1);
      expect(await fhir.translate("lake", patient("p2"))).toHaveLength(1);
    } finally {
      await fhir.close();
      lake.close();
    }
    expect(asked).toEqual([]);
  });
});
