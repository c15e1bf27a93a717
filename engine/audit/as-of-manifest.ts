import { createHash, sign } from "node:crypto";
import { literal, quoted } from "../projector/names.js";
import type { AsOf } from "../replay/as-of.js";
import type { Pool, PoolClient } from "../store/pool.js";
import type { NotaryKey } from "./checkpoint.js";
import { canonicalJson } from "./verifier/avro.js";

/** What a table of an as-of holds. */
export interface TableDigest {
  readonly rows: number;
  /** Of the columns that identify nobody. */
  readonly sha256: string;
  /** Of whole rows, where some columns are restricted and were opened; else null. Equal at equal epochs of the vault. */
  readonly restrictedSha256: string | null;
}

/** What is signed about an as-of. Times are ISO 8601. */
export interface AsOfManifest {
  readonly format: "tributary as-of 1";
  readonly projection: string;
  readonly version: number;
  readonly at: string;
  readonly effectiveAt: string | null;
  readonly journal: string;
  /** By journal partition the first entry that was not known. */
  readonly offsets: Readonly<Record<string, number>>;
  /** Ids in the registry of the schemas that the events were written with. */
  readonly schemaIds: readonly number[];
  /** Events that operators decided about, and the hash of these decisions. */
  readonly decisions: { readonly events: number; readonly sha256: string };
  readonly parkedKeys: number;
  /** Destructions of keys that restricted columns reflect; null where nothing was opened. */
  readonly vaultEpoch: number | null;
  /** Version of the installation that built it. */
  readonly code: string;
  readonly tables: Readonly<Record<string, TableDigest>>;
  readonly madeAt: string;
  /** Ed25519, raw, hexadecimal. */
  readonly publicKey: string;
}

export type SignedAsOfManifest = AsOfManifest & {
  /** Ed25519 over the canonical JSON (RFC 8785) of all else, base64. */
  readonly signature: string;
};

/** Where the engine found a row says nothing about what it holds. */
const places = ["source_topic", "source_partition", "source_offset", "source_ordinal"];

type AsOfViews = Pick<AsOf, "schema" | "views" | "sealed">;

/** A row as it is hashed: JSON as Postgres writes it, without some columns. */
export const rowText = (without: readonly string[]): string =>
  `(to_jsonb(v) - ARRAY[${without.map(literal).join(", ")}]::text[])::text`;

/** Columns that a view's hashes leave out: that of what identifies nobody, and that of whole rows where there is one. */
export function leftOut({ columns, clear }: AsOf["views"][number], sealed: boolean) {
  const restricted = columns.filter((column) => !clear.includes(column));
  // Empty columns are of no epoch: their hash would differ from that of the same rows opened.
  return { clear: [...restricted, ...places], whole: restricted.length > 0 && !sealed ? places : undefined };
}

/** The groups of a view's rows by the first byte of their hashes: the byte, the number of rows, their hashes joined. */
export const groupsText = (schema: string, view: string, without: readonly string[]): string =>
  `SELECT get_byte(h, 0) AS b, count(*) AS n, string_agg(h, ''::bytea ORDER BY h) AS hashes
   FROM (SELECT sha256(convert_to(${rowText(without)}, 'UTF8')) AS h FROM ${quoted(schema)}.${quoted(view)} v) r
   GROUP BY 1`;

/**
 * Rows and their hash, in no order: SHA-256 of each row as JSON, these sorted and hashed in groups by their first byte, the
 * groups' hashes hashed in order. So that anybody can check it with SQL alone, and no list grows with the table.
 */
const digestText = (schema: string, view: string, without: readonly string[]): string =>
  `SELECT coalesce(sum(n), 0)::bigint AS rows,
     encode(sha256(coalesce(string_agg(sha256(hashes), ''::bytea ORDER BY b), '')), 'hex') AS sha256
   FROM (${groupsText(schema, view, without)}) s`;

/** Runs queries of one snapshot, in which instants are written in UTC. */
export async function inSnapshot<Result>(pool: Pool, work: (client: PoolClient) => Promise<Result>): Promise<Result> {
  const client = await pool.connect();
  let broken = true;
  try {
    await client.query("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
    await client.query("SET LOCAL TimeZone = 'UTC'");
    const result = await work(client);
    await client.query("COMMIT");
    broken = false;
    return result;
  } finally {
    client.release(broken);
  }
}

/** Digests of all views of an as-of, from one snapshot. */
export function digestsOf(
  pool: Pool,
  { schema, views, sealed }: AsOfViews,
): Promise<Readonly<Record<string, TableDigest>>> {
  return inSnapshot(pool, async (client) => {
    const digests: Record<string, TableDigest> = {};
    const digest = async (view: string, without: readonly string[]) => {
      const { rows } = await client.query<{ rows: number; sha256: string }>(digestText(schema, view, without));
      return rows[0] as { rows: number; sha256: string };
    };
    for (const view of views) {
      const { clear, whole } = leftOut(view, sealed);
      const seen = await digest(view.name, clear);
      const all = whole && (await digest(view.name, whole));
      // A table without a clear column tells nobody anything by its rows.
      const sha256 = view.clear.length > 0 ? seen.sha256 : createHash("sha256").digest("hex");
      digests[view.name] = { rows: Number(seen.rows), sha256, restrictedSha256: all?.sha256 ?? null };
    }
    return digests;
  });
}

/**
 * Hashes an as-of and signs what it is made of.
 * @param code version of the installation.
 */
export async function signAsOf(pool: Pool, asOf: AsOf, key: NotaryKey, code: string): Promise<SignedAsOfManifest> {
  const { projection, version, at, effectiveAt, vector, schemaIds, decisions, parkedKeys, vaultEpoch } = asOf;
  const manifest: AsOfManifest = {
    format: "tributary as-of 1",
    projection,
    version,
    at: new Date(at).toISOString(),
    effectiveAt: effectiveAt === undefined ? null : new Date(effectiveAt).toISOString(),
    journal: vector.journal,
    offsets: Object.fromEntries(vector.offsets),
    schemaIds,
    decisions: {
      events: decisions.length,
      sha256: createHash("sha256").update(canonicalJson(decisions)).digest("hex"),
    },
    parkedKeys,
    vaultEpoch: vaultEpoch ?? null,
    code,
    tables: await digestsOf(pool, asOf),
    madeAt: new Date().toISOString(),
    publicKey: key.publicKey.toString("hex"),
  };
  return { ...manifest, signature: sign(null, signedBytes(manifest), key.privateKey).toString("base64") };
}

const signedBytes = (manifest: AsOfManifest): Buffer => Buffer.from(canonicalJson(manifest));
