import { setTimeout as wait } from "node:timers/promises";
import { gunzipSync } from "node:zlib";
import type { SendLine, SendRequest } from "../../engine/intake/connector.js";
import { parseJson } from "../../engine/reception/json.js";
import { postAsPartner } from "../../engine/reception/partner-client.js";
import { TributaryError } from "../../engine/service/errors.js";
import { child, children, type Element, isElement, text, texts, typeOf } from "./element.js";
import { type IssueCode, verdictCodeOf } from "./problem.js";

type Told = Omit<SendLine, "file" | "ms">;

/** A file as it is sent: where, as what, and which units it holds. */
interface Outbox {
  readonly method: "POST" | "PUT";
  readonly path: string;
  readonly mediaType: string;
  readonly kind: "one" | "bundle" | "lines";
  /** `Patient/1` of each unit; null where it has no id. */
  readonly names: readonly (string | null)[];
  /** Number of the line of each, from 1. */
  readonly numbers: readonly number[];
}

/**
 * Sends a file as a partner would: a bundle to the base, a resource to its type, NDJSON as bulk data; gzip as it is. One
 * request a file; `rate` holds the lines back, and with them the next file.
 * @throws TRIB_CONNECTOR_UNREACHABLE when nobody listens.
 */
export async function* send(request: SendRequest): AsyncIterable<SendLine> {
  const { file, bytes, partner, rate } = request;
  const address = request.addresses.find(
    (one) => /^https?$/.test(one.protocol) && (one.partner ?? partner) === partner,
  );
  if (!address) throw new TributaryError("TRIB_CONNECTOR_UNREACHABLE");
  const zipped = bytes[0] === 0x1f && bytes[1] === 0x8b;
  const outbox = outboxOf(zipped ? unzipped(bytes) : bytes, request.way);
  const started = performance.now();
  const headers = { "content-type": outbox.mediaType, ...(zipped && { "content-encoding": "gzip" }) };
  const sending = { method: outbox.method, headers, body: bytes, base: address.url };
  const response = await postAsPartner(address.url + outbox.path, sending, request.proof);
  const body = parseJson(response.body)?.value;
  const ms = Math.round(performance.now() - started);
  const lines = linesOf(outbox, response.status, isElement(body) ? body : {});
  for (const [index, told] of lines.entries()) {
    if (rate !== undefined) {
      const due = started + ((index + 1) * 1000) / rate;
      if (due > performance.now()) await wait(due - performance.now());
    }
    yield { file, ...told, ms };
  }
}

function unzipped(bytes: Buffer): Buffer {
  try {
    return gunzipSync(bytes);
  } catch {
    return Buffer.alloc(0);
  }
}

const nameOf = (resource: Element | undefined): string | null => {
  const id = text(resource, "id");
  return resource && id !== undefined ? `${typeOf(resource)}/${id}` : null;
};

/** @param way one of those of `resending`; default: as the bytes tell. */
function outboxOf(bytes: Buffer, way?: string): Outbox {
  const value = parseJson(bytes)?.value;
  const one = { method: "POST" as const, mediaType: "application/fhir+json", numbers: [] };
  if (isElement(value) && typeOf(value) === "Bundle" && (way ?? "bundle") === "bundle") {
    const entries = Array.isArray(value.entry) ? value.entry : [];
    const names = entries.map((entry) => nameOf(isElement(entry) ? child(entry, "resource") : undefined));
    return { ...one, path: "", kind: "bundle", names };
  }
  const lines = value === undefined || way === "lines" ? numbered(bytes) : [];
  if (way === "lines" || lines.filter(({ resource }) => resource !== undefined).length > 1) {
    return {
      ...one,
      path: "",
      mediaType: "application/fhir+ndjson",
      kind: "lines",
      names: lines.map(({ resource }) => nameOf(resource)),
      numbers: lines.map(({ number }) => number),
    };
  }
  const resource = isElement(value) ? value : undefined;
  const type = resource ? typeOf(resource) : "";
  const path = /^[A-Za-z]{1,64}$/.test(type) ? `/${type}` : "";
  const sent = { ...one, kind: "one" as const, names: [nameOf(resource)] };
  return way === "PUT" ? { ...sent, method: way, path: `${path}/${text(resource, "id")}` } : { ...sent, path };
}

/** Lines that hold anything, with their numbers from 1. */
function numbered(bytes: Buffer): readonly { readonly number: number; readonly resource: Element | undefined }[] {
  return bytes
    .toString("utf8")
    .split("\n")
    .flatMap((line, index) => {
      if (line.trim() === "") return [];
      const value = parseJson(Buffer.from(line))?.value;
      return [{ number: index + 1, resource: isElement(value) ? value : undefined }];
    });
}

function linesOf(outbox: Outbox, status: number, body: Element): readonly Told[] {
  if (outbox.kind === "lines" && (status === 200 || status === 422)) return toldOfLines(outbox, body);
  const answered = children(body, "entry").map((entry) => child(entry, "response"));
  if (
    outbox.kind === "bundle" &&
    status === 200 &&
    answered.length === outbox.names.length &&
    body.type !== "message"
  ) {
    return outbox.names.map((name, index) => {
      const code = Number.parseInt(text(answered[index], "status") ?? "0", 10);
      return toldOf(name, index, code, child(answered[index], "outcome"));
    });
  }
  const outcome = typeOf(body) === "Bundle" ? messageOutcome(body) : body;
  const names = outbox.names.length > 0 ? outbox.names : [null];
  return names.map((name, index) => toldOf(name, outbox.names.length > 0 ? index : null, status, outcome));
}

const messageOutcome = (body: Element): Element | undefined =>
  children(body, "entry")
    .map((entry) => child(entry, "resource"))
    .find((resource) => resource && typeOf(resource) === "OperationOutcome");

function toldOf(controlId: string | null, index: number | null, status: number, outcome: Element | undefined): Told {
  const accepted = status >= 200 && status < 300;
  const issue = children(outcome, "issue").find(({ severity }) => severity === "error");
  const engine = children(child(issue, "details"), "coding")[0];
  const code = accepted ? null : (text(engine, "code") ?? issueCode(issue) ?? `HTTP_${status}`);
  const location = accepted ? null : (texts(issue, "expression")[0] ?? null);
  return { index, controlId, accepted, code, location, answer: String(status) };
}

function issueCode(issue: Element | undefined): string | undefined {
  const code = text(issue, "code");
  return code === undefined ? undefined : verdictCodeOf(code as IssueCode);
}

/** Each line by what the outcome says of it: it names those that were rejected. */
function toldOfLines({ names, numbers }: Outbox, body: Element): readonly Told[] {
  const rejected = new Map<string, Element>();
  for (const issue of children(body, "issue")) {
    const [, line, place] = /^line\[(\d+)\]\.(.*)$/.exec(texts(issue, "expression")[0] ?? "") ?? [];
    if (line !== undefined) rejected.set(line, { ...issue, expression: [place] });
  }
  return names.map((controlId, index) => {
    const issue = rejected.get(String(numbers[index]));
    if (!issue) return { index, controlId, accepted: true, code: null, location: null, answer: "200" };
    const location = texts(issue, "expression")[0] ?? null;
    return { index, controlId, accepted: false, code: issueCode(issue) ?? null, location, answer: "422" };
  });
}
