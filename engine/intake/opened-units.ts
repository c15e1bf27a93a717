import { type DataKey, keyText } from "../vault/data-key.js";
import { openUnit } from "../vault/sealed-unit.js";
import type { Vault } from "../vault/vault.js";
import type { PlacedUnit } from "./standing-facts.js";

/**
 * The bytes of a unit as received, or why they are not to be had: one of its keys was destroyed; or it was over the size
 * limit, so that only its head was kept.
 */
export type OpenedUnit = Buffer | "erased" | "truncated";

/** Opens units of the journal, in their order. */
export async function openUnits(vault: Vault, units: readonly PlacedUnit[]): Promise<readonly OpenedUnit[]> {
  const keys = await vault.openKeys(units.flatMap(({ entry }) => entry.sealedFor));
  return units.map(({ entry: { sealedFor, receiptId, sealedUnit, size } }) => {
    const chain = sealedFor.flatMap((name): DataKey[] => {
      const key = keys.get(keyText(name));
      return key ? [key] : [];
    });
    if (chain.length < sealedFor.length) return "erased";
    const { bytes } = openUnit(receiptId, chain, sealedUnit);
    return bytes.length === size ? bytes : "truncated";
  });
}
