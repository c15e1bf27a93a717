import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { TributaryError } from "../service/errors.js";
import { type AvroRecord, baseNameOf, fullNameOf } from "./avro.js";
import { evolutionProblems } from "./compatibility.js";
import { type RootRecord, readSchemaFiles, rootRecords, schemasFolder } from "./schemas.js";

/** A version of a record that may have been written somewhere: it stays readable for ever. */
export interface CommittedVersion {
  /** Full name of the record. */
  readonly record: string;
  /** From 1, without gaps. */
  readonly version: number;
  readonly schema: AvroRecord;
  /** File, relative to the folder of schemas. */
  readonly path: string;
}

/** Something that `schemas check` finds. */
export interface SchemaProblem {
  readonly code: "TRIB_LOG_SCHEMA_INCOMPATIBLE" | "TRIB_LOG_SCHEMA_UNCOMMITTED";
  readonly record: string;
  readonly problem: string;
}

/** Every `schemas/<folder>/versions/<Record>.v<N>.avsc`, by record, oldest first. */
export function committedVersions(root: string = schemasFolder): ReadonlyMap<string, readonly CommittedVersion[]> {
  const versions = new Map<string, CommittedVersion[]>();
  for (const folder of readdirSync(root, { withFileTypes: true })) {
    const place = join(root, folder.name, "versions");
    if (!folder.isDirectory() || !existsSync(place)) continue;
    for (const file of readdirSync(place).sort()) {
      const match = /^(\w+)\.v(\d+)\.avsc$/.exec(file);
      if (!match) continue;
      const schema = JSON.parse(readFileSync(join(place, file), "utf8")) as AvroRecord;
      const record = fullNameOf(schema.name, schema.namespace, "");
      const path = relative(root, join(place, file));
      versions.set(record, [...(versions.get(record) ?? []), { record, version: Number(match[2]), schema, path }]);
    }
  }
  for (const list of versions.values()) list.sort((left, right) => left.version - right.version);
  return versions;
}

/** Text that is equal for equal schemas, whatever the order of their attributes. */
function canonical(schema: unknown): string {
  return JSON.stringify(schema, (_, value: unknown) =>
    value !== null && typeof value === "object" && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([left], [right]) => (left < right ? -1 : 1)))
      : value,
  );
}

/** The committed version that the current schema is, if any. */
export function currentVersion(
  root: RootRecord,
  versions: readonly CommittedVersion[] | undefined,
): CommittedVersion | undefined {
  const newest = versions?.at(-1);
  return newest && canonical(newest.schema) === canonical(root.schema) ? newest : undefined;
}

function problemsOf(root: RootRecord, versions: readonly CommittedVersion[]): SchemaProblem[] {
  const record = root.fullName;
  return versions.flatMap((version) =>
    evolutionProblems(version.schema, root.schema).map((problem) => ({
      code: "TRIB_LOG_SCHEMA_INCOMPATIBLE" as const,
      record,
      problem: `${problem} (against version ${version.version})`,
    })),
  );
}

/**
 * Compares every current schema with every committed version, without a registry.
 * @returns problems in the order of records; empty when all is well.
 */
export function checkSchemas(root: string = schemasFolder): readonly SchemaProblem[] {
  const roots = rootRecords(readSchemaFiles(root));
  const committed = committedVersions(root);
  const problems: SchemaProblem[] = [];
  for (const record of committed.keys()) {
    if (!roots.has(record)) {
      problems.push({
        code: "TRIB_LOG_SCHEMA_INCOMPATIBLE",
        record,
        problem: `${baseNameOf(record)}: the record is gone or renamed, but records of it may have been written.`,
      });
    }
  }
  for (const current of roots.values()) {
    const versions = committed.get(current.fullName) ?? [];
    problems.push(...problemsOf(current, versions));
    if (!currentVersion(current, versions)) {
      const against = versions.length === 0 ? "has no committed version" : `differs from version ${versions.length}`;
      problems.push({
        code: "TRIB_LOG_SCHEMA_UNCOMMITTED",
        record: current.fullName,
        problem: `${baseNameOf(current.fullName)}: ${against}. Run \`tributary schemas check --commit\`.`,
      });
    }
  }
  return problems;
}

/**
 * Writes the next version of every schema that changed.
 * @returns paths written, relative to the folder of schemas.
 * @throws TRIB_LOG_SCHEMA_INCOMPATIBLE naming every problem, and writes nothing, when a change is not compatible.
 */
export function commitVersions(root: string = schemasFolder): readonly string[] {
  const incompatible = checkSchemas(root).filter(({ code }) => code === "TRIB_LOG_SCHEMA_INCOMPATIBLE");
  if (incompatible.length > 0) {
    throw new TributaryError(
      "TRIB_LOG_SCHEMA_INCOMPATIBLE",
      `No version was written. ${incompatible.map(({ problem }) => problem).join(" ")}`,
      { problems: incompatible.length },
    );
  }
  const committed = committedVersions(root);
  const written: string[] = [];
  for (const current of rootRecords(readSchemaFiles(root)).values()) {
    const versions = committed.get(current.fullName) ?? [];
    if (currentVersion(current, versions)) continue;
    const folder = join(root, current.folder, "versions");
    mkdirSync(folder, { recursive: true });
    const path = join(folder, `${current.schema.name}.v${(versions.at(-1)?.version ?? 0) + 1}.avsc`);
    writeFileSync(path, `${JSON.stringify(current.schema, null, 2)}\n`);
    written.push(relative(root, path));
  }
  return written;
}
