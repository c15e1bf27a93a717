import { openArchive } from "./archive.js";
import { canonicalJson, decodeRecord, schemaIdIn } from "./avro.js";

/** What a verifier says of a package. */
export interface Verdict {
  readonly ok: boolean;
  /** In plain words: the verdict first. */
  readonly lines: readonly string[];
}

interface Manifest {
  readonly format: string;
  readonly subject: { readonly kind: string; readonly id: string };
  readonly madeAt: string;
  readonly madeBy: string;
  readonly installation: string;
  readonly publicKey: string;
  readonly files: readonly { readonly name: string; readonly bytes: number; readonly sha256: string }[];
}

/** One line of `records.jsonl`; bytes in base64. */
export interface PackedRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly timestamp: number;
  readonly key: string | null;
  readonly value: string | null;
  readonly headers: readonly (readonly [name: string, value: string | null])[];
}

/** One line of `proofs.jsonl`, for the record of the same line. */
export interface PackedProof {
  readonly size: number;
  readonly before: string;
  readonly path: readonly string[];
}

/** One line of `checkpoints.jsonl`. */
export interface PackedCheckpoint {
  readonly topic: string;
  readonly partition: number;
  readonly size: number;
  readonly root: string;
  readonly time: string;
  readonly signature: string;
}

export const packageFormat = "tributary-audit-package/1";
const { subtle } = globalThis.crypto;
const text = new TextDecoder("utf-8", { fatal: true });
const utf8 = new TextEncoder();
const hex = (bytes: Uint8Array): string => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
const base64 = (encoded: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(atob(encoded), (char) => char.charCodeAt(0));
const unhex = (encoded: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(encoded.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));

function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

const sha256 = async (...parts: readonly Uint8Array[]): Promise<Uint8Array> =>
  new Uint8Array(await subtle.digest("SHA-256", joined(parts)));

class Broken extends Error {}
const broken = (what: string): never => {
  throw new Broken(what);
};

const linesOf = (bytes: Uint8Array): string[] => text.decode(bytes).split("\n").filter(Boolean);

async function isSigned(publicKey: Uint8Array, content: Uint8Array, signature: Uint8Array): Promise<boolean> {
  const raw = new Uint8Array(publicKey);
  const key = await subtle.importKey("raw", raw, { name: "Ed25519" }, false, ["verify"]);
  return subtle.verify("Ed25519", key, new Uint8Array(signature), new Uint8Array(content));
}

function int32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setInt32(0, value);
  return bytes;
}

const sized = (bytes: Uint8Array | null): Uint8Array[] => (bytes === null ? [int32(-1)] : [int32(bytes.length), bytes]);
const bytesOf = (encoded: string | null): Uint8Array | null => (encoded === null ? null : base64(encoded));

/** A record as the notary hashes it. */
function recordParts({ offset, timestamp, key, value, headers }: PackedRecord): Uint8Array[] {
  const place = new Uint8Array(16);
  const view = new DataView(place.buffer);
  view.setBigInt64(0, BigInt(offset));
  view.setBigInt64(8, BigInt(timestamp));
  return [
    place,
    ...sized(bytesOf(key)),
    ...sized(bytesOf(value)),
    int32(headers.length),
    ...headers.flatMap(([name, content]) => [...sized(base64(name)), ...sized(bytesOf(content))]),
  ];
}

const pair = (left: Uint8Array, right: Uint8Array) => sha256(Uint8Array.of(1), left, right);

/** Root of the tree of that size in which the path puts the leaf (RFC 6962, 2.1.1). */
async function rootOf(leaf: Uint8Array, index: number, size: number, path: readonly Uint8Array[]): Promise<Uint8Array> {
  if (!(index < size)) return broken("a proof is for a record that its tree doesn't have");
  let hash = leaf;
  let [at, last] = [index, size - 1];
  for (const sibling of path) {
    if (last === 0) return broken("a proof is too long");
    if (at % 2 === 1 || at === last) {
      hash = await pair(sibling, hash);
      while (at % 2 === 0 && at !== 0) {
        at = Math.floor(at / 2);
        last = Math.floor(last / 2);
      }
    } else hash = await pair(hash, sibling);
    at = Math.floor(at / 2);
    last = Math.floor(last / 2);
  }
  return last === 0 ? hash : broken("a proof is too short");
}

const placeOf = ({ topic, partition, offset }: PackedRecord) => `${topic}, partition ${partition}, offset ${offset}`;

async function checkManifest(files: ReadonlyMap<string, Uint8Array>): Promise<Manifest> {
  const bytes = files.get("manifest.json") ?? broken("there is no manifest.json");
  const signature = files.get("manifest.sig") ?? broken("there is no manifest.sig");
  const manifest = JSON.parse(text.decode(bytes)) as Manifest;
  if (manifest.format !== packageFormat) broken(`this is no package of the format ${packageFormat}`);
  const key = unhex(manifest.publicKey);
  if (key.length !== 32 || !(await isSigned(key, bytes, signature))) broken("the signature over the manifest is wrong");
  const listed = new Set(["manifest.json", "manifest.sig"]);
  for (const { name, bytes: size, sha256: sum } of manifest.files) {
    const content = files.get(name) ?? broken(`the file ${name} is missing`);
    if (content.length !== size || hex(await sha256(content)) !== sum) broken(`the file ${name} was changed`);
    listed.add(name);
  }
  for (const name of files.keys()) if (!listed.has(name)) broken(`the file ${name} was put in afterwards`);
  return manifest;
}

