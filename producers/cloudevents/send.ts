import type { SendLine, SendRequest } from "../../engine/intake/connector.js";
import { postAsPartner } from "../../engine/reception/partner-client.js";
import { codeOfProblem as codeOf } from "../../engine/reception/problem.js";
import { TributaryError } from "../../engine/service/errors.js";
import { structured } from "./request.js";
import { binaryParts } from "./resending.js";
import type { EventAnswer } from "./server.js";

/**
 * Sends a file as a partner would, in one request: an event, a batch, or an event in the Avro format, whichever it is.
 * `way` is one of those of `resending`.
 * @throws TRIB_CONNECTOR_UNREACHABLE when nobody listens.
 */
export async function* send({ addresses, partner, file, bytes, proof, way }: SendRequest): AsyncIterable<SendLine> {
  const address = addresses.find((one) => one.protocol.startsWith("http") && (one.partner ?? partner) === partner);
  if (!address) throw new TributaryError("TRIB_CONNECTOR_UNREACHABLE");
  const started = performance.now();
  const sending =
    way === "binary" ? binaryParts(bytes) : { headers: { "content-type": mediaTypeOf(bytes, way) }, body: bytes };
  const response = await postAsPartner(address.url, sending, proof);
  const told = answersOf(response.body.toString("utf8"));
  const ms = Math.round(performance.now() - started);
  const answer = String(response.status);
  for (const [index, { id, accepted, code, location }] of told.entries()) {
    yield { file, index, controlId: id, accepted, code: code ?? null, location: location ?? null, answer, ms };
  }
  if (told.length > 0) return;
  const accepted = response.status < 300;
  const code = accepted ? null : (codeOf(response.body.toString("utf8")) ?? `HTTP_${answer}`);
  yield { file, index: null, controlId: null, accepted, code, location: null, answer, ms };
}

/** By the first character, unless it is known for a batch: what is no JSON is taken for Avro. */
function mediaTypeOf(bytes: Buffer, way?: string): string {
  if (way === "batch") return structured.batch;
  const [first = ""] = bytes.toString("utf8", 0, 64).trimStart();
  if (first === "[") return structured.batch;
  return first === "{" ? structured.json : structured.avro;
}

function answersOf(body: string): readonly EventAnswer[] {
  try {
    const told = JSON.parse(body) as EventAnswer | EventAnswer[];
    return [told].flat().filter(({ accepted }) => typeof accepted === "boolean");
  } catch {
    return [];
  }
}
