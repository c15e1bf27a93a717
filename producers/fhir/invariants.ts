import { evalFhirPathTyped, type TypedValue, toTypedValue } from "@medplum/core";
import { readMoment } from "./datetime.js";
import type { Constraint } from "./definitions.js";
import { child, children, type Element, isElement, text } from "./element.js";

/** Where an invariant is looked at: the object, and the resources it is in. */
export interface Scene {
  /** The outermost resource. */
  readonly root: Element;
  /** Ids of its contained resources. */
  readonly contained: ReadonlySet<string>;
}

type Check = (element: Element, scene: Scene) => boolean;

const has = (element: Element, name: string): boolean => element[name] !== undefined;
const dangerous =
  /<\s*(script|iframe|object|embed|form|input|button|base|link|meta|style|applet|frame)\b|\son\w+\s*=|(javascript|vbscript|data)\s*:/i;

/** Invariants that nearly every resource has, written out: FHIRPath would take most of the time of a resource. */
const known: Readonly<Record<string, Check>> = {
  "dom-2": (resource) => children(resource, "contained").every((one) => !has(one, "contained")),
  "dom-4": (resource) =>
    children(resource, "contained").every((one) => {
      const meta = child(one, "meta");
      return !meta || (!has(meta, "versionId") && !has(meta, "lastUpdated"));
    }),
  "dom-5": (resource) => children(resource, "contained").every((one) => !has(child(one, "meta") ?? {}, "security")),
  "per-1": (period) => {
    const [start, end] = [text(period, "start"), text(period, "end")];
    if (start === undefined || end === undefined) return true;
    const [first, last] = [readMoment(start), readMoment(end)];
    return !first || !last || first.time <= last.last;
  },
  "ref-1": (reference, { contained }) => {
    const to = text(reference, "reference");
    return to === undefined || !to.startsWith("#") || to === "#" || contained.has(to.slice(1));
  },
  "qty-3": (quantity) => !has(quantity, "code") || has(quantity, "system"),
  "att-1": (attachment) => !has(attachment, "data") || has(attachment, "contentType"),
  "cpt-2": (point) => !has(point, "value") || has(point, "system"),
  // The first entry of a message or document is looked at where entries are read: here the bundle is without them.
  "bdl-9": () => true,
  "bdl-10": () => true,
  "bdl-11": () => true,
  "bdl-12": () => true,
  "pat-1": (contact) => ["name", "telecom", "address", "organization"].some((name) => has(contact, name)),
};

/** An extension has extensions or a value, not both and not none (ext-1). */
export function isExtension(extension: Element): boolean {
  const valued = Object.keys(extension).some((name) => /^_?value[A-Z]/.test(name));
  return valued !== Array.isArray(extension.extension);
}

/** Narrative of plain formatting: nothing that runs or loads (txt-1). */
export const isPlainMarkup = (markup: string): boolean => /^\s*<div[\s>]/.test(markup) && !dangerous.test(markup);

/** Whether an object holds to an invariant of its definition. */
export function holds(constraint: Constraint, type: string, element: Element, scene: Scene): boolean {
  const check = known[constraint.key];
  if (check) return check(element, scene);
  const value: TypedValue = { type, value: element };
  const root = toTypedValue(scene.root);
  const variables = { "%context": value, "%resource": root, "%rootResource": root, "%ucum": ucum };
  try {
    const result = evalFhirPathTyped(constraint.expression, [value], variables);
    return result.length === 1 && isElement(result[0]) && result[0].value === true;
  } catch {
    return false;
  }
}

const ucum: TypedValue = { type: "string", value: "http://unitsofmeasure.org" };
