/** The characters a message declares for itself in MSH-1 and MSH-2. */
export interface Delimiters {
  readonly field: string;
  readonly component: string;
  readonly repetition: string;
  readonly escape: string;
  readonly subcomponent: string;
  /** Marks a value cut short (HL7 v2.7); undefined when not declared. */
  readonly truncation: string | undefined;
}

export const standardDelimiters: Delimiters = {
  field: "|",
  component: "^",
  repetition: "~",
  escape: "\\",
  subcomponent: "&",
  truncation: undefined,
};

/** What MSH-1 and MSH-2 give, with the flags that belong to it. */
export interface DeclaredDelimiters {
  readonly delimiters: Delimiters;
  readonly flags: readonly string[];
}

/**
 * Reads the delimiters of a header segment.
 *
 * MSH-2 with the escape character twice (a backslash that some program escaped once more) is understood as meant.
 * @param header text of the MSH segment.
 * @returns undefined when they are missing, not distinct, or letters or digits.
 */
export function readDelimiters(header: string): DeclaredDelimiters | undefined {
  const field = header[3];
  if (field === undefined || !header.startsWith("MSH")) return undefined;
  const end = header.indexOf(field, 4);
  const declared = header.slice(4, end < 0 ? header.length : end);
  const doubled = declared.length > 4 && declared[2] === declared[3];
  const characters = doubled ? declared.slice(0, 3) + declared.slice(4) : declared;
  const [component, repetition, mark, subcomponent, truncation] = characters;
  if (!component || !repetition || !mark || !subcomponent) return undefined;
  const needed = [field, component, repetition, mark, subcomponent];
  if (new Set(needed).size < needed.length) return undefined;
  if (needed.some((character) => /[A-Za-z0-9\s]/.test(character))) return undefined;
  const flags: string[] = [];
  if (doubled) flags.push("DOUBLED_ESCAPE");
  if (field !== "|" || component !== "^" || repetition !== "~" || mark !== "\\" || subcomponent !== "&") {
    flags.push("OTHER_DELIMITERS");
  }
  return { delimiters: { field, component, repetition, escape: mark, subcomponent, truncation }, flags };
}
