import { TributaryError } from "../service/errors.js";
import type { AvroRecord } from "./avro.js";
import { compileType } from "./avro-type.js";

/**
 * Reads bare Avro binary of one schema, without the wire format's head: for what partners send.
 * @returns reads exactly one record. @throws TRIB_LOG_UNDECODABLE when the bytes aren't one.
 */
export function plainReader(schema: AvroRecord): (bytes: Buffer) => unknown {
  const type = compileType(schema);
  return (bytes) => {
    try {
      return type.fromBuffer(bytes);
    } catch (cause) {
      throw new TributaryError("TRIB_LOG_UNDECODABLE", undefined, {}, { cause });
    }
  };
}
