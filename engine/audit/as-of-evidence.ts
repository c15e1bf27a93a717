import { createHash } from "node:crypto";
import { quoted } from "../projector/names.js";
import type { AsOf } from "../replay/as-of.js";
import type { Pool } from "../store/pool.js";
import { groupsText, inSnapshot, leftOut, rowText, type SignedAsOfManifest } from "./as-of-manifest.js";
import type { PackedRowProof } from "./verifier/as-of.js";
import { canonicalJson } from "./verifier/avro.js";

interface Group {
  readonly b: number;
  readonly n: number;
  readonly hashes: Buffer;
}

const sha256 = (bytes: Buffer | string) => createHash("sha256").update(bytes);

/** That some rows are among those of all groups. */
function proofOf(rows: readonly string[], groups: readonly Group[]): PackedRowProof {
  const wanted = new Set(rows.map((row) => sha256(row).digest()[0]));
  return {
    groups: groups.map(({ b, n, hashes }) => ({ first: b, rows: Number(n), sha256: sha256(hashes).digest("hex") })),
    members: Object.fromEntries(
      groups.flatMap(({ b, hashes }) => (wanted.has(b) ? [[String(b), hashes.toString("base64")]] : [])),
    ),
  };
}

/** Of whom an as-of is asked. */
export interface EvidenceSubjects {
  /** The column `claim_id`, `visit_id` or `patient_id`. */
  readonly kind: "claim" | "visit" | "patient";
  readonly ids: readonly string[];
  /** Of the read models that a package tells about: the others' manifests have their names. Default true. */
  readonly isFirst?: boolean;
}

/**
 * What an as-of says about some subjects, as files of a package: the signed manifest, of each view the rows that name one of
 * them as they were hashed, and a proof that they are among the rows whose hash was signed. A proof has 1/256 of the
 * hashes of the view's rows, 32 bytes each, for each row told.
 * @param opens takes the columns along that identify a person.
 */
export function asOfEvidence(
  pool: Pool,
  { schema, views, sealed }: Pick<AsOf, "schema" | "views" | "sealed">,
  manifest: SignedAsOfManifest,
  { kind, ids, isFirst = true }: EvidenceSubjects,
  opens: boolean,
): Promise<ReadonlyMap<string, Uint8Array>> {
  return inSnapshot(pool, async (client) => {
    const files = new Map<string, Uint8Array>();
    const name = isFirst ? "manifest.json" : `${manifest.projection}.manifest.json`;
    files.set(`as-of/${name}`, Buffer.from(`${JSON.stringify(manifest, undefined, 2)}\n`));
    for (const view of views) {
      const { clear, whole } = leftOut(view, sealed);
      if (!view.columns.includes(`${kind}_id`) || (!opens && view.clear.length === 0)) continue;
      const without = opens ? (whole ?? clear) : clear;
      const { rows } = await client.query<{ row: string }>(
        `SELECT ${rowText(without)} AS row FROM ${quoted(schema)}.${quoted(view.name)} v
         WHERE ${quoted(`${kind}_id`)}  = ANY($1) ORDER BY 1`,
        [ids],
      );
      if (rows.length === 0) continue;
      const told = rows.map(({ row }) => row);
      const groups = await client.query<Group>(`${groupsText(schema, view.name, without)} ORDER BY 1`);
      files.set(`as-of/${view.name}.jsonl`, Buffer.from(told.map((row) => `${row}\n`).join("")));
      const proof = proofOf(told, groups.rows);
      files.set(`as-of/${view.name}.proof.json`, Buffer.from(`${canonicalJson(proof)}\n`));
    }
    return files;
  });
}
