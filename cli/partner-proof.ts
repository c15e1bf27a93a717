import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Command } from "commander";
import type { ConnectorDefinition } from "../engine/intake/connector.js";
import type { Authentication } from "../engine/reception/authentication.js";
import { type Credentials, credentialsIn } from "../engine/reception/credentials.js";
import type { PartnerProof } from "../engine/reception/partner-client.js";
import { TributaryError } from "../engine/service/errors.js";
import { credentialsFolder, readProfiles } from "../engine/service/profiles.js";
import type { Settings } from "../engine/service/settings.js";
import { misuse } from "./misuse.js";

/** Files with which a sender proves who it is. */
export interface ProofOptions {
  readonly cert?: string;
  readonly certKey?: string;
  readonly clientKey?: string;
  readonly scope?: string;
  readonly ca?: string;
}

export function addProofOptions(command: Command): Command {
  return command
    .option("--cert <file>", "client certificate of the partner, PEM")
    .option("--cert-key <file>", "key of that certificate, PEM")
    .option("--client-key <file>", "private key of the partner's client (private-key-jwt), PEM or JWK")
    .option("--scope <scopes>", "scopes that this client asks for; default: all it may be granted")
    .option("--ca <file>", "authority of the connector's certificate, PEM; default: the certificate in the settings");
}

/** @throws TRIB_CLI_MISUSED naming the partners there are. */
export function assertPartner(profiles: ReadonlyMap<string, unknown>, partner: string): void {
  if (!profiles.has(partner))
    throw misuse(`There is no partner ${partner}. There are: ${[...profiles.keys()].join(", ")}.`);
}

/**
 * The profiles of a connector, that of one partner among them, whatever is wrong in those of others.
 * @throws TRIB_CLI_MISUSED naming the partners there are; TRIB_SERVICE_PROFILE_INVALID, TRIB_SERVICE_PROFILES_OVERLAP.
 */
export function profilesWith(connector: ConnectorDefinition<unknown>, partner: string): ReadonlyMap<string, unknown> {
  const { profiles, suspended } = readProfiles(connector, { production: false });
  const own = suspended.find((one) => one.partner === partner);
  if (own) throw own.error;
  assertPartner(profiles, partner);
  return profiles;
}

/** @throws TRIB_CLI_FILE_UNREADABLE */
function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    throw new TributaryError("TRIB_CLI_FILE_UNREADABLE", `The file ${file} can't be read.`);
  }
}

/** @throws TRIB_CLI_FILE_UNREADABLE, TRIB_CLI_PROOF_UNUSABLE */
function certificateIn(file: string): X509Certificate {
  const text = textOf(file);
  try {
    return new X509Certificate(text);
  } catch (cause) {
    throw new TributaryError("TRIB_CLI_PROOF_UNUSABLE", `There is no certificate in ${file} (PEM).`, {}, { cause });
  }
}

/** @throws TRIB_CLI_FILE_UNREADABLE, TRIB_CLI_PROOF_UNUSABLE */
function privateKeyIn(file: string): KeyObject {
  const text = textOf(file);
  try {
    return createPrivateKey(text);
  } catch (cause) {
    const why = `There is no private key without a passphrase in ${file} (PEM).`;
    throw new TributaryError("TRIB_CLI_PROOF_UNUSABLE", why, {}, { cause });
  }
}

/** @throws TRIB_CLI_FILE_UNREADABLE, TRIB_CLI_PROOF_UNUSABLE when they are not what they have to be, or not a pair. */
function pairOf(cert: string, key: string): { readonly cert: string; readonly key: string } {
  if (!certificateIn(cert).checkPrivateKey(privateKeyIn(key)))
    throw new TributaryError("TRIB_CLI_PROOF_UNUSABLE", `The key in ${key} is not that of the certificate in ${cert}.`);
  return { cert: textOf(cert), key: textOf(key) };
}

/**
 * What `send` proves itself with: the files given; else, of the ways that the profile lists, the first one whose secret
 * this installation has too (a shared secret, a password).
 * @throws TRIB_CLI_FILE_UNREADABLE, TRIB_CLI_PROOF_UNUSABLE, TRIB_RECEPTION_CREDENTIAL_MISSING
 */
export function proofOf(profile: unknown, options: ProofOptions, settings: Settings): PartnerProof {
  const ways = waysOf(profile);
  const credentials = credentialsIn(credentialsFolder(settings));
  if (options.ca !== undefined) certificateIn(options.ca);
  const own = [settings.CONNECTOR_TLS_CERT_FILE, settings.HL7V2_TLS_CERT_FILE].filter((file) => file !== undefined);
  const server: PartnerProof = {
    ...(options.ca !== undefined && { authority: textOf(options.ca) }),
    ...(options.ca === undefined && own.length > 0 && { pinned: own.map(textOf) }),
  };
  const { cert, certKey, clientKey } = options;
  if (cert !== undefined) {
    if (certKey === undefined) throw new TributaryError("TRIB_CLI_PROOF_UNUSABLE", "--cert needs --cert-key.");
    return { ...server, certificate: pairOf(cert, certKey) };
  }
  if (certKey !== undefined) throw new TributaryError("TRIB_CLI_PROOF_UNUSABLE", "--cert-key needs --cert.");
  if (clientKey !== undefined) {
    const way = ways.find((one) => one.method === "private-key-jwt");
    if (!way) throw new TributaryError("TRIB_CLI_PROOF_UNUSABLE", "The profile lists no client (private-key-jwt).");
    const scope = options.scope ?? way.scopes.join(" ");
    return { ...server, client: { id: way.clientId, key: textOf(clientKey), scope } };
  }
  return { ...server, ...sharedProof(ways, credentials) };
}

function waysOf(profile: unknown): readonly Authentication[] {
  return (profile as { readonly authentication?: readonly Authentication[] } | undefined)?.authentication ?? [];
}

function sharedProof(ways: readonly Authentication[], credentials: Credentials): PartnerProof {
  for (const way of ways) {
    if (way.method === "basic") return { basic: { user: way.user, password: credentials(way.password) } };
    const secret = way.method === "signature" && way.keys.map(credentials).find((key) => key.startsWith("whsec_"));
    if (secret) return { secret };
  }
  return {};
}
