import { afterEach, beforeEach, expect, it } from "vitest";
import type { JournalledPart, ReceivedUnit } from "../../engine/intake/connector.js";
import { type ConnectorBench, startConnectorBench } from "../../engine/testing/connector-bench.js";
import connector from "./connector.js";

let bench: ConnectorBench;
beforeEach(async () => {
  bench = await startConnectorBench(connector);
});
afterEach(() => bench.close());

const meta = { lastUpdated: "2026-01-10T10:15:00Z" };
const patient = (id: string, more: object = {}) => ({ resourceType: "Patient", id, meta, gender: "female", ...more });
const entry = (method: string, id: string, more: object = {}) => ({
  fullUrl: `https://lake.example/Patient/${id}`,
  resource: patient(id, more),
  request: { method, url: method === "PUT" ? `Patient/${id}` : "Patient" },
});

/** Sends a body and gives what was journalled of it. */
async function journalled(method: string, path: string, body: string, type = "application/fhir+json") {
  const { url } = bench.receiver.addresses.find(({ partner }) => partner === "generic")!;
  bench.intake.units.length = 0;
  await fetch(`${url}${path}`, { method, headers: { "content-type": type }, body });
  return bench.intake.units.splice(0);
}

const partOf = (unit: ReceivedUnit): JournalledPart => ({
  entry: unit.entry,
  accepted: unit.verdict.accepted,
  code: unit.verdict.accepted ? null : unit.verdict.code,
  answer: unit.answer(unit.verdict),
  transport: unit.transport ? { controlNumbers: null, ...unit.transport } : null,
  bytes: Buffer.from(unit.bytes),
});

/** What is made of it when it is sent again. */
async function again(units: readonly ReceivedUnit[]): Promise<readonly ReceivedUnit[] | undefined> {
  const parts = units.map(partOf);
  const joined = connector.resending?.join(parts);
  if (!joined) return undefined;
  const { addresses } = bench.receiver;
  for await (const _ of connector.send({ addresses, partner: "generic", file: "journal", ...joined }));
  return bench.intake.units.splice(0);
}

const said = (units: readonly ReceivedUnit[] | undefined) =>
  units?.map(({ bytes, verdict, format, entry, events }) => [
    Buffer.from(bytes).toString(),
    verdict,
    format,
    entry,
    events,
  ]);

const lines = (...resources: object[]) => `${resources.map((one) => JSON.stringify(one)).join("\n")}\n`;

const deletedEncounter = {
  request: { method: "DELETE", url: "Encounter/e1" },
  response: { status: "204", lastModified: "2026-03-01T10:00:00Z" },
};

it.each<[string, string, string, string, string?]>([
  ["a resource sent to its place", "PUT", "/Patient/p1", JSON.stringify(patient("p1"))],
  ["a resource sent for the first time", "POST", "/Patient", JSON.stringify(patient("p1"))],
  [
    "a bundle",
    "POST",
    "",
    JSON.stringify(
      { resourceType: "Bundle", type: "batch", entry: [entry("PUT", "p1"), entry("POST", "p2")] },
      null,
      2,
    ),
  ],
  [
    "a bundle that was rejected as a whole",
    "POST",
    "",
    JSON.stringify({
      resourceType: "Bundle",
      type: "transaction",
      entry: [entry("PUT", "p1"), entry("PUT", "p2", { gender: "M" })],
    }),
  ],
  [
    "a history with a deletion",
    "POST",
    "",
    JSON.stringify({
      resourceType: "Bundle",
      type: "history",
      entry: [entry("PUT", "p1"), deletedEncounter],
    }),
  ],
  [
    "lines",
    "POST",
    "/Patient",
    lines(patient("p1"), patient("p2", { gender: "M" }), patient("p3")),
    "application/fhir+ndjson",
  ],
  ["a single line", "POST", "", lines(patient("p1")), "application/fhir+ndjson"],
])("translates %s again as it was sent", async (_name, method, path, body, type) => {
  const before = await journalled(method, path, body, type);
  expect(before.length).toBeGreaterThan(0);
  expect(said(await again(before))).toEqual(said(before));
});

it("does not make up what the journal doesn't have", async () => {
  // An entry that only names a resource, as notifications have them, is no unit, so that it is not kept.
  const gone = { fullUrl: "https://lake.example/Patient/p3", request: { method: "PUT", url: "Patient/p3" } };
  const history = { resourceType: "Bundle", type: "history", entry: [entry("PUT", "p1"), gone] };
  expect(await again(await journalled("POST", "", JSON.stringify(history)))).toBeUndefined();
  // Where a single resource was sent to is not kept when it is rejected.
  const [rejected] = await journalled("PUT", "/Patient/other", JSON.stringify(patient("p1")));
  expect(connector.resending?.isUnknown(partOf(rejected!))).toBe(true);
  const [line] = await journalled("POST", "", lines(patient("p1", { gender: "M" })), "application/fhir+ndjson");
  expect(connector.resending?.isUnknown(partOf(line!))).toBe(false);
});
