import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { credentialsIn } from "../reception/credentials.js";
import { loadConnector } from "./discover.js";
import { loadProfiles, readProfiles } from "./profiles.js";

/** What becomes of profiles that a folder has, by partner: those that can be used, and why the others can't. */
async function read(connector: string, files: Readonly<Record<string, object | string>>) {
  const root = mkdtempSync(join(tmpdir(), "tributary-profiles-"));
  onTestFinished(() => rmSync(root, { recursive: true }));
  const folder = join(root, "producers", connector, "partners");
  mkdirSync(folder, { recursive: true });
  for (const [partner, content] of Object.entries(files))
    writeFileSync(join(folder, `${partner}.json`), typeof content === "string" ? content : JSON.stringify(content));
  const definition = await loadConnector(connector);
  const options = { production: true, root, credentials: credentialsIn(root) };
  const { profiles, suspended } = readProfiles(definition, options);
  return {
    used: [...profiles.keys()],
    out: Object.fromEntries(suspended.map(({ partner, error }) => [partner, `${error.code} ${error.message}`])),
    load: () => loadProfiles(definition, true, root),
  };
}

const lake = { match: [{ application: "LAKEADT", facility: "LAKE" }] };

it("a profile that can't be used takes out its partner and no other", async () => {
  const { used, out, load } = await read("hl7v2", {
    north: { match: [{ facility: "NORTH" }] },
    lake: { ...lake, timezone: "Mars" },
    bay: "{",
    shore: { authentication: [{ method: "basic", user: "shore", password: "shore.password" }] },
    anybody: { match: [{}] },
    "Big Name": {},
  });
  expect(used).toEqual(["north"]);
  expect(out).toEqual({
    lake: expect.stringMatching(/^TRIB_SERVICE_PROFILE_INVALID producers\/hl7v2\/partners\/lake\.json: timezone/),
    bay: expect.stringContaining("bay.json is not JSON: line 1"),
    shore: expect.stringMatching(/^TRIB_RECEPTION_CREDENTIAL_MISSING .*shore\.json: .*shore\.password/),
    anybody: expect.stringContaining("match.0: takes any sender"),
    "Big Name": expect.stringContaining("lower-case"),
  });
  expect(load).toThrow(/bay\.json[\s\S]*lake\.json/);
});

it("two that claim the same sender are both out, and the reason names both files", async () => {
  const fingerprint = Array.from({ length: 32 }, () => "ab").join(":");
  const overlapping = {
    match: [lake, { ...lake, timezone: "America/Chicago" }],
    certificate: [{ certificate: "ours" }, { certificate: ["old", "ours"], match: lake.match }],
    fingerprint: [{ certificate: fingerprint }, { certificate: fingerprint.toUpperCase() }],
    port: [{ port: 2600 }, { port: 2600, match: lake.match }],
    bound: [{ ...lake, port: 2600 }, lake],
  };
  for (const [why, [one, other]] of Object.entries(overlapping)) {
    const { used, out, load } = await read("hl7v2", { alake: one!, lake: other!, north: {} });
    expect(used, why).toEqual(["north"]);
    for (const reason of [out.lake, out.alake])
      expect(reason, why).toMatch(/^TRIB_SERVICE_PROFILES_OVERLAP .*\/alake\.json and .*\/lake\.json both have /);
    expect(load, why).toThrow(/both have/);
  }
  const x12 = await read("x12", {
    one: { senders: ["LAKECLR", "B"] },
    two: { senders: ["LAKECLR"], receivers: ["R"] },
  });
  expect([x12.used, x12.out.two]).toEqual([[], expect.stringContaining("both have sender LAKECLR")]);
});

it("those that can be told apart stand beside each other", async () => {
  const apart = await read("hl7v2", {
    exact: lake,
    facility: { match: [{ facility: "LAKE" }] },
    ported: { ...lake, facility: undefined, match: [{ application: "X" }], port: 2600 },
    certified: { match: [{ application: "X" }], certificate: "x" },
  });
  expect(apart.out).toEqual({});
  const x12 = await read("x12", {
    one: { senders: ["A"], receivers: ["R1"] },
    two: { senders: ["A"], receivers: ["R2"] },
  });
  expect(x12.out).toEqual({});
  // Where the address or the folder says who sends, one sender may have two profiles: two kinds of files.
  const same = { authentication: [{ method: "certificate", subject: "lake" }], facility: "LAKE" };
  expect((await read("csv", { one: same, two: same })).out).toEqual({});
});

it("what could never work is refused before anybody tries it", async () => {
  const { out } = await read("csv", {
    noproof: { authentication: [{ method: "certificate" }] },
    otherkind: { rows: "patients", columns: { familyName: "Surname", startedAt: "From" } },
    nonumber: { rows: "visits", columns: { startedAt: "From" } },
    own: { rows: "visits" },
  });
  expect(out).toEqual({
    noproof: expect.stringContaining("authentication.0: needs `fingerprints` or `subject`"),
    otherkind: expect.stringContaining('columns.startedAt is "From": rows of patients have no such field'),
    nonumber: expect.stringContaining("columns: visits need visit"),
  });
  const hl7v2 = await read("hl7v2", {
    short: { certificate: "AA:BB" },
    other: { processingIds: ["X"] },
    most: { messageLimit: 99_999_999_999 },
  });
  expect(Object.keys(hl7v2.out).sort()).toEqual(["most", "other", "short"]);
});
