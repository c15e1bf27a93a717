import type { ReceivedUnit, Surrogate, UnitIdentity, Verdict } from "../../engine/intake/connector.js";
import { permits } from "../../engine/reception/scopes.js";
import { isResourceType } from "./definitions.js";
import { type Deletion, translateDeletion } from "./deletion.js";
import { child, type Element, isElement, text, typeOf } from "./element.js";
import { type Problem, statusOf, tellable, verdictCodeOf } from "./problem.js";
import { type Profile, versionsCountOnce } from "./profile.js";
import type { Addressed } from "./reference.js";
import { referenceFlags } from "./reference-flags.js";
import { authorityUnder, ownServer } from "./servers.js";
import type { Meaning, Speaker } from "./speaker.js";
import { translate } from "./translate.js";
import { problemsOf } from "./validate.js";

/** What reading a resource depends on beside its bytes. */
export interface ReadingContext {
  readonly partner: string;
  readonly profile: Profile;
  readonly surrogate: Surrogate;
  /** Epoch milliseconds. */
  readonly receivedAt: number;
  readonly sentAt?: number | undefined;
  /** `fullUrl` -> what the entries of its bundle are named by. */
  readonly urls?: ReadonlyMap<string, Addressed>;
  /** Whether its bundle's entries are of more than one server. */
  readonly mixed?: boolean;
  /** Scopes that the sender was granted (SMART Backend Services); undefined where it needs none. */
  readonly scopes?: readonly string[] | undefined;
  /** Told of a failure of the translation itself: the resource is rejected and kept, and others go on. */
  readonly onFailure?: (error: unknown) => void;
}

/** How a resource was sent. */
export interface Arrival {
  /** Exact bytes: of the resource, of its line, or of its entry in a bundle. */
  readonly bytes: Uint8Array;
  readonly resource: unknown;
  /** Problems seen before: with its JSON, its entry, or the whole that it is part of. */
  readonly problems?: readonly Problem[];
  /** Type and id of the place it is sent to, where these are said. */
  readonly place?: { readonly type: string; readonly id?: string };
  /** Uuid of its address in the bundle: what it goes by where nothing else names it. */
  readonly uuid?: string | undefined;
  /** Base of the server that it is stored on, by its address in the bundle. */
  readonly home?: string | undefined;
  /** Sent to the place it is stored at (PUT), rather than for the first time (POST). */
  readonly stored: boolean;
  /** What it is sent on condition of, where its sender says such a thing. */
  readonly condition?: Condition | undefined;
  /** What it says is gone, instead of a resource. */
  readonly deletion?: Deletion | undefined;
  readonly transport?: ReceivedUnit["transport"];
}

/** `If-Match` and `If-None-Exist` of a request, or the same of an entry of a bundle. */
export interface Condition {
  readonly ifMatch?: boolean;
  readonly ifNoneExist?: boolean;
}

/** A resource read: what goes to the journal, and what its sender is told. */
export interface ReadResource {
  readonly unit: ReceivedUnit;
  readonly problems: readonly Problem[];
  /** HTTP status of its answer. */
  readonly status: number;
  /** `Patient/1`; undefined when it has no id. */
  readonly name: string | undefined;
}

/**
 * From one resource to its unit: check, translate, judge. Pure: the same resource in the same context gives the same.
 */
export function readResource(arrival: Arrival, context: ReadingContext): ReadResource {
  const { resource } = arrival;
  const early = arrival.problems ?? [];
  if (arrival.deletion && early.length === 0) return readDeletion(arrival, arrival.deletion, context);
  if (!isElement(resource)) return assemble(arrival, context, early.length > 0 ? early : [atRoot("structure")]);
  try {
    return read(arrival, resource, early, context);
  } catch (error) {
    context.onFailure?.(error);
    return assemble(arrival, context, [...early, { code: "exception", place: typeOf(resource) || "Resource" }]);
  }
}

const atRoot = (code: Problem["code"], place = "Resource"): Problem => ({ code, place });

function read(arrival: Arrival, resource: Element, early: readonly Problem[], context: ReadingContext): ReadResource {
  const type = typeOf(resource);
  if (type === "") return assemble(arrival, context, [...early, atRoot("structure", "Resource.resourceType")]);
  if (!isResourceType(type))
    return assemble(arrival, context, [...early, atRoot("not-supported", "Resource.resourceType")]);
  const { profile } = context;
  const found = problemsOf(resource, { modifierExtensions: profile.modifierExtensions });
  const mild = new Set(profile.validation === "structure" ? ["invariant", "code-invalid"] : []);
  const problems = [
    ...early,
    ...scopeProblems(arrival, type, context),
    ...placeProblems(arrival, resource),
    ...(arrival.condition?.ifMatch && profile.ifMatch === "refuse"
      ? [atRoot("conflict", `${type}.meta.versionId`)]
      : []),
    ...sourceProblems(resource, profile),
  ];
  const flags: string[] = [];
  // A record that is there already gets what is sent as another fact: the log keeps both.
  if (arrival.condition?.ifNoneExist) flags.push("IF_NONE_EXIST_IGNORED");
  if (arrival.condition?.ifMatch) flags.push("IF_MATCH_IGNORED");
  for (const problem of found) {
    if (mild.has(problem.code))
      flags.push(problem.code === "invariant" ? "INVARIANT_BROKEN" : "CODE_OUTSIDE_VALUE_SET");
    else problems.push(problem);
  }
  const { uuid, home } = arrival;
  const speaker: Speaker = { ...context, resource, urls: context.urls ?? new Map(), uuid, home };
  flags.push(...referenceFlags(resource, speaker, context.mixed === true));
  const meaning = problems.length === 0 ? translate(resource, speaker, arrival.stored) : ownersOnly(resource, speaker);
  return assemble(arrival, context, problems, { ...meaning, flags: [...flags, ...meaning.flags] });
}

