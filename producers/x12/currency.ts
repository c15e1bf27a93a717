import type { Profile } from "./profile.js";

/**
 * Currency of amounts as a set names it (CUR02), else as the partner's profile does; null: US dollars, by the guides.
 */
export const currencyOf = (named: string, { currency }: Profile): string | null => named || (currency ?? null);

/** Whether a set names another currency than is usual between the partners: its amounts must not be added to others. */
export const isOtherCurrency = (named: string, { currency = "USD" }: Profile): boolean =>
  named !== "" && named !== currency;

/** Said of what is in another currency. */
export const OTHER_CURRENCY = "OTHER_CURRENCY";
