import type { JsonSpan } from "../../engine/reception/json.js";
import { parseJson } from "../../engine/reception/json.js";
import { readMoment } from "./datetime.js";
import { isResourceType } from "./definitions.js";
import { deletionOf } from "./deletion.js";
import { child, children, type Element, isElement, text, typeOf } from "./element.js";
import type { Problem } from "./problem.js";
import type { Profile } from "./profile.js";
import type { Addressed } from "./reference.js";
import { baseIn, isSameBase } from "./servers.js";
import type { Arrival } from "./unit.js";
import { problemsOf } from "./validate.js";

/** What a bundle asks for (FHIR R4 code system bundle-type). */
export type BundleType = "transaction" | "batch" | "message" | "collection" | "history" | "searchset" | "document";

const types: ReadonlySet<string> = new Set([
  "transaction",
  "batch",
  "message",
  "collection",
  "history",
  "searchset",
  "document",
]);

/** A bundle without its entries' content. */
export interface BundleHead {
  readonly type: BundleType;
  readonly head: Element;
  /** Its bytes with the entries cut out: the units and it together are what was sent. */
  readonly skeleton: Buffer;
  /** Where the entries are in what was sent. */
  readonly spans: readonly JsonSpan[];
  /** Epoch milliseconds of `Bundle.timestamp`. */
  readonly sentAt: number | undefined;
  readonly problems: readonly Problem[];
}

/**
 * Reads a bundle around its entries.
 * @param spans of `Bundle.entry`, as the look through the text found them.
 * @returns undefined when the text isn't JSON.
 */
export function readHead(
  bytes: Buffer,
  spans: readonly JsonSpan[],
): BundleHead | { readonly notBundle: unknown } | undefined {
  const pieces: Buffer[] = [];
  let at = 0;
  for (const { start, end } of spans) {
    pieces.push(bytes.subarray(at, start));
    at = end;
  }
  pieces.push(bytes.subarray(at));
  // A zero in place of each entry keeps the text one of JSON.
  const parsed = parseJson(Buffer.concat(pieces.flatMap((piece, index) => (index === 0 ? [piece] : [zero, piece]))));
  if (!parsed) return undefined;
  const head = parsed.value;
  if (!isElement(head) || typeOf(head) !== "Bundle") return { notBundle: head };
  const { entry: _, ...rest } = head;
  const problems = [...problemsOf(rest, { modifierExtensions: [] })];
  const type = text(head, "type") ?? "";
  if (!types.has(type) && problems.length === 0) problems.push({ code: "not-supported", place: "Bundle.type" });
  return {
    type: type as BundleType,
    head,
    skeleton: Buffer.concat(pieces),
    spans,
    sentAt: readMoment(text(head, "timestamp") ?? "")?.time,
    problems,
  };
}

const zero = Buffer.from("0");

/** An entry of a bundle. */
export interface BundleEntry {
  readonly entry: Element | undefined;
  readonly resource: Element | undefined;
}

export function readEntry(bytes: Buffer, { start, end }: JsonSpan): BundleEntry {
  const value = parseJson(bytes.subarray(start, end))?.value;
  const entry = isElement(value) ? value : undefined;
  return { entry, resource: child(entry, "resource") };
}

/**
 * `fullUrl` -> what its entry is named by, and the entries whose fullUrl stands twice (bdl-7): one address can't be two
 * resources. In a history several versions share one.
 */
export class FullUrls {
  readonly urls = new Map<string, Addressed>();
  readonly #type: BundleType;
  readonly #seen = new Set<string>();
  #home: string | undefined;
  /** Whether its entries are of more than one server. */
  mixed = false;
  readonly #naming: Profile["naming"];

  constructor(type: BundleType, { naming }: Profile) {
    this.#type = type;
    this.#naming = naming;
  }

