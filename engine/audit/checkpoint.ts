import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import { TributaryError } from "../service/errors.js";
import { type ChainPlace, chainOrigin } from "./record-chain.js";

/** A partition's tree at a size: what the notary vouches for. Its leaves are the chain after each record. */
export interface TreeHead extends ChainPlace {
  /** Records below: also the offset of the next one. */
  readonly size: number;
  /** 32 bytes. */
  readonly root: Buffer;
  /** When the notary saw it, epoch milliseconds by its own clock. */
  readonly signedAt: number;
}

export interface SignedTreeHead extends TreeHead {
  /** Ed25519, 64 bytes, over `checkpointText`. */
  readonly signature: Buffer;
}

/**
 * What is signed: a checkpoint as transparency logs write it (C2SP tlog-checkpoint): origin, size, root in base64, each
 * on a line, and a line of our own with the time.
 */
export const checkpointText = (head: TreeHead): string =>
  `${chainOrigin(head)}\n${head.size}\n${head.root.toString("base64")}\ntime ${new Date(head.signedAt).toISOString()}\n`;

/** The installation's signing key. */
export interface NotaryKey {
  readonly privateKey: KeyObject;
  /** Raw, 32 bytes. */
  readonly publicKey: Buffer;
}

/** In front of the 32 bytes of an Ed25519 key, as PKCS #8 and SPKI write them (RFC 8410). */
const privateHead = Buffer.from("302e020100300506032b657004220420", "hex");
const publicHead = Buffer.from("302a300506032b6570032100", "hex");

/** @param seed 64 hexadecimal digits (`TRIBUTARY_NOTARY_KEY`). @throws TRIB_CONFIG_INVALID */
export function notaryKey(seed: string): NotaryKey {
  const bytes = Buffer.from(seed, "hex");
  if (bytes.length !== 32)
    throw new TributaryError("TRIB_CONFIG_INVALID", "TRIBUTARY_NOTARY_KEY: 64 hexadecimal digits");
  const privateKey = createPrivateKey({ key: Buffer.concat([privateHead, bytes]), format: "der", type: "pkcs8" });
  const spki = createPublicKey(privateKey).export({ format: "der", type: "spki" });
  return { privateKey, publicKey: spki.subarray(publicHead.length) };
}

/** @param raw 32 bytes. */
const publicKeyOf = (raw: Buffer): KeyObject =>
  createPublicKey({ key: Buffer.concat([publicHead, raw]), format: "der", type: "spki" });

/** First 16 hexadecimal digits of the SHA-256 of the raw public key: to be compared by eye. */
export const fingerprint = (raw: Buffer): string => createHash("sha256").update(raw).digest("hex").slice(0, 16);

export function signHead(key: NotaryKey, head: TreeHead): SignedTreeHead {
  return { ...head, signature: sign(null, Buffer.from(checkpointText(head)), key.privateKey) };
}

/** @param raw the public key, 32 bytes. */
export function isSigned(raw: Buffer, head: SignedTreeHead): boolean {
  return verify(null, Buffer.from(checkpointText(head)), publicKeyOf(raw), head.signature);
}
