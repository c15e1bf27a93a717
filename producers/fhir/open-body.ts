import { shapeOf } from "../../engine/reception/json.js";
import { type BundleHead, readHead } from "./bundle.js";
import { jsonLimits, type Opened, openText, problemOfShape } from "./desk.js";

/** Most entries of a bundle: what is told of each is in memory until all are durable. More of them come as lines. */
const mostEntries = 100_000;

/** A body looked through: a bundle, or one resource, or nothing that can be read. */
export function openBody(body: Buffer): { readonly bundle: BundleHead } | { readonly opened: Opened } {
  const shape = shapeOf(body, jsonLimits, ["entry", "*"]);
  const problem = problemOfShape(shape);
  if (problem) return { opened: { problem } };
  if (shape.spans.length > mostEntries) return { opened: { problem: { code: "too-costly", place: "Bundle.entry" } } };
  const head = readHead(body, shape.spans);
  if (!head) return { opened: { problem: { code: "structure", place: "Resource" } } };
  if ("notBundle" in head) return { opened: shape.spans.length === 0 ? { value: head.notBundle } : openText(body) };
  return { bundle: head };
}
