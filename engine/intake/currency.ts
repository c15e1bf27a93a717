/**
 * A currency as a partner names it: a code of ISO 4217 in capitals, empty where none is named, and `XXX` (no currency) for
 * what is no code of one, which may be anything, a name too.
 */
export function readCurrency(text: string | undefined): string {
  const code = (text ?? "").trim().toUpperCase();
  return code === "" || /^[A-Z]{3}$/.test(code) ? code : "XXX";
}
