import type { SendLine, SendRequest } from "../../../engine/intake/connector.js";
import { TributaryError } from "../../../engine/service/errors.js";

/**
 * Sends a file as a partner would and tells the answer: a file is one unit.
 * @throws TRIB_CONNECTOR_UNREACHABLE when nobody listens.
 */
export async function* send({ addresses, partner, file, bytes }: SendRequest): AsyncIterable<SendLine> {
  const address = addresses.find((one) => (one.partner ?? partner) === partner);
  if (!address) throw new TributaryError("TRIB_CONNECTOR_UNREACHABLE");
  const started = performance.now();
  const response = await fetch(address.url, { method: "POST", body: new Uint8Array(bytes) }).catch((cause: unknown) => {
    throw new TributaryError("TRIB_CONNECTOR_UNREACHABLE", `Nobody answers at ${address.url}.`, {}, { cause });
  });
  const told = (await response.json().catch(() => ({}))) as { readonly code?: string; readonly location?: string };
  yield {
    file,
    index: 0,
    controlId: controlIdOf(bytes),
    accepted: response.ok,
    code: response.ok ? null : (told.code ?? `HTTP_${response.status}`),
    location: told.location ?? null,
    answer: String(response.status),
    ms: Math.round(performance.now() - started),
  };
}

function controlIdOf(bytes: Buffer): string | null {
  try {
    const { id } = JSON.parse(bytes.toString("utf8")) as { readonly id?: unknown };
    return typeof id === "string" ? id : null;
  } catch {
    return null;
  }
}
