import { type Element, isElement, text } from "./element.js";

/** Said of a resource whose amounts are not all in one currency: they must not be added. */
export const SEVERAL_CURRENCIES = "SEVERAL_CURRENCIES";

/** `Money.currency` is a code of ISO 4217; `XXX` (no currency) for anything else, which may be anything. */
function codeOf(money: Element): string | undefined {
  const named = text(money, "currency");
  if (named === undefined) return undefined;
  return /^[A-Z]{3}$/.test(named) ? named : "XXX";
}

function* moneyIn(element: Element): Generator<Element> {
  if (typeof element.value === "number") yield element;
  for (const inner of Object.values(element).flat()) if (isElement(inner)) yield* moneyIn(inner);
}

/**
 * The currency of a resource's amounts: of the one that decides (a total, what was paid), else the first that is named;
 * null where none is.
 * @param flags gets one where amounts have several.
 */
export function currencyOf(resource: Element, decisive: Element | undefined, flags: string[]): string | null {
  const named = new Set<string>();
  for (const money of moneyIn(resource)) {
    const code = codeOf(money);
    if (code !== undefined) named.add(code);
  }
  if (named.size > 1) flags.push(SEVERAL_CURRENCIES);
  const [first = null] = named;
  return (decisive && codeOf(decisive)) ?? first;
}
