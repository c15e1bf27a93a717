import type { IncomingHttpHeaders } from "node:http";
import { parseJson, shapeOf } from "../../engine/reception/json.js";
import { fromAvro } from "./avro-envelope.js";
import { type CloudEvent, type EnvelopeProblem, fromJson, isJson, readJson } from "./cloud-event.js";

/** An event of a request, with its bytes. */
export interface ReceivedEvent {
  readonly event: CloudEvent | EnvelopeProblem;
  readonly bytes: Buffer;
  /** Where it begins in the body. */
  readonly offset: number;
}

/** What a request holds. */
export interface ReceivedRequest {
  readonly events: readonly ReceivedEvent[];
  /** A batch is answered by a list. */
  readonly batch: boolean;
  /** Bytes of a batch that stand between its events, in order. */
  readonly rest: Buffer | null;
}

const depth = 40;
const values = 2_000_000;

/** Media types of structured events. */
export const structured = {
  json: "application/cloudevents+json",
  batch: "application/cloudevents-batch+json",
  avro: "application/cloudevents+avro",
} as const;

/**
 * The events of a request, by the HTTP binding of CloudEvents 1.0: structured, batch, or binary where the attributes are
 * headers `ce-…`. Pure.
 * @param batchLimit most events of a batch.
 * @returns null when the media type is none of these.
 */
export function readRequest(
  headers: IncomingHttpHeaders,
  mediaType: string,
  body: Buffer,
  batchLimit: number,
): ReceivedRequest | null {
  const single = (event: CloudEvent | EnvelopeProblem, bytes = body): ReceivedRequest => {
    return { events: [{ event, bytes, offset: 0 }], batch: false, rest: null };
  };
  if (mediaType === structured.batch) return readBatch(body, batchLimit);
  if (mediaType === structured.avro) return single(fromAvro(body));
  if (mediaType === structured.json) {
    const json = readJson(body);
    return single(json ? fromJson(json.value) : unreadable);
  }
  if (mediaType.startsWith("application/cloudevents") || headers["ce-specversion"] === undefined) return null;
  const { event, head } = fromHeaders(headers, mediaType, body);
  return single(event, Buffer.concat([head, body]));
}

const unreadable: EnvelopeProblem = { code: "UNREADABLE", place: "body" };

function readBatch(body: Buffer, batchLimit: number): ReceivedRequest {
  const { fault, spans } = shapeOf(body, { depth, values }, ["*"]);
  const whole = parseJson(body);
  if (fault !== undefined || !whole || !Array.isArray(whole.value) || whole.value.length !== spans.length) {
    return { events: [{ event: unreadable, bytes: body, offset: 0 }], batch: true, rest: null };
  }
  if (spans.length > batchLimit) {
    const event: EnvelopeProblem = { code: "UNREADABLE", place: "batch limit" };
    return { events: [{ event, bytes: body, offset: 0 }], batch: true, rest: null };
  }
  const between: Buffer[] = [];
  let at = 0;
  const events = spans.map(({ start, end }, index) => {
    between.push(body.subarray(at, start));
    at = end;
    return { event: fromJson((whole.value as unknown[])[index]), bytes: body.subarray(start, end), offset: start };
  });
  between.push(body.subarray(at));
  return { events, batch: true, rest: Buffer.concat(between) };
}

/** A binary event. Its unit is the headers that make it, as lines, an empty line, and the body. */
function fromHeaders(
  headers: IncomingHttpHeaders,
  mediaType: string,
  body: Buffer,
): { readonly event: CloudEvent | EnvelopeProblem; readonly head: Buffer } {
  const attributes: Record<string, string> = {};
  const lines: string[] = [];
  let problem: EnvelopeProblem | null = null;
  for (const [name, value] of Object.entries(headers)) {
    if (!name.startsWith("ce-") || typeof value !== "string") continue;
    lines.push(`${name}: ${value}\r\n`);
    const text = percentDecoded(value);
    if (text === null || !/^ce-[a-z0-9]{1,64}$/.test(name))
      problem = { code: "ATTRIBUTE_INVALID", place: "attribute name" };
    else attributes[name.slice(3)] = text;
  }
  if (mediaType !== "") {
    attributes.datacontenttype = mediaType;
    lines.push(`content-type: ${mediaType}\r\n`);
  }
  const head = Buffer.from(`${lines.sort().join("")}\r\n`, "latin1");
  if (problem) return { event: problem, head };
  if (body.length === 0) return { event: { attributes, data: null }, head };
  if (!isJson(mediaType)) return { event: { attributes, data: { bytes: body } }, head };
  const json = readJson(body);
  return { event: json ? { attributes, data: { json: json.value } } : { code: "UNREADABLE", place: "data" }, head };
}

/** Header values are percent-encoded outside of printable ASCII (HTTP binding, 3.1.3.2), and may be quoted. */
function percentDecoded(value: string): string | null {
  const text = /^".*"$/.test(value) ? value.slice(1, -1).replace(/\\(["\\])/g, "$1") : value;
  try {
    return decodeURIComponent(text.replace(/%(?![0-9A-Fa-f]{2})/g, "%25"));
  } catch {
    return null;
  }
}
