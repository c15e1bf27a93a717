import type { Surrogate } from "../../engine/intake/connector.js";
import type { Layout } from "./layout.js";
import type { Reading } from "./reading.js";

/** An identifier of a patient as a row gives it. */
export interface RowIdentifier {
  readonly id: string;
  readonly authority: string;
  readonly type: string;
  readonly strong: boolean;
  readonly value: string;
}

/** The identifiers of a row, each once, in the order of the profile: the first names the patient. */
export function identifiersOf(
  reading: Reading,
  { identifiers }: Layout,
  surrogate: Surrogate,
): readonly RowIdentifier[] {
  const found = new Map<string, RowIdentifier>();
  for (const { at, authority, type, strong, separator, name } of identifiers) {
    const cell = at < 0 ? "" : reading.at(at);
    for (const part of separator === null ? [cell] : cell.split(separator)) {
      const value = part.trim();
      if (value === "") continue;
      reading.refuseRounded(value, name);
      if (value.length > 200) reading.refuse("CSV_VALUE_TOO_LONG", name);
      const id = surrogate("patient", authority, type, value);
      if (!found.has(id)) found.set(id, { id, authority, type, strong, value });
    }
  }
  return [...found.values()];
}
