import { TributaryError } from "../service/errors.js";
import type { DataKey, KeyName } from "./data-key.js";
import { additionalData, seal, unseal } from "./sealing.js";

const layout = 1;
const headLength = 1 + 16 + 4;

/** What the sealed part of an event is bound to, apart from its key. */
export interface EventName {
  readonly type: string;
  readonly eventId: string;
}

/**
 * The `sealed` bytes of an event: 1 byte layout, 16 bytes subject, 4 bytes generation (big endian), then the sealing.
 * They can be opened standing alone, without any other part of the record.
 */
export function sealEvent(event: EventName, key: DataKey, plaintext: Uint8Array): Buffer {
  const sealed = seal(key.key, boundTo(event, key), plaintext, headLength);
  sealed[0] = layout;
  writeUuid(key.subject, sealed, 1);
  sealed.writeUInt32BE(key.generation, 17);
  return sealed;
}

/** A UUID's 16 bytes. A loop: of its text without hyphens the library would need another text and two calls. */
function writeUuid(uuid: string, bytes: Buffer, start: number): void {
  let at = start;
  for (let index = 0; index < uuid.length; index += 2) {
    if (uuid.charCodeAt(index) === hyphen) index += 1;
    bytes[at++] = (hexDigit(uuid.charCodeAt(index)) << 4) | hexDigit(uuid.charCodeAt(index + 1));
  }
}

/** @param code of a digit or a lower-case letter. */
const hexDigit = (code: number): number => (code < 58 ? code - 48 : code - 87);
const hyphen = 45;

/** The key that the bytes are sealed under. @throws TRIB_VAULT_TAMPERED when they aren't sealed bytes. */
export function keyOfSealedEvent(sealed: Buffer): KeyName {
  if (sealed.length < headLength || sealed[0] !== layout) throw new TributaryError("TRIB_VAULT_TAMPERED");
  const hex = sealed.toString("hex", 1, 17);
  const subject = hex.replace(/(.{8})(.{4})(.{4})(.{4})(.{12})/, "$1-$2-$3-$4-$5");
  return { subject, generation: sealed.readUInt32BE(17) };
}

/** @throws TRIB_VAULT_TAMPERED when the bytes belong to another event or key. */
export function openEvent(event: EventName, key: DataKey, sealed: Buffer): Buffer {
  return unseal(key.key, boundTo(event, key), sealed.subarray(headLength));
}

const boundTo = (event: EventName, key: KeyName): Buffer =>
  additionalData("event", event.type, event.eventId, key.subject, key.generation);
