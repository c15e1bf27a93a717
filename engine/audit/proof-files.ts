import { exactBytes } from "../log/log.js";
import { TributaryError } from "../service/errors.js";
import type { Pool } from "../store/pool.js";
import type { SignedTreeHead } from "./checkpoint.js";
import { signedHeads } from "./notary-store.js";
import { consistencyProof, inclusionProofs } from "./proofs.js";
import type { PlacedRecord } from "./read-places.js";
import type { ChainPlace } from "./record-chain.js";
import type { SecondPlace } from "./second-place.js";
import type { PackedCheckpoint } from "./verifier/checkpoint.js";
import type { ConsistencyProofFile, InclusionProofFile, ProofFile } from "./verifier/proof.js";
import type { PackedRecord } from "./verifier/record.js";

const base64 = (bytes: Buffer | null): string | null => bytes?.toString("base64") ?? null;

/** A record as it goes into packages and proofs. */
export function packedRecord({ topic, partition, record }: PlacedRecord): PackedRecord {
  const { key, value, headers } = exactBytes(record);
  return {
    topic,
    partition,
    offset: record.offset,
    timestamp: record.timestamp,
    key: base64(key),
    value: base64(value),
    headers: headers.map(([name, content]) => [name.toString("base64"), base64(content)]),
  };
}

/** A signed head as it goes into packages and proofs. */
export const packedCheckpoint = ({ topic, partition, size, root, signedAt, signature }: SignedTreeHead) =>
  ({
    topic,
    partition,
    size,
    root: root.toString("base64"),
    time: new Date(signedAt).toISOString(),
    signature: signature.toString("base64"),
  }) satisfies PackedCheckpoint;

export interface WantedHead {
  /** The tree has the record at this offset. */
  readonly offset: number;
  /** Raw key whose signature counts. */
  readonly publicKey: Buffer;
  /** Records in the tree; default the smallest signed one that has the record. */
  readonly size?: number | undefined;
  /** The last signed tree in place of the smallest. */
  readonly last?: boolean;
  /** Milliseconds to wait for the notary; default 120,000. */
  readonly timeout?: number | undefined;
}

/**
 * A signed tree with a record in it.
 * @throws TRIB_AUDIT_NOT_SIGNED when none comes in time; TRIB_CLI_NOT_FOUND when none of the wanted size was signed, and larger ones were.
 */
export async function headOver(
  pool: Pool,
  place: ChainPlace,
  { offset, publicKey, size, last = false, timeout = 120_000 }: WantedHead,
): Promise<SignedTreeHead> {
  const { topic, partition } = place;
  const until = Date.now() + timeout;
  for (;;) {
    const heads = (await signedHeads(pool, place, offset + 1)).filter((each) => each.publicKey.equals(publicKey));
    const head = size === undefined ? heads.at(last ? -1 : 0) : heads.find((each) => each.size === size);
    if (head) return head;
    if (size !== undefined && heads.some((each) => each.size > size)) {
      const what = `There is no checkpoint over ${size} records of ${topic}, partition ${partition}.`;
      throw new TributaryError("TRIB_CLI_NOT_FOUND", what);
    }
    if (Date.now() >= until) throw new TributaryError("TRIB_AUDIT_NOT_SIGNED", undefined, { topic, partition, offset });
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

/** A chain shorter than what was signed can't give a proof. */
async function whole<Made>({ topic, partition, size }: SignedTreeHead, made: Promise<Made>): Promise<Made> {
  try {
    return await made;
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new TributaryError("TRIB_AUDIT_CHAIN_BROKEN", undefined, { topic, partition, size }, { cause: error });
  }
}

/** The proof that a record, as the log gives it now, stands in a signed tree. Whether it holds is for `checkProof` to say. @throws TRIB_AUDIT_CHAIN_BROKEN */
export async function inclusionProofFile(
  pool: Pool,
  head: SignedTreeHead,
  record: PlacedRecord,
  publicKey: Buffer,
): Promise<InclusionProofFile> {
  const [proof] = await whole(head, inclusionProofs(pool, head, head, [record.offset]));
  return {
    format: "tributary-inclusion-proof/1",
    installation: head.journal,
    publicKey: publicKey.toString("hex"),
    record: packedRecord(record),
    before: base64(proof?.before ?? null) ?? "",
    path: (proof?.path ?? []).map((hash) => hash.toString("base64")),
    checkpoint: packedCheckpoint(head),
  };
}

/** The proof that one signed tree is the beginning of another. Whether it holds is for `checkProof` to say. @throws TRIB_AUDIT_CHAIN_BROKEN */
export async function consistencyProofFile(
  pool: Pool,
  from: SignedTreeHead,
  to: SignedTreeHead,
  publicKey: Buffer,
): Promise<ConsistencyProofFile> {
  const path = await whole(to, consistencyProof(pool, to, from, to));
  return {
    format: "tributary-consistency-proof/1",
    installation: to.journal,
    publicKey: publicKey.toString("hex"),
    from: packedCheckpoint(from),
    to: packedCheckpoint(to),
    path: path.map((hash) => hash.toString("base64")),
  };
}

/**
 * Compares a proof's checkpoints with those that are kept outside of the database.
 * @returns in plain words what is wrong; undefined when the second place has one of them at least, and none is another.
 */
export async function contradictionOutside(proof: ProofFile, second: SecondPlace): Promise<string | undefined> {
  const checkpoints = "record" in proof ? [proof.checkpoint] : [proof.from, proof.to];
  let compared = 0;
  for (const { topic, partition, size, root } of checkpoints) {
    const place = { journal: proof.installation, topic, partition };
    if (!(await second.sizes(place)).includes(size)) continue;
    const kept = await second.read(place, size);
    const name = `the checkpoint over ${size} records of ${topic}, partition ${partition},`;
    if (!kept) return `${name} in ${second.folder} can't be read`;
    if (kept.root.toString("base64") !== root) return `${name} is another one in ${second.folder}`;
    compared += 1;
  }
  return compared > 0 ? undefined : `${second.folder} has none of its checkpoints`;
}
