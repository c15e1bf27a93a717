import { base64, broken, isSigned, unhex, utf8 } from "./bytes.js";

/** A signed state of a partition: a line of `checkpoints.jsonl`, and part of a proof. Bytes are in base64. */
export interface PackedCheckpoint {
  readonly topic: string;
  readonly partition: number;
  /** Records in the tree: those with offsets below. */
  readonly size: number;
  readonly root: string;
  /** ISO 8601. */
  readonly time: string;
  readonly signature: string;
}

/** Whose log and whose signature. */
export interface Signer {
  /** Id of the journal. */
  readonly installation: string;
  /** Raw, hexadecimal. */
  readonly publicKey: string;
}

/** What a checkpoint calls itself; one that was changed may name no partition any more. */
export const checkpointName = ({ topic, partition }: Partial<PackedCheckpoint>): string =>
  typeof topic === "string" && typeof partition === "number"
    ? `checkpoint of ${topic}, partition ${partition}`
    : "checkpoint that names no partition of a topic";

/** @throws Error when the notary didn't sign it. */
export async function checkCheckpoint(
  checkpoint: PackedCheckpoint,
  { installation, publicKey }: Signer,
): Promise<void> {
  const { topic, partition, size, root, time, signature } = checkpoint;
  const signed = `tributary/${installation}/${topic}/${partition}\n${size}\n${root}\ntime ${time}\n`;
  if (!(await isSigned(unhex(publicKey), utf8.encode(signed), base64(signature)))) {
    broken(`the signature over the log's ${checkpointName(checkpoint)}, is wrong`);
  }
}
