import { createHash } from "node:crypto";
import type { ReceiveContext } from "../../engine/intake/connector.js";
import type { Answer } from "../../engine/reception/problem.js";
import { openReception, type PartnerRequest, type Reception } from "../../engine/reception/reception.js";
import { type BundleHead, readEntry } from "./bundle.js";
import { capabilityStatement } from "./capability.js";
import { type Desk, judge, type Opened, openText, parameterOf, receiveOne, type Told } from "./desk.js";
import { type Element, isElement, text, typeOf } from "./element.js";
import { openBody } from "./open-body.js";
import { acceptedOutcome, fhirJson, notifiedOutcome, outcomeProblem, problemOutcome } from "./outcome.js";
import { type Problem, statusOf } from "./problem.js";
import type { Profile } from "./profile.js";
import { type BundleReception, receiveBundle, responseEntry } from "./receive-bundle.js";
import { linesOutcome, receiveLines } from "./receive-lines.js";

type Request = PartnerRequest<Profile>;
type Taker = (request: Request, body: Buffer, desk: Desk) => Promise<Answer>;

/** What the sender of a request may do is part of the desk that takes it. */
const deskFor = (desk: Desk, { scopes }: Request): Desk => ({ ...desk, scopes });

/** Media types of one resource. */
const resourceTypes = new Set(["application/fhir+json", "application/json", "text/json", ""]);
/** Media types of a resource a line. */
const lineTypes = new Set(["application/fhir+ndjson", "application/ndjson", "application/x-ndjson"]);

/** A sender that says which version it writes (FHIR R4, 3.1.0.1.11) is believed: another one has other meanings. */
const isOtherVersion = ({ headers }: Request): boolean =>
  /;\s*fhirVersion\s*=\s*"?(?!4\.0)/i.test(headers["content-type"] ?? "");

const fhir = (status: number, body: object, headers?: Record<string, string>): Answer => ({
  status,
  type: fhirJson,
  body: JSON.stringify(body),
  ...(headers && { headers }),
});

/** A problem of a whole body. */
function refused(problems: readonly Problem[]): Answer {
  return fhir(statusOf(problems[0]!), problemOutcome(problems));
}

const notTaken = "This media type is not taken: application/fhir+json and application/fhir+ndjson of R4 are.";
const notSupported = (place: string): Answer => ({
  ...fhir(415, problemOutcome([{ code: "not-supported", place, words: notTaken }])),
});

/**
 * Opens the addresses of FHIR: `POST` and `PUT` of resources, of bundles at the base, NDJSON, `$process-message`,
 * `$validate`, `metadata`.
 */
export function openServer(desk: Desk, context: ReceiveContext<Profile>, version: string): Promise<Reception> {
  const lineLimit = context.settings.INTAKE_UNIT_LIMIT;
  const lines = async (request: Request, body: AsyncIterable<Buffer>): Promise<Answer> => {
    const reception = await receiveLines(body, request.partner, deskFor(desk, request), lineLimit);
    return fhir(reception.rejected === 0 ? 200 : 422, linesOutcome(reception));
  };
  const streamed = { stream: lines, streams: (mediaType: string) => lineTypes.has(mediaType) };
  const at = (method: "POST" | "PUT", path: string, take: Taker, more: object = {}) => ({
    method,
    path,
    take: async (request: Request, body: Buffer) =>
      resourceTypes.has(request.mediaType) && !isOtherVersion(request)
        ? take(request, body, deskFor(desk, request))
        : notSupported("Content-Type"),
    ...more,
  });
  return openReception<Profile>({
    connector: "fhir",
    settings: context.settings,
    profiles: desk.profiles,
    suspended: context.suspended,
    logger: context.logger,
    problem: outcomeProblem,
    shown: [{ path: "/metadata", show: (base) => fhir(200, capabilityStatement(base, version)) }],
    routes: [
      at("POST", "", takeAny, streamed),
      at("POST", "/$process-message", takeMessage),
      at("POST", "/$validate", validated),
      at("POST", "/:type/$validate", validated),
      at("POST", "/:type/:id/$validate", validated),
      at("POST", "/:type", (request, body, own) => takeOne(request, body, own, false), streamed),
      at("PUT", "/:type/:id", (request, body, own) => takeOne(request, body, own, true)),
    ],
  });
}

function single({ status, outcome, name }: Told, { base }: Request): Answer {
  return fhir(status, outcome, name !== undefined && status === 201 ? { location: `${base}/${name}` } : undefined);
}

