import { type Element, isElement, text } from "./element.js";

/** Said of a resource whose amounts are not all in one currency: they must not be added. */
export const SEVERAL_CURRENCIES = "SEVERAL_CURRENCIES";

/** `Money.currency` is a code of ISO 4217; `XXX` (no currency) for anything else, which may be anything. */
function codeOf(money: Element): string | undefined {
  const named = text(money, "currency");
  if (named === undefined) return undefined;
  return /^[A-Z]{3}$/.test(named) ? named : "XXX";
}

/** Plain loops: it walks every resource with money. */
function collect(value: unknown, found: Set<string>): void {
  if (Array.isArray(value)) {
    for (const each of value) if (typeof each === "object") collect(each, found);
    return;
  }
  if (!isElement(value)) return;
  if (typeof value.value === "number") {
    const code = codeOf(value);
    if (code !== undefined) found.add(code);
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
  return (decisive && codeOf(decisive)) ?? first;
}
