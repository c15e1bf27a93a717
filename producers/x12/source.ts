import { spool as spoolStream } from "../../engine/reception/byte-source.js";

export { type ByteSource, bufferSource, type SpooledSource } from "../../engine/reception/byte-source.js";

/**
 * Takes a body in.
 * @throws TRIB_X12_BODY_TOO_LARGE when it is larger than `limit` bytes.
 */
export const spool = (stream: AsyncIterable<Buffer>, limit: number) =>
  spoolStream(stream, { limit, tooLarge: "TRIB_X12_BODY_TOO_LARGE" });
