import type { Codec } from "../log/codec.js";
import { TributaryError } from "../service/errors.js";

/** What every record of the audit topic has. */
export type AuditValue = {
  readonly meta: { readonly id: string; readonly time: number; readonly actor: string };
} & Readonly<Record<string, unknown>>;

/** A record of the audit topic; undefined for bytes that are none. */
export function readable(
  codec: Pick<Codec, "decode">,
  value: Buffer,
): { readonly type: string; readonly value: AuditValue } | undefined {
  try {
    const { record: name, value: decoded } = codec.decode(value);
    return { type: name.slice(name.lastIndexOf(".") + 1), value: decoded as AuditValue };
  } catch (error) {
    if (error instanceof TributaryError && error.code === "TRIB_LOG_UNDECODABLE") return undefined;
    throw error;
  }
}
