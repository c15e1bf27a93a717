import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { examine } from "../cli/demo/examination.js";
import { connectorAddresses } from "../cli/demo/play.js";
import { playRegion } from "../demo/deliver.js";
import { generateRegion } from "../demo/region.js";
import type { AuditReport } from "../engine/audit/findings.js";
import type { Trail } from "../engine/audit/trail.js";
import { openArchive } from "../engine/audit/verifier/archive.js";
import { checkPackage } from "../engine/audit/verifier/check.js";
import { rewritten, segmentAlterations, tamperedSegment } from "../engine/testing/segment-tampering.js";
import { chanceOf } from "../engine/testing/tampering.js";
import type { Differences, KnownThen } from "./audit/answers.js";
import { tributary } from "./command.js";
import { startInstallation, type TestInstallation } from "./installation.js";
import { missedOffsetBits, type SegmentCopy, segmentCopies } from "./segment-copies.js";

const region = generateRegion({ seed: "audit", patients: 25 });
let installation: TestInstallation;

const call = (...parameters: string[]) => tributary(installation.environment, parameters);
const json = async <Value>(...parameters: string[]): Promise<Value> => {
  const { exitCode, stdout, stderr } = await call(...parameters, "--json");
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
  return JSON.parse(stdout) as Value;
};
const jsonLines = (stdout: string) =>
  stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
const oneId = async (sql: string) => String((await installation.query(sql))[0]?.id);
const untilSigned = () =>
  expect
    .poll(
      async () => {
        const { partitions } = JSON.parse((await call("audit", "verify", "--json")).stdout) as AuditReport;
        return partitions.filter(({ records, witnessed }) => witnessed < records).length;
      },
      { timeout: 60_000, interval: 500 },
    )
    .toBe(0);

beforeAll(async () => {
  installation = await startInstallation({
    names: ["hl7v2", "x12", "publisher", "patients", "visits", "claims", "activity", "notary"],
    settings: { NOTARY_SECONDS: "1", CLOCK_SKEW_SECONDS: "0.3" },
  });
  await installation.untilReady();
  await playRegion(region, { addresses: connectorAddresses(installation.home) });
  await installation.applied();
}, 120_000);
afterAll(() => installation?.stop());

