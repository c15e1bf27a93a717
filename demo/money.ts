/** An amount of money: whole cents in a number. */
export type Cents = number;

/** An amount as X12 writes it (data element 782): no thousands mark, no zeros at the end of a fraction, "-" in front. */
export function x12Amount(cents: Cents): string {
  const size = Math.abs(cents);
  const rest = size % 100;
  const fraction = rest === 0 ? "" : rest % 10 === 0 ? `.${rest / 10}` : `.${rest < 10 ? "0" : ""}${rest}`;
  return `${cents < 0 ? "-" : ""}${Math.floor(size / 100)}${fraction}`;
}

export const total = (amounts: readonly Cents[]): Cents => amounts.reduce((sum, one) => sum + one, 0);
