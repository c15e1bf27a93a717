import type { Command } from "commander";
import { recordAccess } from "../engine/audit/access.js";
import { type SignedAsOfManifest, signAsOf } from "../engine/audit/as-of-manifest.js";
import { asOfRows } from "../engine/audit/as-of-rows.js";
import { notaryKey } from "../engine/audit/checkpoint.js";
import { connectCodec } from "../engine/log/registry.js";
import { type AsOf, buildAsOf, dropAsOf, listAsOfs, showAsOf } from "../engine/replay/as-of.js";
import { projectionNamed } from "../engine/service/discover.js";
import { TributaryError } from "../engine/service/errors.js";
import { rebuildFlags } from "../engine/service/node-flags.js";
import { requireSetting } from "../engine/service/settings.js";
import {
  type AccessOptions,
  actorOf,
  assertReason,
  instantText,
  type Subject,
  subjectOf,
  withAccessOptions,
} from "./audit-options.js";
import { type BuildParts, withBuildSource } from "./build-source.js";
import { instantOf } from "./instant.js";
import { withLog } from "./log.js";
import { assertAlone, misuse } from "./misuse.js";
import { print, printJson, printTable } from "./output.js";
import { ranWithFlags } from "./own-process.js";
import { type TellProgress, withProgress } from "./progress-line.js";
import { codeVersion } from "./version.js";

export interface AsOfRequest {
  readonly at: number;
  readonly effectiveAt?: number | undefined;
  readonly reason?: AccessOptions["reason"] | undefined;
  readonly by?: AccessOptions["by"] | undefined;
  /** The command, as it is recorded. */
  readonly command: string;
  readonly tell: TellProgress;
}

/** Builds an as-of, records the access, and only then lets anybody read it. */
export async function madeAsOf(
  { source, log, codec, settings }: BuildParts,
  request: AsOfRequest,
): Promise<{ readonly asOf: AsOf; readonly manifest: SignedAsOfManifest }> {
  const key = notaryKey(requireSetting(settings, "TRIBUTARY_NOTARY_KEY"));
  const { at, effectiveAt, reason, command, tell } = request;
  const actor = actorOf(request.by);
  const clockSkew = settings.CLOCK_SKEW_SECONDS * 1000;
  const progress = (events: number, total: number) => tell(`as of ${instantText(at)}`, events, total);
  const asOf = await buildAsOf({ ...source, log, at, effectiveAt, clockSkew, progress });
  try {
    tell("hash and sign its tables");
    const manifest = await signAsOf(source.pool, asOf, key, codeVersion);
    const subject = { kind: "projection", id: asOf.projection };
    await recordAccess(log, codec, {
      action: source.opens ? "OPEN" : "REPLAY",
      command,
      subject,
      patients: [],
      bulk: { projection: asOf.projection, until: at, opened: source.opens },
      events: asOf.events,
      reason,
      actor,
    });
    await showAsOf(source.pool, asOf, manifest, actor);
    return { asOf, manifest };
  } catch (error) {
    await dropAsOf(source.pool, asOf).catch(() => {});
    throw error;
  }
}

interface AsOfCommandOptions extends AccessOptions {
  readonly at?: number;
  readonly effectiveAt?: number;
  readonly sealed?: boolean;
  readonly list?: boolean;
  readonly drop?: string;
  readonly of?: Subject;
}

async function list({ json, reason, by }: AsOfCommandOptions): Promise<void> {
  const found = await withLog(async ({ log, pool, settings }) => {
    const subject = { kind: "as-of", id: "all" };
    const access = { command: "audit as-of --list", subject, patients: [], reason, actor: actorOf(by) };
    await recordAccess(log, await connectCodec(settings), { action: "READ", ...access });
    return listAsOfs(pool);
  });
  const time = (at: number | null) => (at === null ? null : new Date(at).toISOString());
  const rows = found.map(({ schema, projection, at, effectiveAt, madeAt, madeBy, manifest }) => ({
    schema,
    projection,
    at: time(at),
    effectiveAt: time(effectiveAt),
    madeAt: time(madeAt),
    madeBy,
    ...(json ? { manifest } : {}),
  }));
  if (json) printJson(rows);
  else printTable(rows);
}

