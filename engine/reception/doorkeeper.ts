import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { TributaryError } from "../service/errors.js";
import { type AccessTokens, type TokenClient, tokenClientOf } from "./access-tokens.js";
import type { Authentication, GuardedProfile } from "./authentication.js";
import type { Credentials } from "./credentials.js";
import { isSigned, readSignatureKey, type SignatureKey } from "./webhook-signature.js";

/** A partner's ways in, with their credentials read. */
export interface Door {
  readonly partner: string;
  /** Needs no proof: only outside production. */
  readonly open: boolean;
  readonly certificates: readonly {
    readonly fingerprints: ReadonlySet<string>;
    readonly subject?: string | undefined;
  }[];
  readonly basics: readonly { readonly user: string; readonly password: Buffer }[];
  readonly clients: readonly TokenClient[];
  readonly signatures: readonly { readonly keys: readonly SignatureKey[]; readonly toleranceSeconds: number }[];
}

const digest = (text: string): Buffer => createHash("sha256").update(text, "utf8").digest();

/**
 * Reads a partner's credentials once.
 * @throws TRIB_RECEPTION_CREDENTIAL_MISSING naming what can't be read.
 */
export function doorOf(partner: string, profile: GuardedProfile, credentials: Credentials, production: boolean): Door {
  const ways = profile.authentication;
  const of = <Method extends Authentication["method"]>(method: Method) =>
    ways.filter((way): way is Extract<Authentication, { method: Method }> => way.method === method);
  return {
    partner,
    open: ways.length === 0 && !production,
    certificates: of("certificate").map(({ fingerprints, subject }) => ({
      fingerprints: new Set(fingerprints.map((one) => one.toUpperCase())),
      subject,
    })),
    basics: of("basic").map(({ user, password }) => ({ user, password: digest(credentials(password)) })),
    clients: of("private-key-jwt").map((way) => tokenClientOf(way, credentials)),
    signatures: of("signature").map(({ keys, toleranceSeconds }) => ({
      keys: keys.map((reference) => signatureKeyOf(reference, credentials)),
      toleranceSeconds,
    })),
  };
}

function signatureKeyOf(reference: string, credentials: Credentials): SignatureKey {
  const key = readSignatureKey(credentials(reference));
  if (!key) throw new TributaryError("TRIB_RECEPTION_CREDENTIAL_MISSING", `${reference} holds no whsec_ or whpk_ key.`);
  return key;
}

/** What a request shows before its body is read. */
export interface Caller {
  readonly headers: IncomingHttpHeaders;
  readonly socket: Socket;
}

/** How a caller is let in. `in`: proven. `signature`: the body's signature decides. `out`: nothing proves it. */
export interface Admission {
  readonly by: "in" | "signature" | "out";
  /** What an access token allows; undefined where something else proves the partner, which then may do all of its own. */
  readonly scopes?: readonly string[];
}

/** Decides by what is known before the body is read: certificate, access token, password. */
export async function admit(door: Door, caller: Caller, tokens: AccessTokens, now: number): Promise<Admission> {
  if (door.open || hasCertificate(door, caller.socket)) return { by: "in" };
  const [, scheme = "", credential = ""] = /^(\w+) +(\S+)$/.exec(caller.headers.authorization ?? "") ?? [];
  if (scheme.toLowerCase() === "bearer" && door.clients.length > 0) {
    const scopes = await tokens.scopesOf(door.partner, credential, now);
    if (scopes) return { by: "in", scopes };
  }
  const isBasic = scheme.toLowerCase() === "basic" && isEncrypted(caller.socket);
  if (isBasic && hasPassword(door, credential)) return { by: "in" };
  const signed = caller.headers["webhook-signature"] !== undefined;
  return { by: signed && door.signatures.length > 0 ? "signature" : "out" };
}

const isEncrypted = (socket: Socket): boolean => (socket as Partial<TLSSocket>).encrypted === true;

function hasCertificate(door: Door, socket: Socket): boolean {
  if (door.certificates.length === 0 || !isEncrypted(socket)) return false;
  const { authorized } = socket as TLSSocket;
  const shown = (socket as TLSSocket).getPeerCertificate();
  if (typeof shown?.fingerprint256 !== "string") return false;
  const valid = Date.parse(shown.valid_to) > Date.now() && Date.parse(shown.valid_from) <= Date.now();
  return door.certificates.some(({ fingerprints, subject }) => {
    // A pinned certificate needs no authority, only to be in its time; a name is worth what the authority is worth.
    if (fingerprints.size > 0) {
      return valid && fingerprints.has(shown.fingerprint256) && (subject === undefined || shown.subject.CN === subject);
    }
    return authorized && subject !== undefined && shown.subject.CN === subject;
  });
}

function hasPassword(door: Door, credential: string): boolean {
  const text = Buffer.from(credential, "base64").toString("utf8");
  const colon = text.indexOf(":");
  if (colon < 0) return false;
  const given = digest(text.slice(colon + 1));
  return door.basics.some(({ user, password }) => user === text.slice(0, colon) && timingSafeEqual(password, given));
}

/** Whether a body is signed by the partner, after Standard Webhooks. */
export function isSignedBy(door: Door, headers: IncomingHttpHeaders, body: Uint8Array, now: number): boolean {
  const text = (name: string): string => {
    const value = headers[name];
    return typeof value === "string" ? value : "";
  };
  const given = {
    id: text("webhook-id"),
    timestamp: text("webhook-timestamp"),
    signature: text("webhook-signature"),
  };
  return door.signatures.some(({ keys, toleranceSeconds }) => isSigned(given, body, keys, now, toleranceSeconds));
}
