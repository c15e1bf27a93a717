import type { Codec } from "../log/codec.js";
import { TributaryError } from "../service/errors.js";
import type { AuditRecord } from "./access.js";

/** A record of the audit topic; undefined for bytes that are none. */
export function readable(codec: Pick<Codec, "decode">, value: Buffer): Pick<AuditRecord, "type" | "value"> | undefined {
  try {
    const { record: name, value: decoded } = codec.decode(value);
    return { type: name.slice(name.lastIndexOf(".") + 1), value: decoded as AuditRecord["value"] };
  } catch (error) {
    if (error instanceof TributaryError && error.code === "TRIB_LOG_UNDECODABLE") return undefined;
    throw error;
  }
}
