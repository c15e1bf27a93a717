import type { Address } from "../engine/intake/connector.js";
import { print } from "./output.js";

/** Where a process listens, a line an address; but for the base of others, at which nothing is to be found itself. */
export function printAddresses(name: string, addresses: readonly Address[]): void {
  if (addresses.length === 0) return;
  print();
  print(`${name} listens at`);
  const shown = addresses.filter(({ url }) => !addresses.some((other) => other.url.startsWith(`${url}/`)));
  for (const { url, partner } of shown) print(`  ${url}${partner === undefined ? "" : `  (${partner})`}`);
}
