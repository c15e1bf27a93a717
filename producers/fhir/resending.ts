import type { JournalledPart, Resending } from "../../engine/intake/connector.js";

/** What the sender's access token allowed is not in the journal. */
const forbidden = "FHIR_FORBIDDEN";
const fallen = "FHIR_BUNDLE_REJECTED";

/**
 * The ways of FHIR: `POST` a resource to its type, `PUT` it to its place, a `bundle` to the base, or `lines` of resources.
 *
 * A bundle is in the journal as its entries and what is left of it without them; lines are there without their line feeds;
 * a resource by itself is there whole, with the answer 200 where it was sent to its place and 201 elsewhere.
 */
export const resending: Resending = {
  isUnknown: ({ code, transport }) => !transport || code === forbidden,
  join(parts) {
    const [first] = parts;
    if (!first) return undefined;
    if (!first.transport) {
      if (!first.accepted) return undefined;
      return { bytes: first.bytes, way: first.answer === "200" ? "PUT" : "POST" };
    }
    const units = parts.filter(({ entry }) => entry === "UNIT");
    if (first.entry !== "ENVELOPE") return { bytes: linesOf(units), way: "lines" };
    // Without its token a bundle that fell for what its sender may not do would be taken.
    const isForbidden = units.some(({ code }) => code === forbidden) && units.some(({ code }) => code === fallen);
    const bytes = isForbidden ? undefined : bundleOf(first, units, parts.at(-1));
    return bytes && { bytes, way: "bundle" };
  },
};

const lineFeed = Buffer.from("\n");
const linesOf = (units: readonly JournalledPart[]) => Buffer.concat(units.flatMap(({ bytes }) => [bytes, lineFeed]));

/** @returns undefined when an entry is in no unit (a deleted version in a history), or the end is missing. */
function bundleOf(
  skeleton: JournalledPart,
  units: readonly JournalledPart[],
  last: JournalledPart | undefined,
): Buffer | undefined {
  const pieces: Buffer[] = [];
  let [taken, at] = [0, 0];
  for (const { bytes, transport } of units) {
    const gap = (transport?.byteOffset ?? 0) - at;
    pieces.push(skeleton.bytes.subarray(taken, taken + gap), bytes);
    taken += gap;
    at += gap + bytes.length;
  }
  pieces.push(skeleton.bytes.subarray(taken));
  const whole = Buffer.concat(pieces);
  return last?.entry === "CLOSING" && last.transport?.byteOffset === whole.length ? whole : undefined;
}