/** Of a rejected resource only whom its bytes belong to. It may be anything, so nothing is taken for granted. */
function ownersOnly(resource: Element, speaker: Speaker): Meaning {
  try {
    return { events: [], sealFor: translate(resource, speaker, false).sealFor, flags: [] };
  } catch {
    return { events: [], sealFor: [], flags: [] };
  }
}

/** What is sent to its place is an update, which may make it; everything else is created. */
function scopeProblems({ stored }: Arrival, type: string, { scopes }: ReadingContext): readonly Problem[] {
  if (scopes === undefined || permits(scopes, type, stored ? "u" : "c")) return [];
  return [{ code: "forbidden", place: type }];
}

/** The resource must be the one that its address names. */
function placeProblems({ place }: Arrival, resource: Element): readonly Problem[] {
  if (!place) return [];
  const type = typeOf(resource);
  if (place.type !== type) return [{ code: "value", place: `${type}.resourceType` }];
  return place.id !== undefined && place.id !== resource.id ? [{ code: "value", place: `${type}.id` }] : [];
}

/** A partner sends only for the sources that its profile lists. */
function sourceProblems(resource: Element, { sources }: Profile): readonly Problem[] {
  if (sources.length === 0) return [];
  const type = typeOf(resource);
  const [said, place] =
    type === "MessageHeader"
      ? [text(child(resource, "source"), "endpoint"), "MessageHeader.source.endpoint"]
      : [text(child(resource, "meta"), "source")?.split("#", 1)[0], `${type}.meta.source`];
  return said === undefined || sources.includes(said) ? [] : [{ code: "forbidden", place }];
}

/** A deletion is a unit of its own: what the server no longer has. */
function readDeletion(arrival: Arrival, deletion: Deletion, context: ReadingContext): ReadResource {
  const { type, id, version } = deletion;
  const { scopes } = context;
  const forbidden = scopes !== undefined && !permits(scopes, type, "d");
  const speaker: Speaker = { ...context, resource: {}, urls: context.urls ?? new Map(), home: arrival.home };
  const content = Buffer.from(arrival.bytes).toString("utf8");
  const about = { type, id, version, content, stored: true };
  const problems: readonly Problem[] = forbidden ? [{ code: "forbidden", place: type }] : [];
  return unitOf(arrival, context, about, problems, translateDeletion(deletion, speaker));
}

function assemble(
  arrival: Arrival,
  context: ReadingContext,
  problems: readonly Problem[],
  meaning: Meaning = { events: [], sealFor: [], flags: [] },
): ReadResource {
  const resource = isElement(arrival.resource) ? arrival.resource : undefined;
  const about = {
    type: resource && isResourceType(typeOf(resource)) ? typeOf(resource) : "FHIR",
    id: text(resource, "id"),
    version: text(child(resource, "meta"), "versionId"),
    content: resource,
    stored: arrival.stored,
  };
  return unitOf(arrival, context, about, problems, meaning);
}

/** What a unit is about: a version of a resource. */
interface About {
  readonly type: string;
  readonly id: string | undefined;
  readonly version: string | undefined;
  /** White space apart; undefined when nothing could be read. */
  readonly content: unknown;
  readonly stored: boolean;
}

function unitOf(
  arrival: Arrival,
  sender: ReadingContext,
  about: About,
  problems: readonly Problem[],
  meaning: Meaning,
): ReadResource {
  const [first] = problems;
  const verdict: Verdict = first
    ? { accepted: false, code: verdictCodeOf(first.code), location: tellable(first.place) }
    : { accepted: true };
  const { partner } = sender;
  const { type, id, version, content } = about;
  const status = first ? statusOf(first) : about.stored ? 200 : 201;
  const unit: ReceivedUnit = {
    entry: "UNIT",
    partner,
    feed: partner,
    format: type,
    bytes: arrival.bytes,
    verdict,
    flags: [...new Set(meaning.flags)],
    answer: (given) => (given.accepted ? String(status) : String(first ? status : 422)),
    sealFor: meaning.sealFor,
    events: verdict.accepted ? meaning.events : [],
    // A version is told apart from the next by its number; without one an id says nothing about a resend.
    ...(id !== undefined &&
      version !== undefined && { controlId: { scope: [...scopeOf(arrival, sender), type, version], value: id } }),
    ...(verdict.accepted && content !== undefined && { identity: identityOf(scopeOf(arrival, sender), about, sender) }),
    ...(arrival.transport && { transport: arrival.transport }),
  };
  return { unit, problems, status, name: id === undefined ? undefined : `${type}/${id}` };
}

/** The scope of a resource's id: the partner, and the server where it isn't the partner's own. */
function scopeOf({ home }: Arrival, sender: ReadingContext): readonly string[] {
  const server = authorityUnder(home, sender);
  return server === ownServer(sender) ? [sender.partner] : [sender.partner, server];
}

/**
 * White space apart, the same text of the same resource is the same; without an id it is the same for ever, and so is a
 * version where the profile says so, or the partner's histories are read.
 */
function identityOf(
  scope: readonly string[],
  { type, id, version, content }: About,
  { profile }: ReadingContext,
): UnitIdentity {
  const parts = ["fhir", ...scope, type, id ?? "", JSON.stringify(content)];
  if (id === undefined) return { rule: "EVERY", parts };
  if (version !== undefined && versionsCountOnce(profile)) return { rule: "EVERY", parts: [...parts, version] };
  return { rule: "LATEST", parts, resource: ["fhir", ...scope, type, id] };
}
