import { type Codec, schemaIdOf } from "../log/codec.js";
import type { SealedEventOpener } from "../vault/sealed-event-opener.js";
import type { Decoder, Opener } from "./ports.js";

/** The log's codec as lanes use it. */
export function decoderOf(codec: Codec): Decoder {
  return {
    decodeEvent: (value) => codec.decodeEvent(value),
    learn: (value) => codec.learn(schemaIdOf(value)),
  };
}

/** The vault's opener and the codec of what is inside, as one. */
export function openerOf(vault: Pick<SealedEventOpener, "open">, codec: Codec): Opener {
  return {
    async open(contents) {
      const opened = await vault.open(contents);
      return Promise.all(
        contents.map(async ({ type }, index) => {
          const bytes = opened[index];
          if (!bytes) return null;
          try {
            return codec.decodeSealed(type, bytes) as object;
          } catch (error) {
            if ((error as { code?: string }).code !== "TRIB_LOG_UNKNOWN_SCHEMA") throw error;
            await codec.learn(schemaIdOf(bytes));
            return codec.decodeSealed(type, bytes) as object;
          }
        }),
      );
    },
  };
}