/** Roots by partition and size, each under the notary's signature. */
async function checkCheckpoints(
  bytes: Uint8Array,
  { installation, publicKey }: Manifest,
): Promise<Map<string, string>> {
  const roots = new Map<string, string>();
  for (const line of linesOf(bytes)) {
    const { topic, partition, size, root, time, signature } = JSON.parse(line) as PackedCheckpoint;
    const signed = `tributary/${installation}/${topic}/${partition}\n${size}\n${root}\ntime ${time}\n`;
    if (!(await isSigned(unhex(publicKey), utf8.encode(signed), base64(signature)))) {
      broken(`the signature over the log's checkpoint of ${topic}, partition ${partition}, is wrong`);
    }
    roots.set(`${topic}/${partition}/${size}`, hex(base64(root)));
  }
  return roots;
}

async function checkRecords(
  files: ReadonlyMap<string, Uint8Array>,
  roots: ReadonlyMap<string, string>,
): Promise<number> {
  const records = linesOf(files.get("records.jsonl") ?? broken("there is no records.jsonl"));
  const proofs = linesOf(files.get("proofs.jsonl") ?? broken("there is no proofs.jsonl"));
  const shown = linesOf(files.get("events.jsonl") ?? broken("there is no events.jsonl"));
  if (proofs.length !== records.length || shown.length !== records.length) broken("records and proofs are not as many");
  for (const [index, line] of records.entries()) {
    const record = JSON.parse(line) as PackedRecord;
    const proof = JSON.parse(proofs[index] as string) as PackedProof;
    const chain = await sha256(base64(proof.before), ...recordParts(record));
    const leaf = await sha256(Uint8Array.of(0), chain);
    const root = await rootOf(leaf, record.offset, proof.size, proof.path.map(base64));
    if (roots.get(`${record.topic}/${record.partition}/${proof.size}`) !== hex(root)) {
      broken(`the record at ${placeOf(record)} is not in the log that was signed`);
    }
    if (shownOf(record, files) !== shown[index])
      broken(`the text of the record at ${placeOf(record)} is not what its bytes say`);
  }
  return records.length;
}

/** A line of `events.jsonl`: what a record's bytes say, by the schema that they name. */
export function shownOf(record: PackedRecord, files: ReadonlyMap<string, Uint8Array>): string {
  const value = base64(record.value ?? "");
  const id = schemaIdIn(value);
  const file = files.get(`schemas/${id}.json`) ?? broken(`the schema ${id} is missing`);
  const schema = JSON.parse(text.decode(file)) as Record<string, unknown>;
  const { topic, partition, offset, timestamp, key } = record;
  let content: unknown = null;
  let isReadable = true;
  try {
    content = decodeRecord(value, schema);
  } catch {
    isReadable = false;
  }
  return canonicalJson({
    topic,
    partition,
    offset,
    recorded: new Date(timestamp).toISOString(),
    key: key === null ? null : new TextDecoder().decode(base64(key)),
    headers: record.headers.map(([name, content]) => [
      new TextDecoder().decode(base64(name)),
      content === null ? null : new TextDecoder().decode(base64(content)),
    ]),
    schema: id,
    record: `${schema.namespace}.${schema.name}`,
    content,
    ...(isReadable ? {} : { unreadable: true }),
  });
}

/**
 * Says whether a package is as it was made, and whether its records are those of the signed log.
 * @param bytes of the archive.
 * @param trusted public key in hexadecimal, got from elsewhere; without it only the package's own is known.
 */
export async function checkPackage(bytes: Uint8Array, trusted?: string): Promise<Verdict> {
  try {
    const files = openArchive(bytes);
    const manifest = await checkManifest(files);
    const key = hex(await sha256(unhex(manifest.publicKey))).slice(0, 16);
    if (trusted !== undefined && trusted.trim().toLowerCase() !== manifest.publicKey) {
      broken(`it is signed by another key (fingerprint ${key}) than the one you trust`);
    }
    const roots = await checkCheckpoints(
      files.get("checkpoints.jsonl") ?? broken("there is no checkpoints.jsonl"),
      manifest,
    );
    const records = await checkRecords(files, roots);
    const { kind, id } = manifest.subject;
    return {
      ok: true,
      lines: [
        "YES: this package is as it was made.",
        `It is about the ${kind} ${id}, and was made on ${manifest.madeAt} by ${manifest.madeBy}.`,
        `None of its ${manifest.files.length} files was changed, left out or added.`,
        `Each of its ${records} records stands in the log that was signed, at its place, byte for byte.`,
        trusted === undefined
          ? `It is signed by the key with the fingerprint ${key}. Compare that with the one you were given.`
          : "It is signed by the key that you trust.",
      ],
    };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return { ok: false, lines: ["NO: this package is not as it was made.", `First thing found: ${why}.`] };
  }
}
