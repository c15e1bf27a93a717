import { type Codec, schemaIdOf } from "../log/codec.js";
import type { Decoder } from "../projector/ports.js";

/** The codec as who reads events needs it. */
export const decoderOf = (codec: Codec): Decoder => ({
  decodeEvent: (value) => codec.decodeEvent(value),
  eventReader: (bytes, start) => codec.eventReader(bytes, start),
  learn: (value) => codec.learn(schemaIdOf(value)),
});