/** `POST /Type`, `PUT /Type/id`. */
async function takeOne(request: Request, body: Buffer, desk: Desk, stored: boolean): Promise<Answer> {
  const { type = "", id } = request.parameters;
  if (type === "Bundle" && !stored) return takeAny(request, body, desk);
  const place = { type, ...(id !== undefined && { id }) };
  const { "if-match": ifMatch, "if-none-exist": ifNoneExist } = request.headers;
  const condition = { ifMatch: ifMatch !== undefined, ifNoneExist: ifNoneExist !== undefined };
  return single(await receiveOne(body, openText(body), { place, stored, condition }, request.partner, desk), request);
}

/**
 * `POST` at the base: a bundle; anything else is taken as the resource that it is. A notification of a subscription without
 * content (R4 rest-hook without payload) says that something changed: a partner's server that is asked is asked now.
 */
async function takeAny(request: Request, body: Buffer, desk: Desk): Promise<Answer> {
  if (body.length === 0 && desk.askNow?.(request.partner)) return fhir(200, notifiedOutcome);
  const found = openBody(body);
  if ("opened" in found)
    return single(await receiveOne(body, found.opened, { stored: false }, request.partner, desk), request);
  const { bundle } = found;
  if (bundle.type === "message") return answerMessage(request, body, bundle, desk);
  const reception = await receiveBundle(body, bundle, request.partner, desk);
  if (reception.problems.length > 0) return refused(reception.problems);
  // Notifications may carry ids only: what they are about is read where it is.
  if (bundle.type === "history") desk.askNow?.(request.partner);
  const type = bundle.type === "transaction" ? "transaction-response" : "batch-response";
  const entry = reception.entries.map((verdict) => responseEntry(verdict, request.base));
  return fhir(200, { resourceType: "Bundle", type, ...(entry.length > 0 && { entry }) });
}

/** `$process-message`: a message bundle, itself or as the parameter `content`. */
async function takeMessage(request: Request, body: Buffer, desk: Desk): Promise<Answer> {
  const found = openBody(body);
  if ("bundle" in found && found.bundle.type === "message") return answerMessage(request, body, found.bundle, desk);
  const problem: Problem = { code: "business-rule", place: "Bundle.type" };
  await receiveOne(body, { problem }, { stored: false }, request.partner, desk);
  return refused([problem]);
}

/** A message is answered by a message: whose id is made of what it answers, so that the same gets the same. */
async function answerMessage(request: Request, body: Buffer, bundle: BundleHead, desk: Desk): Promise<Answer> {
  const reception = await receiveBundle(body, bundle, request.partner, desk);
  const header = bundle.spans[0] ? (readEntry(body, bundle.spans[0]).resource ?? {}) : {};
  const status = reception.problems.length > 0 ? statusOf(reception.problems[0]!) : 200;
  return fhir(status, messageAnswer(header, reception, request));
}

function messageAnswer(header: Element, { problems }: BundleReception, { base }: Request): object {
  const failed = problems.length > 0;
  const outcome = { ...(failed ? problemOutcome(problems) : acceptedOutcome([])), id: "outcome" };
  const digest = createHash("sha256")
    .update(JSON.stringify([header, outcome]))
    .digest("hex");
  const uuid = [
    digest.slice(0, 8),
    digest.slice(8, 12),
    digest.slice(12, 16),
    digest.slice(16, 20),
    digest.slice(20, 32),
  ];
  const event = isElement(header.eventCoding)
    ? { eventCoding: header.eventCoding }
    : { eventUri: text(header, "eventUri") ?? "urn:unknown" };
  const answer = {
    resourceType: "MessageHeader",
    id: uuid.join("-"),
    ...event,
    source: { name: "Tributary", endpoint: base },
    response: {
      identifier: text(header, "id") ?? "unknown",
      code: failed ? "fatal-error" : "ok",
      details: { reference: "OperationOutcome/outcome" },
    },
  };
  return {
    resourceType: "Bundle",
    type: "message",
    entry: [
      { fullUrl: `urn:uuid:${answer.id}`, resource: answer },
      { fullUrl: `${base}/OperationOutcome/outcome`, resource: outcome },
    ],
  };
}

/** `$validate`: what would be answered; nothing is kept. */
async function validated({ parameters, partner }: Request, body: Buffer, desk: Desk): Promise<Answer> {
  const opened = openText(body);
  const value = "value" in opened && isElement(opened.value) ? parameterOf(opened.value, "resource") : undefined;
  const resource = isElement(value) ? value : undefined;
  const wanted: Opened = resource ? { value: resource } : opened;
  const { type } = parameters;
  const place = type === undefined || (resource && typeOf(resource) === "") ? undefined : { type };
  const outcome = judge(wanted, { stored: true, ...(place && { place }) }, partner, desk);
  return fhir(200, outcome);
}
