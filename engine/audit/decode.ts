import { type Codec, schemaIdOf } from "../log/codec.js";
import { TributaryError } from "../service/errors.js";

/** Decodes an event; the registry is asked about a schema that isn't known yet. @throws as `Codec.decodeEvent` and `learn` */
export async function decodeWith(codec: Codec, value: Buffer): Promise<ReturnType<Codec["decodeEvent"]>> {
  try {
    return codec.decodeEvent(value);
  } catch (error) {
    if (!(error instanceof TributaryError) || error.code !== "TRIB_LOG_UNKNOWN_SCHEMA") throw error;
    await codec.learn(schemaIdOf(value));
    return codec.decodeEvent(value);
  }
}
