import { createHash } from "node:crypto";
import type { Credentials } from "../reception/credentials.js";
import { readSignatureKey, signatureOf } from "../reception/webhook-signature.js";
import { TributaryError } from "../service/errors.js";
import { judgeStatus, retryAfter } from "./answer.js";
import { bodyOf, cloudEventType } from "./cloud-event.js";
import type { Attempt, Destination, Parcel, Sender } from "./destination.js";

/** A partner's endpoint over HTTPS, after Standard Webhooks 1.0; bodies are CloudEvents 1.0 in structured JSON. */
export interface WebhookOptions {
  /** Address, or the file in the folder of credentials that holds it. https; http to this machine only. */
  readonly url: string | { readonly file: string };
  /**
   * Files in the folder of credentials (`DELIVERY_CREDENTIALS`) with the shared secret, `whsec_…`. Two while it changes: then
   * both sign, and the partner may know either.
   */
  readonly secrets: readonly [string] | readonly [string, string];
  /** Longest time in seconds that one attempt may take; default 10, at most 15. */
  readonly timeoutSeconds?: number;
  /** Most attempts at once of one process; default 16. */
  readonly concurrency?: number;
}

/** Bytes of an answer that are read before the connection is given up: nothing in it is of interest. */
const answerBytes = 65_536;
const fileName = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;

/** Where a consumer delivers over HTTPS: see {@link WebhookOptions}. */
export function webhook(options: WebhookOptions): Destination {
  return { kind: "webhook", fault: () => faultOf(options), open: (credentials) => openWebhook(options, credentials) };
}

function faultOf({ url, secrets, timeoutSeconds = 10, concurrency = 16 }: WebhookOptions): string | undefined {
  if (typeof url === "string") {
    const fault = addressFault(url);
    if (fault !== undefined) return fault;
  } else if (!fileName.test(url.file)) return "url.file is no file name";
  if (secrets.length < 1 || secrets.length > 2) return "secrets names one file, or two while the secret changes";
  if (!secrets.every((name) => fileName.test(name))) return "secrets are names of files, never the secret itself";
  if (!(timeoutSeconds > 0 && timeoutSeconds <= 15)) return "timeoutSeconds is above 0 and at most 15";
  return Number.isInteger(concurrency) && concurrency >= 1 && concurrency <= 256
    ? undefined
    : "concurrency is from 1 to 256";
}

/** Patients' data leaves the machine encrypted or not at all. */
function addressFault(text: string): string | undefined {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    return "url is no address";
  }
  if (url.username || url.password) return "url holds a name or password";
  const isLoopback = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(url.hostname);
  if (url.protocol === "https:" || (url.protocol === "http:" && isLoopback)) return undefined;
  return "url is https, or http to this machine";
}

function openWebhook(options: WebhookOptions, credentials: Credentials): Sender {
  const invalid = (why: string) => new TributaryError("TRIB_DELIVERY_DEFINITION_INVALID", `The webhook's ${why}.`);
  const url = typeof options.url === "string" ? options.url : credentials(options.url.file);
  const fault = addressFault(url);
  if (fault !== undefined) throw invalid(fault);
  const secrets = options.secrets.map((name) => {
    const key = readSignatureKey(credentials(name));
    if (key?.version !== "v1") throw invalid(`secret ${name} is no whsec_ secret of 24 to 64 bytes`);
    return key.secret;
  });
  const timeout = (options.timeoutSeconds ?? 10) * 1000;
  return {
    name: `webhook ${new URL(url).origin}`,
    concurrency: options.concurrency ?? 16,
    timeout,
    send: (parcel, signal) => attempt(url, secrets, timeout, parcel, signal),
  };
}

/** Headers of a signed request; the time is that of the attempt. */
function signedHeaders(id: string, body: Buffer, secrets: readonly Buffer[]): Record<string, string> {
  const timestamp = String(Math.floor(Date.now() / 1000));
  return {
    "content-type": `${cloudEventType}; charset=utf-8`,
    "user-agent": "tributary",
    "webhook-id": id,
    "webhook-timestamp": timestamp,
    "webhook-signature": secrets.map((secret) => signatureOf({ id, timestamp }, body, secret)).join(" "),
  };
}

async function attempt(
  url: string,
  secrets: readonly Buffer[],
  timeout: number,
  parcel: Parcel,
  signal: AbortSignal,
): Promise<Attempt> {
  const body = bodyOf(parcel, secrets[0] as Buffer);
  const sha256 = createHash("sha256").update(body).digest();
  const ended = AbortSignal.any([signal, AbortSignal.timeout(timeout)]);
  try {
    const response = await fetch(url, {
      method: "POST",
      headers: signedHeaders(parcel.deliveryId, body, secrets),
      body: new Uint8Array(body),
      redirect: "manual",
      signal: ended,
    });
    const { status, headers } = response;
    // The status is the answer: what follows it may be cut off.
    await passOver(response).catch(() => {});
    const judged = judgeStatus(status);
    const after = judged.outcome === "transient" ? retryAfter(headers.get("retry-after"), Date.now()) : undefined;
    return { ...judged, sent: true, status, sha256, afterMilliseconds: after };
  } catch (error) {
    return { outcome: "transient", sent: !isUnconnected(error), status: null, reason: reasonOf(error), sha256 };
  }
}

/** Reads an answer so far that its connection can be used again, and no further. */
async function passOver({ body }: Response): Promise<void> {
  if (!body) return;
  let read = 0;
  for await (const chunk of body as unknown as AsyncIterable<Uint8Array>) {
    read += chunk.length;
    if (read > answerBytes) return;
  }
}

interface SystemError {
  readonly code?: unknown;
  readonly syscall?: unknown;
  /** Of an address that is several: what was said of each. */
  readonly errors?: readonly SystemError[];
}

/** Whether an attempt ended before there was a connection: looking up the name, or opening it, failed. In doubt there was one. */
function isUnconnected(error: unknown): boolean {
  const { cause } = error as { readonly cause?: SystemError };
  if (cause?.code === "UND_ERR_CONNECT_TIMEOUT") return true;
  const causes = cause?.errors ?? (cause ? [cause] : []);
  return causes.length > 0 && causes.every(({ syscall }) => syscall === "connect" || syscall === "getaddrinfo");
}

/** Names what the system says, never an address or anything of the request. */
function reasonOf(error: unknown): string {
  const { name, cause } = error as { readonly name?: string; readonly cause?: { readonly code?: unknown } };
  if (name === "TimeoutError") return "the partner did not answer in time";
  if (name === "AbortError") return "the process ended meanwhile";
  return `the partner could not be reached (${typeof cause?.code === "string" ? cause.code : "no code"})`;
}
