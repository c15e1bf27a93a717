import { TributaryError } from "../service/errors.js";
import type { AvroRecord } from "./avro.js";
import { compileType } from "./avro-type.js";

/**
 * Reads bare Avro binary of one schema, without the wire format's head: for what partners send.
 * @param schema as which it is read.
 * @param writer schema that the bytes were written with; default: the same.
 * @returns reads exactly one record. @throws TRIB_LOG_UNDECODABLE when the bytes aren't one.
 */
export function plainReader(schema: AvroRecord, writer: AvroRecord = schema): (bytes: Buffer) => unknown {
  const type = compileType(schema);
  const resolver = writer === schema ? undefined : type.createResolver(compileType(writer));
  return (bytes) => {
    try {
      return type.fromBuffer(bytes, resolver);
    } catch (cause) {
      throw new TributaryError("TRIB_LOG_UNDECODABLE", undefined, {}, { cause });
    }
  };
}
