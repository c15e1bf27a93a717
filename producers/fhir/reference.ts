import { children, codings, type Element, text, typeOf } from "./element.js";
import { authorityUnder, ownServer, type Place, type Sender } from "./servers.js";

/** What a reference says of its target. */
export type Target =
  /** A resource that is stored somewhere. */
  | { readonly kind: "id"; readonly type: string; readonly id: string; readonly at: Place }
  /** Whatever has this identifier. */
  | { readonly kind: "identifier"; readonly type: string; readonly system: string; readonly value: string }
  /** A resource without a place of its own: within the one that refers, or beside it in the bundle. */
  | { readonly kind: "contained"; readonly resource: Element }
  | { readonly kind: "none" };

/** What an entry of a bundle is named by: type and id, or of one without an id its identifiers. */
export type Addressed = Extract<Target, { readonly kind: "id" | "contained" }>;

/** What references are looked up in. */
export interface ReferenceScope {
  /** The resource that refers. */
  readonly resource: Element;
  /** `fullUrl` -> what the entry of the same bundle is named by. */
  readonly urls: ReadonlyMap<string, Addressed>;
  /** Base of the server that it is stored on, where its address in a bundle says so; undefined: the sender's own. */
  readonly home?: string | undefined;
}

const none: Target = { kind: "none" };
const local = /^(?:(.*)\/)?([A-Z][A-Za-z]+)\/([A-Za-z0-9\-.]{1,64})(?:\/_history\/[A-Za-z0-9\-.]{1,64})?$/;
const absolute = /^[a-z][a-z0-9+.-]*:/i;

/** Resolves a Reference: within the resource, within the bundle, by id or by identifier. */
export function targetOf(reference: Element | undefined, scope: ReferenceScope): Target {
  if (!reference) return none;
  const to = text(reference, "reference");
  if (to === undefined) return byIdentifier(reference);
  if (to.startsWith("#")) {
    const resource = children(scope.resource, "contained").find(({ id }) => id === to.slice(1));
    return resource ? { kind: "contained", resource } : none;
  }
  const [path = "", query] = to.split("?", 2);
  if (query !== undefined) return conditional(path, new URLSearchParams(query));
  // What is relative is so to the address of what refers (FHIR R4, 2.36.4.1).
  const beside = scope.urls.get(to) ?? (scope.home === undefined ? undefined : scope.urls.get(`${scope.home}/${to}`));
  if (beside) return beside;
  const [, base = "", type, id] = local.exec(to) ?? [];
  if (type !== undefined && id !== undefined)
    return { kind: "id", type, id, at: absolute.test(base) ? { base } : "here" };
  const uuid = /^urn:(?:uuid|oid):([A-Za-z0-9\-.]{1,64})$/.exec(to)?.[1];
  if (uuid !== undefined) return { kind: "id", type: "", id: uuid, at: "own" };
  // An address of another form still names one thing.
  if (absolute.test(to)) return { kind: "identifier", type: "", system: "urn:ietf:rfc:3986", value: to };
  return byIdentifier(reference);
}

function byIdentifier(reference: Element): Target {
  const identifier = reference.identifier as Element | undefined;
  const value = text(identifier, "value");
  if (value === undefined) return none;
  return { kind: "identifier", type: text(reference, "type") ?? "", system: text(identifier, "system") ?? "", value };
}

/** `Patient?identifier=system|value`. */
function conditional(path: string, query: URLSearchParams): Target {
  const token = query.get("identifier");
  if (token === null) return none;
  const bar = token.indexOf("|");
  const value = token.slice(bar + 1);
  return value === "" ? none : { kind: "identifier", type: path, system: bar < 0 ? "" : token.slice(0, bar), value };
}

/** National Provider Identifier. */
const npi = "http://hl7.org/fhir/sid/us-npi";

/** NPI that a reference to a provider names; it is public. */
export function npiOf(reference: Element | undefined, scope: ReferenceScope): string | null {
  const target = targetOf(reference, scope);
  if (target.kind === "identifier") return target.system === npi ? target.value : identifierNpi(reference);
  if (target.kind === "contained") {
    const found = children(target.resource, "identifier").find(({ system }) => system === npi);
    return text(found, "value") ?? null;
  }
  return identifierNpi(reference);
}

function identifierNpi(reference: Element | undefined): string | null {
  const identifier = reference?.identifier as Element | undefined;
  return text(identifier, "system") === npi ? (text(identifier, "value") ?? null) : null;
}

/** Who assigns the id of what a reference names. @param home base of the resource that refers, where it isn't the sender's. */
export function assignerOf(at: Place, home: string | undefined, sender: Sender): string {
  return authorityUnder(at === "here" ? home : at === "own" ? undefined : at.base, sender);
}

/**
 * Name of an organisation that a reference gives: identifier, id (with the server, where that isn't the sender's), or
 * what it displays. Never of a person.
 */
export function organizationOf(reference: Element | undefined, scope: ReferenceScope & Sender): string {
  const target = targetOf(reference, scope);
  if (target.kind === "identifier") return target.value;
  if (target.kind === "id") {
    const assigner = assignerOf(target.at, scope.home, scope);
    return assigner === ownServer(scope) ? target.id : `${assigner}/Organization/${target.id}`;
  }
  if (target.kind === "contained" && typeOf(target.resource) === "Organization") {
    const [first] = children(target.resource, "identifier");
    return text(first, "value") ?? text(target.resource, "name") ?? "";
  }
  return text(reference, "display") ?? "";
}

/** Codes of an identifier's type, HL7 table 0203; empty when it has none. */
export function identifierType(identifier: Element): string {
  const type = identifier.type as Element | undefined;
  const coding = codings(type).find(({ system }) => typeof system === "string" && system.endsWith("v2-0203"));
  return text(coding, "code") ?? text(codings(type)[0], "code") ?? "";
}