describe("the audit of an installation", () => {
  it("finds nothing wrong with a log that is as it was, and all of it signed in both places", async () => {
    await untilSigned();
    const report = await json<AuditReport>("audit", "verify", "--origins", "--deliveries");
    const origins = { ok: true, strays: 0, missing: 0 };
    expect(report).toMatchObject({ ok: true, first: null, origins, deliveries: { ok: true } });
    expect(report.partitions.reduce((sum, { records }) => sum + records, 0)).toBeGreaterThan(100);
  });

  it("tells all of a paid claim: unit, answer, event, rows and money", async () => {
    const id = await oneId(
      "SELECT claim_id AS id FROM projections.claims WHERE status = 'paid' ORDER BY claim_id LIMIT 1",
    );
    const trail = await json<Trail>("audit", "trail", "claim", id);
    expect(trail.by).toBe("timeline");
    const types = trail.events.map(({ type }) => type);
    // In the order in which they came: the insurer may have been quicker than the clearing house.
    expect(types).toContain("ClaimSubmitted");
    expect(types).toContain("ClaimAdjudicated");
    expect(types).toContain("RemittanceReceived");
    for (const event of trail.events) expect(trail.units.some(({ place }) => place === event.unit)).toBe(true);
    for (const unit of trail.units) expect(unit).toMatchObject({ accepted: true, sha256: null, bytes: null });
    // The last value of each column that an event changed is the row's.
    const [row] = await installation.query(
      `SELECT status, paid_amount::text AS paid FROM projections.claims WHERE claim_id = '${id}'`,
    );
    const last = (column: string) =>
      trail.events
        .flatMap(({ changes }) => changes.filter(({ table, columns }) => table === "claims" && columns[column]))
        .at(-1)?.columns[column]?.[1];
    expect(last("status")).toBe(row?.status);
    expect(last("paid_amount")).toBe(row?.paid);
    // Without a timeline the same is found.
    const scanned = await json<Trail>("audit", "trail", "claim", id, "--scan");
    expect(scanned.by).toBe("log");
    expect(scanned.events).toEqual(trail.events);
  });

  it("tells a patient over a merge, by either id", async () => {
    const [merged] = await installation.query(
      "SELECT patient_id AS retired, merged_into AS survivor FROM projections.patients WHERE merged_into IS NOT NULL LIMIT 1",
    );
    const [one, other] = [String(merged?.retired), String(merged?.survivor)];
    const [left, right] = [
      await json<Trail>("audit", "trail", "patient", one),
      await json<Trail>("audit", "trail", "patient", other),
    ];
    expect(left.patients).toEqual(expect.arrayContaining([one, other]));
    expect(right.events).toEqual(left.events);
    expect((await json<Trail>("audit", "trail", "patient", one, "--scan")).events).toEqual(left.events);
    expect(left.events.map(({ key }) => key)).toEqual(expect.arrayContaining([one, other]));
  });

  it("opens what is sealed for a reason only, and shows the bytes as they came", async () => {
    const id = await oneId("SELECT visit_id AS id FROM projections.visits ORDER BY visit_id LIMIT 1");
    expect((await call("audit", "trail", "visit", id, "--open")).exitCode).toBe(64);
    const opened = await json<Trail>("audit", "trail", "visit", id, "--open", "--reason", "appeal 17", "--by", "ada");
    const [unit] = opened.units;
    expect(Buffer.from(String(unit?.bytes), "base64").toString("latin1")).toMatch(/^MSH\|/);
    const listed = jsonLines((await call("intake", "list", "--json")).stdout);
    const same = listed.find(({ partition, offset }) => `${partition}/${offset}` === unit?.place);
    expect(same?.unitSha256).toBe(unit?.sha256);
  });

  it("makes a package that says yes, and no when it is changed", async () => {
    const id = await oneId(
      "SELECT claim_id AS id FROM projections.claims WHERE status = 'paid' ORDER BY claim_id LIMIT 1",
    );
    const file = join(installation.home, "claim.zip");
    const made = await json<{ publicKey: string }>(
      ...["audit", "package", "claim", id, "--out", file, "--open", "--reason", "court order", "--recipient", "court"],
    );
    const archive = readFileSync(file);
    expect(await checkPackage(archive, made.publicKey)).toMatchObject({ ok: true });
    expect([...openArchive(archive).keys()].filter((name) => name.startsWith("units/")).length).toBeGreaterThan(0);
    archive[Math.floor(archive.length / 2)] = (archive[Math.floor(archive.length / 2)] as number) ^ 4;
    expect(await checkPackage(archive, made.publicKey)).toMatchObject({ ok: false });
    const period = join(installation.home, "period.zip");
    const until = String(Date.now() - 400);
    const whole = ["audit", "package", "period", "2000-01-01T00:00:00Z", until, "--at", until, "--out", period];
    await json(...whole);
    expect(await checkPackage(readFileSync(period))).toMatchObject({ ok: true });
    const packed = openArchive(readFileSync(period));
    const packedFile = (name: string) => Buffer.from(packed.get(name) ?? []).toString();
    expect(packedFile("access.jsonl")).toMatch(/"audit package"[^\n]*"court"/);
    // Each claim and visit has an event in it: their rows are all there are, and nothing that names a person.
    for (const view of ["claims", "claim_lines", "visits", "patients"]) {
      const [all] = await installation.query(`SELECT count(*)::integer AS rows FROM projections.${view}`);
      expect(packedFile(`as-of/${view}.jsonl`).split("\n").length - 1, view).toBe(all?.rows);
    }
    expect(packedFile("as-of/patients.jsonl")).not.toContain("family_name");
    // Whoever has it keeps it, until it is said that it may go.
    const again = await call(...whole);
    expect([again.exitCode, again.stderr]).toEqual([73, expect.stringContaining("TRIB_CLI_FILE_THERE")]);
    const patient = join(installation.home, "patient.zip");
    const visited = await oneId("SELECT patient_id AS id FROM projections.visits ORDER BY visit_id LIMIT 1");
    await json("audit", "package", "patient", visited, "--at", String(Date.now() - 400), "--out", patient);
    expect(await checkPackage(readFileSync(patient), made.publicKey)).toMatchObject({ ok: true });
    const known = [...openArchive(readFileSync(patient)).keys()].filter((name) => /^as-of\/(?!.*proof)/.test(name));
    expect(known).toEqual(expect.arrayContaining(["as-of/patients.jsonl", "as-of/visits.jsonl"]));
    expect(known).toContain("as-of/claims.manifest.json");
  });

  it("proves a record, and that the log was only added to, to who has the public key and the checkpoints alone", async () => {
    const [event] = await installation.query(
      `SELECT event_id AS id, topic, partition, "offset" FROM projections.timeline
       WHERE event_type = 'ClaimAdjudicated' ORDER BY recorded_at LIMIT 1`,
    );
    const proof = join(installation.home, "proof.json");
    const made = await json<{ ok: boolean; lines: string[] }>(
      ...["audit", "prove", "--event", String(event?.id), "--out", proof, "--recipient", "court"],
    );
    expect(made.lines.join("\n")).toContain(`${event?.topic}, partition ${event?.partition}, offset ${event?.offset}`);
    const publicKey = String(JSON.parse(readFileSync(proof, "utf8")).publicKey);
    // Elsewhere: neither services nor keys, only a copy of the second place.
    const folder = join(installation.home, "notary");
    const home = join(installation.home, "elsewhere");
    const alone = { PATH: process.env.PATH ?? "", TRIBUTARY_HOME: home };
    const check = (command: string, file: string, ...more: string[]) =>
      tributary(alone, ["audit", command, "--check", file, "--public-key", publicKey, ...more]);
    expect(await check("prove", proof, "--folder", folder)).toMatchObject({
      exitCode: 0,
      stdout: expect.stringMatching(/^YES: this record stands[\s\S]*says the same\.$/m),
    });
    const place = join(folder, String(JSON.parse(readFileSync(proof, "utf8")).installation), String(event?.topic));
    const [kept] = readdirSync(join(place, String(event?.partition))).sort();
    const grown = join(installation.home, "grown.json");
    await json("audit", "consistency", "--from", join(place, String(event?.partition), String(kept)), "--out", grown);
    expect(await check("consistency", grown, "--folder", folder)).toMatchObject({
      exitCode: 0,
      stdout: expect.stringMatching(/^YES: this log was only added to\./),
    });
    writeFileSync(proof, readFileSync(proof, "utf8").replace('"offset":', '"offset":1'));
    expect(await check("prove", proof)).toMatchObject({ exitCode: 3, stdout: expect.stringMatching(/^NO: /) });
  });

  it("builds what was known at a moment, the same each time, and tells what changed since", async () => {
    const [moments] = await installation.query(
      `SELECT (extract(epoch FROM percentile_disc(0.3) WITHIN GROUP (ORDER BY recorded_at) FILTER (WHERE claim_id IS NOT NULL)) * 1000)::bigint AS middle,
         (extract(epoch FROM max(recorded_at)) * 1000)::bigint AS last FROM projections.timeline`,
    );
    const [middle, last] = [String(moments?.middle), String(moments?.last)];
    const asOf = (name: string, ...parameters: string[]) => json<KnownThen>("audit", "as-of", name, ...parameters);
    // All that there is, is what the read model has: opened columns, merges and what is derived too.
    const whole = new Map<string, KnownThen>();
    const opening = ["--open", "--reason", "comparison"];
    for (const name of ["claims", "patients"]) {
      const all = await asOf(name, "--at", last, ...opening);
      const { schema, manifest } = all;
      whole.set(name, all);
      for (const [table, { rows }] of Object.entries(manifest.tables)) {
        const [found] = await installation.query(`SELECT count(*)::int AS rows FROM projections_restricted.${table}`);
        expect([table, rows]).toEqual([table, found?.rows]);
        if (table === "acknowledgment_ladder" || table === "deadline_breaches") continue;
        const [differing] = await installation.query(
          `SELECT count(*)::int AS rows FROM (TABLE ${schema}.${table} EXCEPT TABLE projections_restricted.${table}) d`,
        );
        expect([table, differing?.rows]).toEqual([table, 0]);
      }
    }
    // Without a reason nothing is opened, and what identifies nobody is the same.
    const hashes = ({ manifest }: KnownThen) =>
      Object.entries(manifest.tables).map(([name, { sha256 }]) => [name, sha256]);
    const closed = await asOf("patients", "--at", last);
    expect(hashes(closed)).toEqual(hashes(whole.get("patients") as KnownThen));
    expect(closed.manifest.vaultEpoch).toBeNull();
    const names = `SELECT count(family_name)::int AS names, count(*)::int AS rows FROM`;
    expect(await installation.query(`${names} ${closed.schema}.patients`)).toEqual([
      { names: 0, rows: whole.get("patients")?.manifest.tables.patients?.rows },
    ]);
    const known = await asOf("claims", "--at", middle);
    const again = await asOf("claims", "--at", middle);
    expect(again.manifest.tables).toEqual(known.manifest.tables);
    expect(again.manifest.offsets).toEqual(known.manifest.offsets);
    const [then] = await installation.query(`SELECT count(*)::int AS claims FROM ${known.schema}.claims`);
    const [now] = await installation.query("SELECT count(*)::int AS claims FROM projections.claims");
    expect(Number(then?.claims)).toBeGreaterThan(0);
    expect(Number(then?.claims)).toBeLessThan(Number(now?.claims));
    // The history of the read model says the same without a build.
    const [believed] = await installation.query(
      `SELECT count(*)::int AS claims FROM (
         (SELECT claim_id, status, paid_amount FROM projections.claims_history
          WHERE recorded_from <= to_timestamp(${middle} / 1000.0) AND (recorded_to > to_timestamp(${middle} / 1000.0) OR recorded_to IS NULL)
          EXCEPT SELECT claim_id, status, paid_amount FROM ${known.schema}.claims WHERE status <> 'replaced')
       ) d JOIN ${known.schema}.claims USING (claim_id) WHERE claims.status <> 'replaced'`,
    );
    expect(believed?.claims).toBe(0);
    const { tables } = await json<Differences>("audit", "diff", "claims", "--from", middle, "--to", last);
    const paid = tables.claims?.rows.find(({ columns }) => columns.status?.[1] === "paid");
    expect(paid?.events.map(({ type }) => type)).toContain("ClaimAdjudicated");
    expect(tables.claims?.rows.filter(({ change }) => change === "added").length).toBe(
      Number(now?.claims) - Number(then?.claims),
    );
    for (const { schema } of await json<KnownThen[]>("audit", "as-of", "--list")) {
      expect((await call("audit", "as-of", "--drop", schema)).exitCode).toBe(0);
    }
    expect(await installation.query("SELECT FROM pg_namespace WHERE nspname LIKE 'as\\_of%'")).toEqual([]);
    const accesses = jsonLines((await call("audit", "access", "--json")).stdout);
    expect(accesses.filter(({ action }) => action === "REPLAY").length).toBe(10);
    expect(accesses.filter(({ action }) => action === "DROP").length).toBe(5);
    const openings = jsonLines((await call("audit", "access", "--action", "OPEN", "--json")).stdout);
    expect(openings.filter(({ how }) => how === "audit as-of")).toHaveLength(2);

    // A patient's key is destroyed: what identifies nobody is as it was.
    const before = whole.get("patients") as KnownThen;
    await installation.query(
      "SELECT engine.vault_destroy(ARRAY[patient_id]) FROM (SELECT max(patient_id::text)::uuid AS patient_id FROM projections.patients) p",
    );
    const after = await asOf("patients", "--at", last, ...opening);
    expect(hashes(after)).toEqual(hashes(before));
    expect(after.manifest.vaultEpoch).toBe(Number(before.manifest.vaultEpoch) + 1);
    expect(after.manifest.tables.patients?.restrictedSha256).not.toBe(
      before.manifest.tables.patients?.restrictedSha256,
    );
  });

  it("has recorded who was shown what, and why, also as AuditEvents", async () => {
    const accesses = jsonLines((await call("audit", "access", "--json")).stdout);
    expect(accesses).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ action: "OPEN", who: "ada", reason: "appeal 17" }),
        expect.objectContaining({ action: "EXPORT", reason: "court order", recipient: "court" }),
        expect.objectContaining({
          action: "EXPORT",
          what: expect.stringMatching(/^record health/),
          recipient: "court",
        }),
      ]),
    );
    const events = jsonLines((await call("audit", "access", "--fhir")).stdout);
    // The first look at the record is in the record, too.
    expect(events.length).toBe(accesses.length + 1);
    expect(events[0]).toMatchObject({ resourceType: "AuditEvent", outcome: "0", source: { observer: {} } });
    const patient = await oneId("SELECT patient_id AS id FROM projections.visits ORDER BY visit_id LIMIT 1");
    const disclosed = jsonLines((await call("audit", "disclosures", patient, "--json")).stdout);
    expect(disclosed).toContainEqual(expect.objectContaining({ kind: "access", who: "ada", action: "OPEN" }));
    const claimed = await oneId(
      "SELECT patient_id AS id FROM projections.claims WHERE status = 'paid' ORDER BY claim_id LIMIT 1",
    );
    const given = jsonLines((await call("audit", "disclosures", claimed, "--only", "disclosures", "--json")).stdout);
    expect(given).toContainEqual(expect.objectContaining({ recipient: "court", reason: "court order" }));
    expect(new Set(given.map(({ kind, action }) => `${kind} ${action}`))).toEqual(new Set(["disclosure EXPORT"]));
    const last = await call("audit", "access", "--who", "ada", "--action", "OPEN", "--limit", "1", "--json");
    expect(jsonLines(last.stdout)).toMatchObject([{ who: "ada", action: "OPEN", reason: "appeal 17" }]);
    // What reached everyone reached this patient.
    const everyone = disclosed.flatMap(({ whose }) => /^everyone in (\w+)/.exec(String(whose))?.[1] ?? []);
    expect(everyone).toEqual(expect.arrayContaining(["patients", "the"]));
    const unknown = await call("audit", "disclosures", "00000000-0000-4000-8000-000000000000");
    expect({ exitCode: unknown.exitCode, stdout: unknown.stdout }).toEqual({ exitCode: 1, stdout: "" });
    expect(unknown.stderr).toContain("no event about patient");
  });

  it("answers an examiner who asks why a claim was paid that is reversed (docs/audit.md)", async () => {
    const printed: string[] = [];
    const print = (line = "") => void printed.push(line);
    const folder = join(installation.home, "examination");
    const found = await examine({ call, folder, print, run: 260301, skewMilliseconds: 500 });
    expect(found.known).toMatchObject({ status: "paid", paid_amount: 80 });
    expect(found.now).toMatchObject({ status: "reversed", paid_amount: 0 });
    expect(printed.join("\n")).toMatch(/paid_amount: 80 -> 0[\s\S]*?by ClaimPaymentReversed health\.claim\.events/);
    const [right, changed] = found.verdicts;
    expect(right).toMatch(/^YES[\s\S]*that you trust\.$/);
    expect(changed).toMatch(/^NO/);
    // What was known then is in the package, the row and the signed manifest of the whole read model.
    const files = openArchive(readFileSync(join(folder, "claim-260301.zip")));
    const text = (name: string) => Buffer.from(files.get(name) ?? []).toString("utf8");
    expect(JSON.parse(text("as-of/claims.jsonl"))).toMatchObject({ claim_id: found.claim, status: "paid" });
    expect(JSON.parse(text("as-of/claims.jsonl"))).not.toHaveProperty("member_id");
    expect(JSON.parse(text("as-of/manifest.json"))).toMatchObject({ projection: "claims", at: found.day });
    expect((await call("audit", "access", "--json")).stdout).toMatch(/"action":"REPLAY"[^\n]*"examination"/);
  });

  it("hands out nothing of a patient who is erased while a package is put together", async () => {
    // Something of the patient is sealed under the patient's own key: a visit's number.
    const id = await oneId(
      `SELECT max(p.patient_id::text) AS id FROM projections.patients p JOIN projections.visits USING (patient_id)
       JOIN engine.vault_keys k ON k.subject = p.patient_id WHERE p.status = 'active' AND k.wrapped IS NOT NULL`,
    );
    const file = join(installation.home, "erased.zip");
    // It waits for the notary's signature, as it may for two minutes; the notary itself asks for the same.
    const holding = await installation.pool.connect();
    await holding.query("BEGIN; LOCK TABLE engine.notary_checkpoints IN ACCESS EXCLUSIVE MODE");
    const making = call("audit", "package", "patient", id, "--out", file, "--open", "--reason", "asked for");
    const waiting =
      "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' AND application_name = 'tributary cli' AND query LIKE 'SELECT size, root%'";
    await expect.poll(async () => (await installation.query(waiting)).length, { timeout: 30_000 }).toBe(1);
    await installation.query(`SELECT engine.vault_destroy(ARRAY['${id}'::uuid])`);
    await holding.query("COMMIT");
    holding.release();
    expect(await making).toMatchObject({
      exitCode: 75,
      stdout: "",
      stderr: expect.stringContaining("TRIB_AUDIT_ERASED_MEANWHILE"),
    });
    expect(existsSync(file)).toBe(false);
  });

  it("names what was changed in the notary's own tables, with exit code 3", async () => {
    const [row] = await installation.query(
      "SELECT topic, partition, max(log_offset) / 2 AS middle FROM engine.notary_chain GROUP BY 1, 2 ORDER BY count(*) DESC LIMIT 1",
    );
    const place = { topic: row?.topic, partition: row?.partition, offset: row?.middle };
    const where = `topic = '${row?.topic}' AND partition = ${row?.partition} AND log_offset = ${row?.middle}`;
    const [before] = await installation.query(
      `SELECT encode(hash, 'hex') AS hash FROM engine.notary_chain WHERE ${where}`,
    );
    await installation.query(`UPDATE engine.notary_chain SET hash = sha256(hash) WHERE ${where}`);
    const { exitCode, stdout } = await call("audit", "verify", "--json");
    expect(exitCode).toBe(3);
    expect((JSON.parse(stdout) as AuditReport).first).toMatchObject({ ...place, what: "chain changed" });
    expect((await call("audit", "verify")).stdout).toContain(`FIRST BREAK  topic ${place.topic}`);
    await installation.query(`UPDATE engine.notary_chain SET hash = decode('${before?.hash}', 'hex') WHERE ${where}`);
    expect([(await call("audit", "verify")).exitCode, (await call("audit", "folder")).exitCode]).toEqual([0, 0]);
  });

  const data = process.env.TRIBUTARY_TEST_KAFKA_DATA ?? "";
  const isThere = existsSync(data);
  if (!isThere) process.stdout.write("skipped: the broker's own files are not on this machine\n");
  it.runIf(isThere)("finds each of 1,000 alterations of the broker's own files, and names the first", async () => {
    await untilSigned();
    const { first, partitions } = await segmentCopies(installation, data);
    expect(first).toBeNull();
    // Written anew without an alteration nothing is found: what is found is never the writing.
    for (const { name, segment, findings } of partitions) {
      expect([name, await findings(rewritten(segment, segment.records))]).toEqual([name, []]);
    }
    const chance = chanceOf(11);
    const missed: string[] = [];
    for (let count = 0; count < 1_000; ) {
      const alteration = segmentAlterations[count % segmentAlterations.length] as (typeof segmentAlterations)[number];
      const copy = partitions[Math.floor(chance() * partitions.length)] as SegmentCopy;
      const tampered = tamperedSegment(copy.segment, alteration, chance);
      if (!tampered) continue;
      count += 1;
      const [found] = await copy.findings(tampered.bytes);
      const isNamed = found && found.offset >= tampered.first && found.offset <= tampered.last;
      const isLog = found?.what !== "record unreadable" || alteration === "flip a bit of the file";
      if (!isNamed || !isLog)
        missed.push(`${alteration} in ${copy.name} at ${tampered.first}: ${JSON.stringify(found)}`);
    }
    missed.push(...(await missedOffsetBits(partitions[0] as SegmentCopy)));
    expect(missed).toEqual([]);
    expect(partitions.length).toBeGreaterThan(8);
  });
});
