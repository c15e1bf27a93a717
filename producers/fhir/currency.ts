import { readCurrency } from "../../engine/intake/currency.js";
import { type Element, isElement, text } from "./element.js";

/** Said of a resource whose amounts are not all in one currency: they must not be added. */
export const SEVERAL_CURRENCIES = "SEVERAL_CURRENCIES";

/** Plain loops: it walks every resource with money. */
function collect(value: unknown, found: Set<string>): void {
  if (Array.isArray(value)) {
    for (const each of value) if (typeof each === "object") collect(each, found);
    return;
  }
  if (!isElement(value)) return;
  if (typeof value.value === "number") {
    const code = readCurrency(text(value, "currency"));
    if (code !== "") found.add(code);
  }
  for (const name in value) if (typeof value[name] === "object") collect(value[name], found);
}

/**
 * The currency of a resource's amounts: of the one that decides (a total, what was paid), else the first that is named;
 * null where none is.
 * @param flags gets one where amounts have several.
 */
export function currencyOf(resource: Element, decisive: Element | undefined, flags: string[]): string | null {
  const named = new Set<string>();
  collect(resource, named);
  if (named.size > 1) flags.push(SEVERAL_CURRENCIES);
  const [first = null] = named;
  return readCurrency(text(decisive, "currency")) || first;
}
