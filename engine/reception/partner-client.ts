import { randomUUID } from "node:crypto";
import { type IncomingHttpHeaders, request as plainRequest } from "node:http";
import { request as secureRequest } from "node:https";
import { connect, type PeerCertificate, type SecureContextOptions, type TLSSocket } from "node:tls";
import { TributaryError } from "../service/errors.js";
import { type TlsWatch, watchTls } from "./tls-fault.js";
import { tokenRequest } from "./token-request.js";
import { readSignatureKey, signatureOf } from "./webhook-signature.js";

/** What a partner has to prove itself with, as `tributary send` is given it. */
export interface PartnerProof {
  /** Client certificate and its key, PEM. */
  readonly certificate?: { readonly cert: string; readonly key: string };
  /** Authority that signed the server's certificate, PEM. */
  readonly authority?: string;
  /** The server's own certificates, PEM: these are taken, whatever name they are for. */
  readonly pinned?: string[];
  /** Shared secret of Standard Webhooks, `whsec_…`. */
  readonly secret?: string;
  readonly basic?: { readonly user: string; readonly password: string };
  /** A client of SMART Backend Services: its private key, PEM or JWK, and the scopes it asks for. */
  readonly client?: { readonly id: string; readonly key: string; readonly scope?: string };
}

export interface PartnerAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** What TLS needs of a proof, over HTTP and over MLLP. */
export function tlsOf({ certificate, authority, pinned }: PartnerProof): SecureContextOptions & {
  readonly checkServerIdentity?: (host: string, certificate: PeerCertificate) => Error | undefined;
} {
  return {
    ...certificate,
    ...(authority !== undefined && { ca: authority }),
    ...(authority === undefined && pinned !== undefined && { ca: pinned, checkServerIdentity: () => undefined }),
  };
}

/** Opens a connection over TLS to a host and port with a proof. */
export function connectAsPartner(host: string, port: number, proof: PartnerProof = {}): TLSSocket {
  return connect({ host, port, servername: /^[\d.:]+$/.test(host) ? "" : host, ...tlsOf(proof) });
}

/**
 * Posts a body as a partner would, with its proofs, or puts it.
 * @param base address of the partner, where its token endpoint is; default: the url itself.
 * @throws TRIB_CONNECTOR_UNREACHABLE when nobody listens.
 * @throws TRIB_CLI_SERVER_UNTRUSTED, TRIB_CLI_CERTIFICATE_REFUSED when one side does not take the other's certificate.
 * @throws TRIB_CLI_PROOF_UNUSABLE when a key can't be used, or the token endpoint refuses it.
 */
export async function postAsPartner(
  url: string,
  {
    method = "POST",
    headers = {},
    body,
    base = url,
  }: { method?: "POST" | "PUT"; headers?: Record<string, string>; body: Uint8Array; base?: string },
  proof: PartnerProof = {},
): Promise<PartnerAnswer> {
  const { client, basic, secret } = proof;
  const proven: Record<string, string> = { ...headers };
  if (secret !== undefined) Object.assign(proven, signed(secret, body));
  if (basic) proven.authorization = `Basic ${Buffer.from(`${basic.user}:${basic.password}`).toString("base64")}`;
  if (client) proven.authorization = `Bearer ${await tokenFor(client, base, proof)}`;
  return exchange(url, proven, body, proof, method);
}

function signed(secret: string, body: Uint8Array): Record<string, string> {
  const key = readSignatureKey(secret);
  if (key?.version !== "v1") throw new TributaryError("TRIB_CLI_PROOF_UNUSABLE", "The secret is no whsec_ secret.");
  const head = { id: `msg_${randomUUID()}`, timestamp: String(Math.floor(Date.now() / 1000)) };
  return {
    "webhook-id": head.id,
    "webhook-timestamp": head.timestamp,
    "webhook-signature": signatureOf(head, body, key.secret),
  };
}

/** An access token for an assertion that the client's key signs. */
async function tokenFor(
  { id, key, scope }: NonNullable<PartnerProof["client"]>,
  base: string,
  proof: PartnerProof,
): Promise<string> {
  const endpoint = await tokenEndpoint(base, proof);
  const form = await tokenRequest({ id, key, scope }, endpoint);
  const headers = { "content-type": "application/x-www-form-urlencoded" };
  const { status, body } = await exchange(`${base}/token`, headers, Buffer.from(form.toString()), proof);
  const answer = jsonOf(body);
  if (status === 200 && typeof answer.access_token === "string") return answer.access_token;
  const why = `The token endpoint answered ${status}: ${answer.error_description ?? answer.error ?? "no reason"}.`;
  throw new TributaryError("TRIB_CLI_PROOF_UNUSABLE", why);
}

/** The address that assertions name: as the server says it, which behind a proxy is another than the one called. */
async function tokenEndpoint(base: string, proof: PartnerProof): Promise<string> {
  const { body } = await exchange(`${base}/.well-known/smart-configuration`, {}, undefined, proof);
  const { token_endpoint } = jsonOf(body);
  return typeof token_endpoint === "string" ? token_endpoint : `${base}/token`;
}

function jsonOf(body: Buffer): Readonly<Record<string, unknown>> {
  try {
    return (JSON.parse(body.toString("utf8")) ?? {}) as Record<string, unknown>;
  } catch {
    return {};
  }
}

/** One request. @param method default: GET without a body. */
function exchange(
  url: string,
  headers: Record<string, string>,
  body: Uint8Array | undefined,
  proof: PartnerProof,
  method = body ? "POST" : "GET",
): Promise<PartnerAnswer> {
  const secure = url.startsWith("https:");
  let tls: TlsWatch | undefined;
  return new Promise<PartnerAnswer>((resolve, reject) => {
    const options = {
      method,
      headers: { ...headers, ...(body && { "content-length": String(body.length) }) },
      agent: false as const,
      ...(secure && tlsOf(proof)),
    };
    const request = secure ? secureRequest(url, options) : plainRequest(url, options);
    request.on("error", reject);
    request.on("socket", (socket) => {
      tls = watchTls(socket, url, proof.certificate !== undefined);
    });
    request.on("response", (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) }),
      );
    });
    request.end(body);
  }).catch((cause: Error) => {
    const unreachable = () =>
      new TributaryError("TRIB_CONNECTOR_UNREACHABLE", `Nobody answers at ${url}.`, { address: url }, { cause });
    throw tls?.fault(cause) ?? unreachable();
  });
}
