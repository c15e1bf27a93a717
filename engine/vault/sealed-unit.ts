import { cutBytes } from "../log/slab.js";
import type { DataKey } from "./data-key.js";
import { additionalData, seal, unseal } from "./sealing.js";

/** What a journal entry keeps encrypted. */
export interface UnitContent {
  /** Exact bytes as received. */
  readonly bytes: Uint8Array;
  readonly controlId: string | null;
}

/**
 * Seals a unit under all keys given, nested, the first innermost: without any one of them it can't be opened.
 * The content inside: 4 bytes length of the control id plus one (0: none), the control id, the bytes.
 */
export function sealUnit(receiptId: string, keys: readonly DataKey[], content: UnitContent): Buffer {
  const controlId = content.controlId ?? "";
  const length = Buffer.byteLength(controlId);
  let sealed: Buffer = cutBytes(4 + length + content.bytes.length);
  sealed.writeUInt32BE(content.controlId === null ? 0 : length + 1);
  sealed.write(controlId, 4);
  sealed.set(content.bytes, 4 + length);
  for (let layer = 0; layer < keys.length; layer++) {
    const key = keys[layer] as DataKey;
    sealed = seal(key.key, boundTo(receiptId, key, layer), sealed);
  }
  return sealed;
}

/** @throws TRIB_VAULT_TAMPERED when keys and bytes don't belong to this entry. */
export function openUnit(
  receiptId: string,
  keys: readonly DataKey[],
  sealed: Buffer,
): { bytes: Buffer; controlId: string | null } {
  let content = sealed;
  for (const [layer, key] of [...keys.entries()].reverse()) {
    content = unseal(key.key, boundTo(receiptId, key, layer), content);
  }
  const length = content.readUInt32BE(0);
  const end = 4 + Math.max(0, length - 1);
  return { bytes: content.subarray(end), controlId: length === 0 ? null : content.toString("utf8", 4, end) };
}

const boundTo = (receiptId: string, key: DataKey, layer: number): Buffer =>
  additionalData("unit", receiptId, key.subject, key.generation, layer);