async function drop(schema: string, { reason, by }: AsOfCommandOptions): Promise<void> {
  await withLog(async ({ log, pool, settings }) => {
    const found = (await listAsOfs(pool)).find((one) => one.schema === schema);
    if (!found) throw new TributaryError("TRIB_CLI_NOT_FOUND", `There is no as-of ${schema}: \`audit as-of --list\`.`);
    const subject = { kind: "as-of", id: schema };
    const access = { command: "audit as-of --drop", subject, patients: [], reason, actor: actorOf(by) };
    await recordAccess(log, await connectCodec(settings), { action: "DROP", ...access });
    await dropAsOf(pool, found);
  });
  print(`${schema} is dropped; it can be built again`);
}

async function build(name: string, options: AsOfCommandOptions & { readonly at: number }): Promise<void> {
  assertReason(options);
  if (options.at > Date.now())
    throw new TributaryError("TRIB_REPLAY_AS_OF_TOO_YOUNG", `${instantText(options.at)} has not come yet.`);
  await projectionNamed(name);
  if (await ranWithFlags(rebuildFlags)) return;
  await withBuildSource(name, { connections: 2, sealed: !options.open }, async (parts) => {
    const { source } = parts;
    const { asOf, manifest } = await withProgress(!options.json, "events", ({ tell }) =>
      madeAsOf(parts, { ...options, command: "audit as-of", tell }),
    );
    if (options.json) {
      printJson({ schema: asOf.schema, manifest });
      return;
    }
    print(asOf.schema);
    const { at, effectiveAt, offsets, parkedKeys, publicKey, signature } = manifest;
    print(`  known at      ${at}${effectiveAt === null ? "" : `, of that what had happened by ${effectiveAt}`}`);
    print(
      `  journal       ${Object.entries(offsets)
        .map(([partition, offset]) => `${partition}:${offset}`)
        .join(" ")}`,
    );
    print(`  parked keys   ${parkedKeys}`);
    print(`  signed by     ${publicKey}`);
    print(`  signature     ${signature}`);
    printTable(Object.entries(manifest.tables).map(([table, { rows, sha256 }]) => ({ table, rows, sha256 })));
    if (Object.values(manifest.tables).every(({ rows }) => rows === 0)) {
      print("Nothing of it was known then: is that the moment you mean? A day is its beginning, in UTC.");
    }
    if (options.of === undefined) return;
    const { kind, id } = options.of;
    const found = Object.entries(await asOfRows(source.pool, asOf, kind, id, options.open === true));
    if (found.length === 0) print(`No row about ${kind} ${id}: it was not known then, or is not in ${name}.`);
    for (const [view, rows] of found) for (const row of rows) print(`${view}  ${row}`);
  });
}

export function registerAuditAsOf(command: Command): void {
  const asOf = command
    .command("as-of")
    .argument("[name]", "projection")
    .description(
      "build a read model as it was known at a past moment, into a schema of its own, with a signed manifest; recorded as an access",
    )
    .option("--at <instant>", "what was known then, inclusive, by recorded time", instantOf)
    .option("--effective-at <instant>", "of that only what had happened by then, by the messages' own time", instantOf)
    .option("--sealed", "leave restricted columns empty, as without --open")
    .option("--of <kind/id>", "show its rows about one `claim/ID`, `visit/ID` or `patient/ID`", subjectOf)
    .option("--list", "the as-ofs that are there")
    .option("--drop <schema>", "drop one of them");
  const told = {
    open: "fill restricted columns, for whom the schema's roles let see them",
    json: "one JSON object: schema and manifest",
  };
  withAccessOptions(asOf, told).action(async (name: string | undefined, options: AsOfCommandOptions) => {
    const { at, effectiveAt, open, sealed, of } = options;
    const built = name ?? at ?? effectiveAt ?? open ?? sealed ?? of;
    assertAlone({ "--list": options.list, "--drop": options.drop, "what is to be built": built });
    assertAlone({ "--open": open, "--sealed": sealed });
    if (options.list) return list(options);
    if (options.drop !== undefined) return drop(options.drop, options);
    if (name === undefined || at === undefined) throw misuse("Give a projection and --at, or --list, or --drop.");
    return build(name, { ...options, at });
  });
}