  /** @returns false when the address was there before. */
  add(found: BundleEntry): boolean {
    const { entry, resource } = found;
    const url = text(entry, "fullUrl");
    const home = homeOf(found, this.#type);
    this.#home ??= home;
    if (home !== undefined && this.#home !== undefined && !isSameBase(home, this.#home)) this.mixed = true;
    // What is no absolute address (a bare id, as some senders write) addresses nothing.
    if (url === undefined || !resource || !/^[a-z][a-z0-9+.-]*:/i.test(url)) return true;
    const addressed = addressedBy(url, resource, home, this.#naming);
    if (addressed !== undefined) this.urls.set(url, addressed);
    const key = `${url} ${text(child(resource, "meta"), "versionId") ?? ""}`;
    const fresh = !this.#seen.has(key);
    this.#seen.add(key);
    return fresh || this.#type === "history";
  }
}

/** The uuid of an address `urn:uuid:…`. */
const uuidOf = (url: string | undefined): string | undefined => /^urn:uuid:(.+)$/.exec(url ?? "")?.[1];

/**
 * Base of the server that an entry is stored on, as its address says. What is put to its place is the sender's own, and
 * its address in the bundle only what others there call it.
 */
function homeOf({ entry, resource }: BundleEntry, type: BundleType): string | undefined {
  const request = child(entry, "request");
  if (asks(type) && text(request, "method") === "PUT") return undefined;
  const [, named] = /(?:^|\/)([A-Z][A-Za-z]+)\/[^/?]+(?:\/_history\/[^/?]+)?$/.exec(text(request, "url") ?? "") ?? [];
  const url = text(entry, "fullUrl");
  return baseIn(url, resource ? typeOf(resource) : (named ?? ""));
}

/**
 * A resource that is stored nowhere yet goes by its own identifiers, and one that the profile names by an identifier by
 * that: so whoever refers to it means these.
 */
function addressedBy(
  url: string,
  resource: Element,
  home: string | undefined,
  naming: Profile["naming"],
): Addressed | undefined {
  const { resourceType, identifier, name } = resource;
  const type = typeOf(resource);
  const id = text(resource, "id");
  const given = children(resource, "identifier").filter((one) => text(one, "value") !== undefined);
  const system = type === "Patient" || type === "Encounter" || type === "Claim" ? naming[type] : undefined;
  const isNaming = system !== undefined && given.some((one) => one.system === system);
  if (isNaming || (id === undefined && given.length > 0)) {
    const organization = type === "Organization" && { name };
    return { kind: "contained", resource: { resourceType, identifier, ...organization } };
  }
  const own = id ?? uuidOf(url);
  if (own === undefined) return undefined;
  return { kind: "id", type, id: own, at: home === undefined ? "own" : { base: home } };
}

/** Bundles whose entries say what to do. */
const asks = (type: BundleType): boolean => type === "transaction" || type === "batch";

/**
 * How an entry arrives: what it asks for, and what is wrong with the asking.
 * @param place of the entry: `Bundle.entry[3]`.
 * @returns undefined for an entry without a resource that is none of our concern.
 */
export function arrivalOf(
  { entry, resource }: BundleEntry,
  { type }: BundleHead,
  place: string,
): Omit<Arrival, "bytes" | "transport"> | undefined {
  const rejected = (code: Problem["code"], at: string) => ({
    resource,
    stored: false,
    problems: [{ code, place: at }],
  });
  if (!entry) return rejected("structure", place);
  const request = child(entry, "request");
  const method = text(request, "method");
  const target = text(request, "url");
  const home = homeOf({ entry, resource }, type);
  if (asks(type)) {
    if (!request || method === undefined || target === undefined) return rejected("required", `${place}.request`);
    if (method !== "POST" && method !== "PUT") return rejected("not-supported", `${place}.request.method`);
  } else if (deletionOf(entry)) {
    return { resource, stored: true, home, deletion: deletionOf(entry) };
  } else if (!resource && (request !== undefined || entry.response !== undefined)) return undefined;
  if (!resource) return rejected("required", `${place}.resource`);
  const stored = method === "PUT";
  const uuid = uuidOf(text(entry, "fullUrl"));
  if (!asks(type) || target === undefined) return { resource, uuid, home, stored };
  const condition = { ifMatch: request?.ifMatch !== undefined, ifNoneExist: request?.ifNoneExist !== undefined };
  const [, named, id] = /^\/?([A-Za-z]+)(?:\/([A-Za-z0-9\-.]{1,64}))?(?:\?.*)?$/.exec(target) ?? [];
  if (named === undefined || !isResourceType(named)) return rejected("not-supported", `${place}.request.url`);
  if (stored && id === undefined && !target.includes("?")) return rejected("value", `${place}.request.url`);
  return { resource, uuid, home, stored, condition, place: { type: named, ...(stored && id !== undefined && { id }) } };
}
