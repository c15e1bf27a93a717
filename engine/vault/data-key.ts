import { createHash, randomFillSync } from "node:crypto";
import { TributaryError } from "../service/errors.js";
import { additionalData, seal, unseal } from "./sealing.js";

/** Whose key, and which one in the row of those the subject has had. */
export interface KeyName {
  /** Surrogate id, a UUID in lower case. */
  readonly subject: string;
  /** From 1. A key that was destroyed is followed by the next generation. */
  readonly generation: number;
}

/** A subject's data key in the clear, only ever in memory. */
export interface DataKey extends KeyName {
  /** 32 bytes, for AES-256-GCM. */
  readonly key: Buffer;
}

/** One text a key, for maps. */
export const keyText = ({ subject, generation }: KeyName): string => `${subject}/${generation}`;

/** The key-encryption key and the name under which rows say that they were wrapped by it. */
export interface KeyEncryptionKey {
  readonly id: string;
  readonly key: Buffer;
}

/** Keys that the vault may be wrapped under: all are opened, new ones are wrapped under the current one. */
export interface KeyEncryptionKeys {
  readonly current: KeyEncryptionKey;
  readonly previous: KeyEncryptionKey | undefined;
}

/** `TRIBUTARY_KEK`, and while keys are rewrapped the one before it, `TRIBUTARY_KEK_PREVIOUS`; 64 hexadecimal digits each. */
export interface KekSettings {
  readonly current: string;
  readonly previous?: string | undefined;
}

/** @param setting one key, when there is no other. */
export function keyEncryptionKeys(setting: string | KekSettings): KeyEncryptionKeys {
  const { current, previous } = typeof setting === "string" ? { current: setting, previous: undefined } : setting;
  return { current: keyEncryptionKey(current), previous: previous ? keyEncryptionKey(previous) : undefined };
}

function keyEncryptionKey(hex: string): KeyEncryptionKey {
  const key = Buffer.from(hex, "hex");
  if (key.length !== 32) throw new TributaryError("TRIB_CONFIG_INVALID", "TRIBUTARY_KEK: 64 hexadecimal digits");
  // Names the key without telling anything of it.
  const id = createHash("sha256").update("tributary key-encryption key\0").update(key).digest("hex").slice(0, 16);
  return { id, key };
}

/** Bytes of a data key. */
export const keyBytes = 32;
/** Keys that are held lie together: each in bytes of its own would keep whatever was made beside it. */
const arenaBytes = keyBytes * 1024;
let drawn = Buffer.alloc(0);
let drawnUsed = 0;
let arena = Buffer.alloc(0);
let arenaUsed = 0;

/** A key of random bytes that were never given out before. */
export function newDataKey(name: KeyName): DataKey {
  if (drawnUsed === drawn.length) {
    drawn = randomFillSync(Buffer.allocUnsafeSlow(arenaBytes));
    drawnUsed = 0;
  }
  drawnUsed += keyBytes;
  return { ...name, key: drawn.subarray(drawnUsed - keyBytes, drawnUsed) };
}

function kept(key: Buffer): Buffer {
  if (key.length !== keyBytes) return key;
  if (arenaUsed === arena.length) {
    arena = Buffer.allocUnsafeSlow(arenaBytes);
    arenaUsed = 0;
  }
  arenaUsed += keyBytes;
  const place = arena.subarray(arenaUsed - keyBytes, arenaUsed);
  key.copy(place);
  return place;
}

/** The data key as it is kept: encrypted, bound to its subject and generation. */
export function wrap(kek: KeyEncryptionKey, { subject, generation, key }: DataKey): Buffer {
  return seal(kek.key, additionalData("data key", subject, generation), key);
}

/**
 * @throws TRIB_VAULT_KEK_UNKNOWN when another key-encryption key wrapped it.
 * @throws TRIB_VAULT_TAMPERED when the row was changed.
 */
export function unwrap(
  { current, previous }: KeyEncryptionKeys,
  kekId: string,
  name: KeyName,
  wrapped: Buffer,
): DataKey {
  const kek = [current, previous].find((each) => each?.id === kekId);
  if (!kek) throw new TributaryError("TRIB_VAULT_KEK_UNKNOWN", undefined, { needed: kekId, given: current.id });
  return { ...name, key: kept(unseal(kek.key, additionalData("data key", name.subject, name.generation), wrapped)) };
}
