import { closeSync, fchmodSync, mkdirSync, openSync, writeFileSync } from "node:fs";
import { Argument, type Command } from "commander";
import { recordAccess } from "../engine/audit/access.js";
import { asOfEvidence, type EvidenceSubjects } from "../engine/audit/as-of-evidence.js";
import { fingerprint, notaryKey } from "../engine/audit/checkpoint.js";
import { makePackage } from "../engine/audit/package.js";
import { filesOfPeriod, filesOfTrail, type PackedPeriod } from "../engine/audit/package-files.js";
import { recordsOfPeriod } from "../engine/audit/period.js";
import type { PlacedRecord } from "../engine/audit/read-places.js";
import { assertStillOpen, type OpenedUnder } from "../engine/audit/still-open.js";
import { type Trail, type TrailKind, trailKinds, trailOf } from "../engine/audit/trail.js";
import { fetchSchema } from "../engine/log/registry.js";
import { entities, eventsTopic } from "../engine/log/schemas.js";
import { readJournalId } from "../engine/log/topics.js";
import { dropAsOf } from "../engine/replay/as-of.js";
import { rebuildFlags } from "../engine/service/node-flags.js";
import { requireSetting } from "../engine/service/settings.js";
import { madeAsOf } from "./audit-as-of.js";
import {
  type AccessOptions,
  actorOf,
  assertReason,
  surrogateOf,
  trailKindOf,
  withAccessOptions,
} from "./audit-options.js";
import { type AuditParts, withAudit } from "./audit-source.js";
import { tamperedExitCode } from "./audit-verify.js";
import { withBuildSource } from "./build-source.js";
import { instantOf, secondsOf } from "./instant.js";
import { assertFree, misuse, writing } from "./misuse.js";
import { print, printJson } from "./output.js";
import { ranWithFlags } from "./own-process.js";
import { ProgressLine, type TellProgress } from "./progress-line.js";
import { textGiven } from "./texts.js";
import { watchedLog } from "./watched-log.js";

interface PackageOptions extends AccessOptions {
  readonly out?: string;
  readonly force?: boolean;
  readonly scan?: boolean;
  readonly recipient?: string;
  readonly at?: number;
  readonly timeout: number;
}

/** Writes a file that only its owner reads, also where there was one that others could and that is to be replaced. */
function writeOwn(file: string, content: Uint8Array, force: boolean | undefined): void {
  // Another one may have come meanwhile.
  assertFree(file, force);
  const descriptor = openSync(file, force ? "w" : "wx", 0o600);
  try {
    fchmodSync(descriptor, 0o600);
    writeFileSync(descriptor, content);
  } finally {
    closeSync(descriptor);
  }
}

type Gathered = {
  readonly subject: { readonly kind: string; readonly id: string };
  readonly records: readonly PlacedRecord[];
  readonly opened: OpenedUnder | undefined;
} & (
  | { readonly trail: Trail; readonly period: undefined }
  | { readonly trail: undefined; readonly period: PackedPeriod }
);

type Asked =
  | { readonly kind: "period"; readonly from: number; readonly to: number }
  | { readonly kind: TrailKind; readonly id: string };

/** What is asked for, before anything is connected to. @throws InvalidArgumentError, TRIB_CLI_MISUSED */
function askedOf(kind: string, given: string, until: string | undefined, { open }: PackageOptions): Asked {
  if (kind !== "period") {
    if (until !== undefined) throw misuse("Only a period has an end.");
    return { kind: trailKindOf(kind), id: surrogateOf(given) };
  }
  if (open) throw misuse("A period is taken along sealed: no --open.");
  if (until === undefined) throw misuse("A period has a beginning and an end.");
  const [from, to] = [instantOf(given), instantOf(until)];
  if (from >= to) throw misuse("The end of a period comes after its beginning.");
  return { kind, from, to };
}

const idOf = (asked: Asked): string =>
  asked.kind === "period" ? `${new Date(asked.from).toISOString()}/${new Date(asked.to).toISOString()}` : asked.id;

async function gather({ source, log }: AuditParts, asked: Asked): Promise<Gathered> {
  const id = idOf(asked);
  if (asked.kind === "period") {
    const { kind, from, to } = asked;
    const records = await recordsOfPeriod(log, from, to);
    return { subject: { kind, id }, records, trail: undefined, opened: undefined, period: { from, until: to - 1 } };
  }
  return {
    subject: asked,
    period: undefined,
    ...(await trailOf({ ...source, deliveryRecords: Number.POSITIVE_INFINITY }, asked.kind, asked.id)),
  };
}

/** Read models that tell about each kind of subject, the subject's own first. */
const toldBy: Readonly<Record<TrailKind, readonly string[]>> = {
  claim: ["claims"],
  visit: ["visits"],
  patient: ["patients", "visits", "claims"],
};

/** Of whom a read model is asked what was known. */
type Known = Omit<EvidenceSubjects, "isFirst"> & { readonly name: string };

/** Of a period: its patients, visits and claims, each in the read model of its own. */
const knownOf = (asked: Asked, records: readonly PlacedRecord[]): readonly Known[] =>
  asked.kind === "period"
    ? entities.map((kind) => {
        const about = records.filter(({ topic }) => topic === eventsTopic(kind));
        return { name: toldBy[kind][0] as string, kind, ids: [...new Set(about.map(({ record }) => record.key))] };
      })
    : toldBy[asked.kind].map((name) => ({ name, kind: asked.kind, ids: [asked.id] }));

