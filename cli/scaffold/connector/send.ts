import type { SendLine, SendRequest } from "../../../engine/intake/connector.js";
import { postAsPartner } from "../../../engine/reception/partner-client.js";
import { TributaryError } from "../../../engine/service/errors.js";

/**
 * Sends a file as a partner would and tells the answer: a file is one unit.
 * @throws TRIB_CONNECTOR_UNREACHABLE when nobody listens.
 */
export async function* send({ addresses, partner, file, bytes, proof }: SendRequest): AsyncIterable<SendLine> {
  const address = addresses.find((one) => (one.partner ?? partner) === partner);
  if (!address) throw new TributaryError("TRIB_CONNECTOR_UNREACHABLE");
  const started = performance.now();
  const response = await postAsPartner(address.url, { body: bytes }, proof);
  const accepted = response.status === 200;
  const { code, location } = readJson(response.body);
  yield {
    file,
    index: 0,
    controlId: readJson(bytes).id ?? null,
    accepted,
    code: accepted ? null : (code ?? `HTTP_${response.status}`),
    location: location ?? null,
    answer: String(response.status),
    ms: Math.round(performance.now() - started),
  };
}

/** Texts of an object; nothing where it is none. */
function readJson(bytes: Buffer): Readonly<Record<string, string | undefined>> {
  try {
    const found = Object.entries(JSON.parse(bytes.toString("utf8")) as object);
    return Object.fromEntries(found.filter(([, value]) => typeof value === "string"));
  } catch {
    return {};
  }
}
