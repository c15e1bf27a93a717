import { createHash, sign } from "node:crypto";
import { zipSync } from "fflate";
import { TributaryError } from "../service/errors.js";
import type { Pool } from "../store/pool.js";
import type { NotaryKey } from "./checkpoint.js";
import { headOver, packedCheckpoint, packedRecord } from "./proof-files.js";
import { inclusionProofs } from "./proofs.js";
import type { PlacedRecord } from "./read-places.js";
import { canonicalJson, schemaIdIn } from "./verifier/avro.js";
import { nodeVerifier, pageVerifier } from "./verifier/bundle.js";
import { type PackedProof, packageFormat } from "./verifier/check.js";
import type { PackedCheckpoint } from "./verifier/checkpoint.js";
import { shownOf } from "./verifier/record.js";

/** What a package is made of. */
export interface PackageContent {
  readonly subject: { readonly kind: string; readonly id: string };
  /** In the order in which they are shown. */
  readonly records: readonly PlacedRecord[];
  /** Further files, by name: the trail, units that were opened, the log of accesses. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly madeBy: string;
  readonly madeAt: number;
  readonly reason: string | null;
  readonly recipient: string | null;
}

export interface PackageParts {
  readonly pool: Pool;
  readonly journal: string;
  readonly key: NotaryKey;
  /** The schema of an id on the wire, from the registry. */
  readonly schemaOf: (id: number) => Promise<object>;
  /** Milliseconds to wait until the notary has signed the last of the records; default 120,000. */
  readonly timeout?: number;
}

const utf8 = (text: string): Buffer => Buffer.from(text);
const lines = (texts: readonly string[]): Buffer => utf8(texts.map((text) => `${text}\n`).join(""));

interface Proven {
  readonly proofs: ReadonlyMap<PlacedRecord, PackedProof>;
  readonly checkpoints: readonly PackedCheckpoint[];
}

async function proven(parts: PackageParts, records: readonly PlacedRecord[]): Promise<Proven> {
  const proofs = new Map<PlacedRecord, PackedProof>();
  const checkpoints: PackedCheckpoint[] = [];
  const partitions = new Map<string, PlacedRecord[]>();
  for (const record of records) {
    const name = `${record.topic}/${record.partition}`;
    const group = partitions.get(name);
    if (group) group.push(record);
    else partitions.set(name, [record]);
  }
  for (const group of partitions.values()) {
    const last = group.reduce((left, right) => (right.offset > left.offset ? right : left));
    const { pool, journal, key, timeout } = parts;
    const place = { journal, topic: last.topic, partition: last.partition };
    const head = await headOver(pool, place, { offset: last.offset, publicKey: key.publicKey, timeout });
    const { size } = head;
    const found = await inclusionProofs(
      pool,
      head,
      head,
      group.map(({ offset }) => offset),
    );
    for (const [index, { before, path }] of found.entries()) {
      proofs.set(group[index] as PlacedRecord, {
        size,
        before: before.toString("base64"),
        path: path.map((hash) => hash.toString("base64")),
      });
    }
    checkpoints.push(packedCheckpoint(head));
  }
  return { proofs, checkpoints };
}

/** 1 January 1980 in the zone of the machine, in which the library writes it: the same bytes everywhere. */
const zipDate = new Date(1980, 0, 1);

/** A record may name a schema that nobody registered: it goes along as its bytes. */
function unknownSchema(error: unknown): null {
  if (error instanceof TributaryError && error.code === "TRIB_LOG_UNKNOWN_SCHEMA") return null;
  throw error;
}

/**
 * Makes one archive: records as they are and as text, schemas, proofs, what else is given, a signed manifest, and a
 * verifier. A reader needs nothing but the archive.
 * @throws TRIB_AUDIT_NOT_SIGNED
 */
export async function makePackage(parts: PackageParts, content: PackageContent): Promise<Buffer> {
  const { records } = content;
  const { proofs, checkpoints } = await proven(parts, records);
  const files = new Map<string, Uint8Array>();
  const raw = records.map(packedRecord);
  for (const { value } of raw) {
    const id = schemaIdIn(Buffer.from(value ?? "", "base64"));
    const name = `schemas/${id}.json`;
    // What is no Avro names no schema.
    if (Number.isNaN(id) || files.has(name)) continue;
    const schema = await parts.schemaOf(id).catch(unknownSchema);
    files.set(name, utf8(`${JSON.stringify(schema, undefined, 2)}\n`));
  }
  files.set("records.jsonl", lines(raw.map((record) => JSON.stringify(record))));
  files.set("events.jsonl", lines(raw.map((record) => shownOf(record, files))));
  files.set("proofs.jsonl", lines(records.map((record) => JSON.stringify(proofs.get(record)))));
  files.set("checkpoints.jsonl", lines(checkpoints.map((checkpoint) => JSON.stringify(checkpoint))));
  for (const [name, bytes] of content.files) files.set(name, bytes);
  files.set("verify.mjs", utf8(nodeVerifier()));
  files.set("verify.html", utf8(pageVerifier()));
  files.set("README.txt", utf8(readme(content)));
  const manifest = utf8(
    `${canonicalJson({
      format: packageFormat,
      subject: content.subject,
      madeAt: new Date(content.madeAt).toISOString(),
      madeBy: content.madeBy,
      reason: content.reason,
      recipient: content.recipient,
      installation: parts.journal,
      publicKey: parts.key.publicKey.toString("hex"),
      files: [...files].map(([name, bytes]) => ({
        name,
        bytes: bytes.length,
        sha256: createHash("sha256").update(bytes).digest("hex"),
      })),
    })}\n`,
  );
  const all = new Map<string, Uint8Array>([
    ["manifest.json", manifest],
    ["manifest.sig", sign(null, manifest, parts.key.privateKey)],
    ...files,
  ]);
  return zipped(all);
}

/** One archive as the verifier wants it: stored, in the order given, without dates. */
export const zipped = (files: ReadonlyMap<string, Uint8Array>): Buffer =>
  Buffer.from(zipSync(Object.fromEntries(files), { level: 0, mtime: zipDate, os: 0, attrs: 0 }));

const readme = ({ subject }: PackageContent): string => `Audit package about the ${subject.kind} ${subject.id}

Check it:    open verify.html in a browser and choose this archive, or: node verify.mjs PACKAGE [PUBLIC-KEY]
             A verifier and a public key that you got from elsewhere prove more than those in here.

events.jsonl       what each record says, one line a record
records.jsonl      the same records as the log has them, bytes in base64
schemas/           Avro schemas of the records, by the id in front of each
proofs.jsonl       that each record stands in the log, one line a record (RFC 6962)
checkpoints.jsonl  the signed states of the log that the proofs lead to
as-of/             rows as they were known at a moment, with proofs, and the signed state of the whole read model
trail.json         units, events, the rows that they changed and what was sent to partners, in order; amounts with two decimal places, instants in UTC
deliveries.jsonl   of a period: what was sent to partners in it, one line an event and partner
access.jsonl       who was shown or given any of it (FHIR AuditEvent)
units/             units as received, where they were opened
manifest.json      all files with their SHA-256; manifest.sig is its Ed25519 signature
`;
