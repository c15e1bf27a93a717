import type { Codec } from "../log/codec.js";
import type { DatedOpener } from "../projector/ports.js";
import type { Pool } from "../store/pool.js";
import type { KekSettings } from "../vault/data-key.js";
import type { ForgettingOptions } from "../vault/forgetting.js";
import { sealedEventOpener } from "../vault/sealed-event-opener.js";

/** Opens and decodes sealed content, as far as the database lets the pool's role. */
export function sealedOpener(
  pool: Pool,
  kek: string | KekSettings,
  codec: Codec,
  forgetting: ForgettingOptions = {},
): DatedOpener & { close(): void } {
  const vault = sealedEventOpener({ pool, kek, ...forgetting });
  return {
    async open(contents) {
      const opened = await vault.open(contents);
      return opened.map((bytes, index) => {
        const content = contents[index];
        return bytes && content ? codec.decodeSealed(content.type, bytes) : null;
      });
    },
    epoch: () => vault.epoch(),
    close: () => vault.close(),
  };
}

/** For a consumer that opens nothing: everything stays sealed. */
export const closedOpener: DatedOpener & { close(): void } = {
  open: async (contents) => contents.map(() => null),
  epoch: async () => undefined,
  close: () => {},
};
