import { createHash } from "node:crypto";
import type { JsonSpan } from "../../engine/reception/json.js";
import { readEntry } from "./bundle.js";
import { readMoment } from "./datetime.js";
import { deletionOf } from "./deletion.js";
import { child, text, typeOf } from "./element.js";

/** An entry of a page of a partner's server: a version of a resource, or its deletion. */
export interface PulledEntry {
  /** As the server sent it. */
  readonly bytes: Buffer;
  /** What tells this version from every other, hashed. */
  readonly key: string;
  /** `Patient/1`. */
  readonly resource: string;
  /** The number of the version, where the server counts them. */
  readonly version: number | undefined;
  /** When it was made, in the server's own words and in epoch milliseconds. */
  readonly updated: string | undefined;
  readonly time: number;
}

/** The entries of a page, in its own order, each once. What is no resource and no deletion is left out. */
export function pulledEntries(page: Buffer, spans: readonly JsonSpan[]): readonly PulledEntry[] {
  const entries = new Map<string, PulledEntry>();
  let before = 0;
  for (const span of spans) {
    const entry = pulledEntry(page, span, before);
    if (!entry) continue;
    before = entry.time;
    if (!entries.has(entry.key)) entries.set(entry.key, entry);
  }
  return [...entries.values()];
}

/** @param before time of the entry before it, which stands in where it has none. */
function pulledEntry(page: Buffer, span: JsonSpan, before: number): PulledEntry | undefined {
  const { entry, resource } = readEntry(page, span);
  // An OperationOutcome about the search is no part of what was found.
  if (!entry || text(child(entry, "search"), "mode") === "outcome") return undefined;
  const bytes = page.subarray(span.start, span.end);
  if (resource) {
    const meta = child(resource, "meta");
    const [version, updated] = [text(meta, "versionId"), text(meta, "lastUpdated")];
    const name = `${typeOf(resource)}/${text(resource, "id") ?? ""}`;
    return entryOf({ bytes, name, version, updated, content: JSON.stringify(resource) }, before);
  }
  const deletion = deletionOf(entry);
  if (!deletion) return undefined;
  const updated = text(child(entry, "response"), "lastModified");
  const name = `${deletion.type}/${deletion.id}`;
  return entryOf({ bytes, name, version: deletion.version, updated, content: JSON.stringify(entry) }, before);
}

interface Found {
  readonly bytes: Buffer;
  readonly name: string;
  readonly version: string | undefined;
  readonly updated: string | undefined;
  readonly content: string;
}

function entryOf({ bytes, name, version, updated, content }: Found, before: number): PulledEntry {
  const hash = createHash("sha256").update(JSON.stringify([name, version ?? null, content]));
  const time = readMoment(updated ?? "")?.time;
  return {
    bytes,
    key: hash.digest("base64url").slice(0, 22),
    resource: name,
    version: version !== undefined && /^\d{1,15}$/.test(version) ? Number(version) : undefined,
    updated: time === undefined ? undefined : updated,
    time: time ?? before,
  };
}

/** A bundle of entries as the server sent them, without what surrounded them on its pages. */
export function bundleOf(type: "history" | "searchset", entries: readonly PulledEntry[]): Buffer {
  const parts = entries.flatMap(({ bytes }, index) => (index === 0 ? [bytes] : [Buffer.from(","), bytes]));
  const head = `{"resourceType":"Bundle","type":"${type}","entry":[`;
  return Buffer.concat([Buffer.from(head), ...parts, Buffer.from("]}")]);
}
