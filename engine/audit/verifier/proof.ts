import { canonicalJson } from "./avro.js";
import { base64, broken, fingerprintOf, hex, sha256, text, toBase64, utf8 } from "./bytes.js";
import { checkCheckpoint, type PackedCheckpoint, type Signer } from "./checkpoint.js";
import { leafOfRecord, type PackedRecord, placeOf } from "./record.js";
import { isBeginning, rootOf } from "./tree.js";
import { no, type Verdict, yes } from "./verdict.js";

/** That one record stands in a signed log, at its place, byte for byte (RFC 6962, 2.1.1). A file that proves itself. */
export interface InclusionProofFile extends Signer {
  readonly format: "tributary-inclusion-proof/1";
  readonly record: PackedRecord;
  /** Chain before the record: with the record it makes the leaf. Base64. */
  readonly before: string;
  /** Subtrees from the leaf up, base64. */
  readonly path: readonly string[];
  readonly checkpoint: PackedCheckpoint;
}

/** That a signed log was only added to from one checkpoint to another (RFC 6962, 2.1.2). A file that proves itself. */
export interface ConsistencyProofFile extends Signer {
  readonly format: "tributary-consistency-proof/1";
  readonly from: PackedCheckpoint;
  readonly to: PackedCheckpoint;
  readonly path: readonly string[];
}

export type ProofFile = InclusionProofFile | ConsistencyProofFile;

const recordFields = ({ topic, partition, offset, timestamp, key, value, headers }: PackedRecord) => ({
  topic,
  partition: count(partition),
  offset: count(offset),
  timestamp: count(timestamp),
  key: bytesOrNone(key),
  value: bytesOrNone(value),
  headers: headers.map(([name, content]) => [exact(name), bytesOrNone(content)]),
});

const checkpointFields = ({ topic, partition, size, root, time, signature }: PackedCheckpoint) => ({
  topic,
  partition: count(partition),
  size: count(size),
  root: exact(root),
  time,
  signature: exact(signature),
});

const count = (value: number): number =>
  Number.isSafeInteger(value) && value >= 0 ? value : broken("it is not written as a proof is");

/** The same bytes have one text only: what a decoder overlooks is found. */
const exact = (encoded: string): string =>
  toBase64(base64(encoded)) === encoded ? encoded : broken("it is not written as a proof is");
const bytesOrNone = (encoded: string | null): string | null => (encoded === null ? null : exact(encoded));

/**
 * A proof as it is kept: canonical JSON (RFC 8785) and a line's end, so that each byte has one right value.
 * @throws Error for what is no proof.
 */
export function proofText(proof: ProofFile): string {
  const { format, installation, publicKey, path } = proof;
  if (!/^[0-9a-f]{64}$/.test(publicKey)) broken("it is not written as a proof is");
  const signer = { format, installation, publicKey, path: path.map(exact) };
  if (format === "tributary-inclusion-proof/1") {
    const { record, before, checkpoint } = proof;
    const inner = { record: recordFields(record), before: exact(before), checkpoint: checkpointFields(checkpoint) };
    return `${canonicalJson({ ...signer, ...inner })}\n`;
  }
  if (format === "tributary-consistency-proof/1") {
    return `${canonicalJson({ ...signer, from: checkpointFields(proof.from), to: checkpointFields(proof.to) })}\n`;
  }
  return broken("it is no proof that this verifier knows");
}

/** A proof out of its file. @throws Error when a byte is not as a proof is written. */
export function readProof(bytes: Uint8Array): ProofFile {
  let proof: ProofFile;
  let written: string;
  try {
    proof = JSON.parse(text.decode(bytes)) as ProofFile;
    written = proofText(proof);
  } catch {
    return broken("it is not written as a proof is");
  }
  return hex(utf8.encode(written)) === hex(bytes) ? proof : broken("it is not written as a proof is");
}

const samePlace = (one: Pick<PackedCheckpoint, "topic" | "partition">, other: typeof one): boolean =>
  one.topic === other.topic && one.partition === other.partition;

async function checkInclusion({ record, before, path, checkpoint }: InclusionProofFile): Promise<string[]> {
  const place = placeOf(record);
  if (!samePlace(record, checkpoint)) broken(`its checkpoint is of another partition than the record at ${place}`);
  const leaf = await leafOfRecord(record, before);
  const root = await rootOf(leaf, record.offset, checkpoint.size, path.map(base64));
  if (hex(root) !== hex(base64(checkpoint.root))) broken(`the record at ${place} is not in the log that was signed`);
  const value = base64(record.value ?? "");
  return [
    "YES: this record stands in the log that was signed, at its place, byte for byte.",
    `It is the record at ${place}, appended on ${new Date(record.timestamp).toISOString()}.`,
    `Its value has ${value.length} bytes with the SHA-256 ${hex(await sha256(value))}.`,
    `The signed log had ${checkpoint.size} records there on ${checkpoint.time}.`,
  ];
}

async function checkConsistency({ from, to, path }: ConsistencyProofFile): Promise<string[]> {
  const tree = ({ size, root }: PackedCheckpoint) => ({ size, root: base64(root) });
  if (!samePlace(from, to)) broken("its checkpoints are of different partitions");
  const place = `${to.topic}, partition ${to.partition}`;
  if (!(await isBeginning(tree(from), tree(to), path.map(base64)))) {
    broken(`the first ${from.size} records of ${place} are not those that were signed on ${from.time}`);
  }
  return [
    "YES: this log was only added to.",
    `It is ${place}: ${from.size} records on ${from.time}, ${to.size} on ${to.time}.`,
    `The first ${from.size} of the later are those of the earlier: none was changed, left out, inserted or moved.`,
  ];
}

/**
 * Says whether a proof proves what it says, with nothing but the proof.
 * @param bytes of the file.
 * @param trusted public key in hexadecimal, got from elsewhere; without it only the proof's own is known.
 */
export async function checkProof(bytes: Uint8Array, trusted?: string): Promise<Verdict> {
  try {
    const proof = readProof(bytes);
    const key = await fingerprintOf(proof.publicKey);
    if (trusted !== undefined && trusted.trim().toLowerCase() !== proof.publicKey) {
      broken(`it is signed by another key (fingerprint ${key}) than the one you trust`);
    }
    const checkpoints = "record" in proof ? [proof.checkpoint] : [proof.from, proof.to];
    for (const checkpoint of checkpoints) await checkCheckpoint(checkpoint, proof);
    const words = "record" in proof ? await checkInclusion(proof) : await checkConsistency(proof);
    return yes([...words, `The log is that of the installation ${proof.installation}.`], key, trusted);
  } catch (error) {
    return no("this proof does not hold", error);
  }
}
