import type { JournalledPart, Resending } from "../../engine/intake/connector.js";

/** Headers as lines and an empty line: what a unit in binary mode begins with. */
const binaryHead = /^(?:(?:ce-[^\r\n:]*|content-type): [^\r\n]*\r\n)+\r\n/;

/**
 * The ways of CloudEvents: an event by itself in `binary` mode, its headers before its data as the journal has them, or
 * `structured`, or a `batch`.
 *
 * A batch is in the journal as its events and, last, what stands between them.
 */
export const resending: Resending = {
  // What could not even be read as an event may have come in any way.
  isUnknown: ({ code, transport }) => !transport && code === "CE_UNREADABLE",
  join(parts) {
    const [first] = parts;
    if (!first) return undefined;
    if (!first.transport) return { bytes: first.bytes, way: isBinary(first.bytes) ? "binary" : "structured" };
    const bytes = batchOf(parts);
    return bytes && { bytes, way: "batch" };
  },
};

const isBinary = (unit: Buffer): boolean => binaryHead.test(unit.toString("latin1"));

/** Headers and data of a unit in binary mode. */
export function binaryParts(unit: Buffer): { readonly headers: Record<string, string>; readonly body: Buffer } {
  const [head = ""] = binaryHead.exec(unit.toString("latin1")) ?? [];
  const lines = head.split("\r\n").filter((line) => line !== "");
  const headers = lines.map((line): [string, string] => {
    const colon = line.indexOf(": ");
    return [line.slice(0, colon), line.slice(colon + 2)];
  });
  return { headers: Object.fromEntries(headers), body: unit.subarray(head.length) };
}

/** @returns undefined when the journal doesn't have all of it. */
function batchOf(parts: readonly JournalledPart[]): Buffer | undefined {
  const rest = parts.find(({ entry }) => entry === "ENVELOPE")?.bytes ?? Buffer.alloc(0);
  const last = parts.at(-1);
  const pieces: Buffer[] = [];
  let [taken, at] = [0, 0];
  for (const { entry, bytes, transport } of parts) {
    if (entry !== "UNIT") continue;
    const gap = (transport?.byteOffset ?? 0) - at;
    pieces.push(rest.subarray(taken, taken + gap), bytes);
    taken += gap;
    at += gap + bytes.length;
  }
  pieces.push(rest.subarray(taken));
  const whole = Buffer.concat(pieces);
  return last?.entry === "CLOSING" && last.transport?.byteOffset === whole.length ? whole : undefined;
}