/** What was known of them at a moment: their rows, and the signed manifests of the whole read models. */
async function knownThen(
  known: readonly Known[],
  at: number,
  { open, reason, by }: PackageOptions,
  tell: TellProgress,
): Promise<ReadonlyMap<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  for (const { name, ...about } of known) {
    const isFirst = name === known[0]?.name;
    await withBuildSource(name, { connections: 2, sealed: !open }, async (parts) => {
      const { pool } = parts.source;
      const { asOf, manifest } = await madeAsOf(parts, { at, reason, by, command: "audit package", tell });
      try {
        const found = await asOfEvidence(pool, asOf, manifest, { ...about, isFirst }, open === true);
        for (const [file, bytes] of found) files.set(file, bytes);
      } finally {
        await dropAsOf(pool, asOf);
      }
    });
  }
  return files;
}

export function registerAuditPackage(command: Command): void {
  const packing = command
    .command("package")
    .addArgument(new Argument("<kind>", "what it is about").choices([...trailKinds, "period"]))
    .argument("<id>", "surrogate id; the beginning of a period, by the log's clock")
    .argument("[until]", "end of a period, exclusive")
    .description(
      "one archive that proves itself: records as text and as the log has them, schemas, units, proofs, log of accesses, a signed manifest and a verifier for browsers and Node; recorded as an export",
    )
    .option("--out <file>", "default audit-<kind>-<id>.zip")
    .option("--force", "replace the file where there is one")
    .option("--recipient <name>", "who is given it", textGiven)
    .option("--at <instant>", "take along what was known of it then, inclusive, by recorded time", instantOf)
    .option("--scan", "read the whole log, although there is a timeline")
    .option("--timeout <seconds>", "how long to wait for the notary's signature", secondsOf, 120);
  const told = {
    open: "take along what is sealed, opened: units as received, names, identifiers",
    json: "one JSON object",
  };
  withAccessOptions(packing, told).action(
    async (kind: string, id: string, until: string | undefined, options: PackageOptions) => {
      const asked = askedOf(kind, id, until, options);
      assertReason(options);
      const file = options.out ?? `audit-${asked.kind}-${idOf(asked).replace(/[^0-9a-zA-Z-]+/g, "_")}.zip`;
      assertFree(file, options.force);
      if (options.at !== undefined && (await ranWithFlags(rebuildFlags))) return;
      await withAudit(options, async (given) => {
        const progress = new ProgressLine(!options.json, "records");
        const { tell } = progress;
        const log = watchedLog(given.log, tell);
        const parts = { ...given, log, source: { ...given.source, log } };
        const { codec, pool, settings } = parts;
        const key = notaryKey(requireSetting(settings, "TRIBUTARY_NOTARY_KEY"));
        const journal = await readJournalId(log);
        const gathered = await gather(parts, asked);
        const { subject, records, trail, period } = gathered;
        const madeBy = actorOf(options.by);
        await recordAccess(log, codec, {
          action: "EXPORT",
          command: "audit package",
          subject,
          patients: trail?.patients ?? [],
          ...(period ? { bulk: { ...period, opened: false } } : {}),
          events: trail?.events.length ?? records.length,
          units: options.open ? (trail?.units.length ?? 0) : 0,
          reason: options.reason,
          recipient: options.recipient,
          actor: madeBy,
        });
        const making = { log, codec, pool, projections: parts.source.projections, journal };
        const files = new Map(
          trail === undefined
            ? await filesOfPeriod(making, subject.id, period, records)
            : await filesOfTrail(making, trail, records),
        );
        if (options.at !== undefined)
          for (const [name, bytes] of await knownThen(knownOf(asked, records), options.at, options, tell))
            files.set(name, bytes);
        tell("prove, once the notary has signed it");
        const archive = await makePackage(
          {
            pool,
            journal,
            key,
            schemaOf: (schema) => fetchSchema(settings, schema),
            timeout: options.timeout * 1000,
          },
          {
            subject,
            records,
            files,
            madeBy,
            madeAt: Date.now(),
            reason: options.reason ?? null,
            recipient: options.recipient ?? null,
          },
        );
        // Making it waits for the notary, and may make an as-of: long enough for an erasure.
        await assertStillOpen(pool, gathered.opened);
        progress.end();
        writeOwn(file, archive, options.force);
        const made = {
          file,
          bytes: archive.length,
          records: records.length,
          publicKey: key.publicKey.toString("hex"),
          fingerprint: fingerprint(key.publicKey),
        };
        const strays = trail?.events.filter(({ stray }) => stray !== null) ?? [];
        for (const { place, stray } of strays)
          process.stderr.write(`${place} is of no unit: ${stray}. The verifier will say no to this package.\n`);
        if (strays.length > 0) process.exitCode = tamperedExitCode;
        if (options.json) printJson(made);
        else {
          print(`${file}  ${made.bytes} bytes, ${made.records} records`);
          print(`signed by the key ${made.publicKey} (fingerprint ${made.fingerprint})`);
          print("check it with the verify.html or verify.mjs inside, or with one that you have from elsewhere");
        }
      });
    },
  );
  command
    .command("verifier")
    .argument("<folder>", "where verify.mjs and verify.html are written; made if it is not there")
    .description("the verifier of packages alone, to be given to who shall check one without trusting what is inside")
    .action(async (folder: string) => {
      const { nodeVerifier, pageVerifier } = await import("../engine/audit/verifier/bundle.js");
      writing(folder, () => {
        mkdirSync(folder, { recursive: true });
        writeFileSync(`${folder}/verify.mjs`, nodeVerifier());
        writeFileSync(`${folder}/verify.html`, pageVerifier());
      });
      print(`${folder}/verify.mjs`);
      print(`${folder}/verify.html`);
    });
}
