import { checkUnit } from "../intake/check-unit.js";
import type { Intake, ReceivedUnit } from "../intake/connector.js";
import { keyedHash } from "../intake/keyed-hash.js";
import { type Translator, untoldTime } from "../intake/retranslate.js";
import { surrogates } from "../intake/surrogate.js";
import { standaloneCodec } from "../log/codec.js";
import { loadConnector } from "./discover.js";
import { loadProfiles } from "./profiles.js";
import { openRehearsal } from "./rehearsal.js";
import { requireSetting, type Settings } from "./settings.js";

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

/** What is in the journal was taken once, under whatever limits, also as a file that was dropped, or compressed. */
const most = String(Number.MAX_SAFE_INTEGER);
const unlimited = {
  CONNECTOR_BODY_LIMIT: most,
  CONNECTOR_DECODED_LIMIT: most,
  CONNECTOR_BYTES_IN_HAND: most,
  HL7V2_BYTES_IN_HAND: most,
  X12_BODY_LIMIT: most,
};

/**
 * A connector as it is now, on free ports of this machine, which stores nothing: what it is sent over its own protocol
 * it translates as it would for the partner.
 * @param root folder that holds `producers/` with the partners' profiles; default: the checkout.
 * @throws TRIB_SERVICE_NOT_FOUND, TRIB_SERVICE_PROFILE_INVALID
 */
export async function openTranslator(
  name: string,
  settings: Settings,
  root?: string,
): Promise<Translator & { close(): Promise<void> }> {
  const connector = await loadConnector(name);
  const { intake, take } = collectingIntake(connector, settings);
  const receiver = await openRehearsal(connector, {
    intake,
    profiles: loadProfiles(connector, settings.TRIBUTARY_ENV === "production", root),
    now: () => untoldTime,
    remembers: false,
    limits: { ...unlimited, INTAKE_UNIT_LIMIT: String(settings.INTAKE_UNIT_LIMIT) },
  });
  return {
    version: connector.version,
    ...(connector.resending && { resending: connector.resending }),
    async translate(partner, bytes, way) {
      const request = { addresses: receiver.addresses, partner, file: "journal", bytes, ...(way && { way }) };
      for await (const _ of connector.send(request));
      return take();
    },
    close: () => receiver.close(),
  };
}
