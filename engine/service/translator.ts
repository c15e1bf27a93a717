import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkUnit } from "../intake/check-unit.js";
import type { Intake, ReceivedUnit } from "../intake/connector.js";
import { keyedHash } from "../intake/keyed-hash.js";
import type { Translator } from "../intake/retranslate.js";
import { surrogates } from "../intake/surrogate.js";
import { standaloneCodec } from "../log/codec.js";
import { loadConnector, loadProfiles } from "./discover.js";
import { createLogger } from "./logger.js";
import { readSettings, requireSetting, type Settings } from "./settings.js";

/** An intake that keeps the units it is given in memory, with surrogate ids as the installation makes them. */
function collectingIntake(
  connector: { readonly name: string; readonly version: string },
  settings: Settings,
): { readonly intake: Intake; take(): readonly ReceivedUnit[] } {
  const context = {
    codec: standaloneCodec(),
    connector,
    unitLimit: settings.INTAKE_UNIT_LIMIT,
    eventLimit: 900_000,
  };
  let units: ReceivedUnit[] = [];
  let receipts = 0;
  const newReceiptId = () => `again-${receipts++}`;
  return {
    take() {
      const taken = units;
      units = [];
      return taken;
    },
    intake: {
      surrogate: surrogates(keyedHash(requireSetting(settings, "TRIBUTARY_SECRET"))),
      newReceiptId,
      check: (unit) => checkUnit(unit, context),
      async submit(given) {
        units.push(...given);
        return given.map((unit) => ({ verdict: checkUnit(unit, context), receiptId: newReceiptId() }));
      },
      known: async (identities) => identities.map(() => false),
    },
  };
}

/**
 * A connector as it is now, on free ports of this machine, which stores nothing: what it is sent over its own protocol
 * it translates as it would for the partner.
 * @throws TRIB_SERVICE_NOT_FOUND, TRIB_SERVICE_PROFILE_INVALID
 */
export async function openTranslator(
  name: string,
  settings: Settings,
): Promise<Translator & { close(): Promise<void> }> {
  const connector = await loadConnector(name);
  const home = mkdtempSync(join(tmpdir(), "tributary-again-"));
  const { intake, take } = collectingIntake(connector, settings);
  const receiver = await connector.receive({
    intake,
    settings: readSettings({ TRIBUTARY_HOME: home }),
    profiles: loadProfiles(connector, settings.TRIBUTARY_ENV === "production"),
    logger: createLogger("again", "silent"),
  });
  return {
    version: connector.version,
    async translate(partner, bytes) {
      const request = { addresses: receiver.addresses, partner, file: "journal", bytes };
      for await (const _ of connector.send(request));
      return take();
    },
    async close() {
      await receiver.close();
      rmSync(home, { recursive: true, force: true });
    },
  };
}
