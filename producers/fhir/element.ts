/** A JSON object: a resource or one of its elements, not yet trusted. */
export type Element = Readonly<Record<string, unknown>>;

export const isElement = (value: unknown): value is Element =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The element of a name; undefined when it is missing or none. */
export function child(element: Element | undefined, name: string): Element | undefined {
  const value = element?.[name];
  return isElement(value) ? value : undefined;
}

/** The elements of a list, in order; whatever is none is left out. */
export function children(element: Element | undefined, name: string): readonly Element[] {
  const value = element?.[name];
  return Array.isArray(value) ? value.filter(isElement) : [];
}

/** A text; undefined when it is missing or empty. */
export function text(element: Element | undefined, name: string): string | undefined {
  const value = element?.[name];
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** The texts of a list. */
export function texts(element: Element | undefined, name: string): readonly string[] {
  const value = element?.[name];
  return Array.isArray(value) ? value.filter((one): one is string => typeof one === "string") : [];
}

export function number(element: Element | undefined, name: string): number | undefined {
  const value = element?.[name];
  return typeof value === "number" ? value : undefined;
}

/** `Claim`, `Patient`; empty when there is none. */
export const typeOf = (resource: Element): string => text(resource, "resourceType") ?? "";

/** Codings of a CodeableConcept. */
export const codings = (concept: Element | undefined): readonly Element[] => children(concept, "coding");

/** The first code of a CodeableConcept. */
export function codeOf(concept: Element | undefined): string | undefined {
  for (const coding of codings(concept)) {
    const code = text(coding, "code");
    if (code !== undefined) return code;
  }
  return undefined;
}
