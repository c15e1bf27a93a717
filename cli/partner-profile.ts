import { randomBytes, X509Certificate } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import type { ConnectorDefinition } from "../engine/intake/connector.js";
import { TributaryError } from "../engine/service/errors.js";
import { jsonMistake, profileMistakes } from "../engine/service/profile-mistakes.js";

/** Ways to prove itself that a new partner can be given. */
export const authMethods = ["signature", "basic", "certificate", "private-key-jwt"] as const;
export type AuthMethod = (typeof authMethods)[number];

/** What is known of a new partner. */
export interface NewPartner {
  readonly connector: string;
  readonly partner: string;
  readonly auth: readonly AuthMethod[];
  /** Its client certificate, a PEM file. */
  readonly cert?: string;
  /** Its key set: a file, or an https address. */
  readonly jwks?: string;
  readonly clientId?: string;
  readonly scopes?: string;
  readonly user?: string;
}

/** A credential made, or taken over: a file in the folder of credentials. */
export interface WrittenCredential {
  readonly file: string;
  /** What the partner needs of it. */
  readonly about: string;
}

const invalid = (message: string) => new TributaryError("TRIB_CLI_PROFILE_INVALID", message);

/**
 * A field of a profile by its path, `writing.delimiter=;`: JSON where it is some, else text.
 * @throws TRIB_CLI_PROFILE_INVALID for no assignment, and for what begins as an object or a list and is no JSON.
 */
export function setField(profile: Record<string, unknown>, assignment: string): void {
  const [, path = "", text = ""] = /^([A-Za-z0-9.]+)=(.*)$/s.exec(assignment) ?? [];
  if (path === "") throw invalid(`${assignment} is not of the form field=value.`);
  const names = path.split(".");
  const last = names.pop() ?? "";
  let place = profile;
  for (const name of names) {
    place[name] ??= {};
    place = place[name] as Record<string, unknown>;
  }
  place[last] = parsedOrText(text);
  // A list in quotes that the shell took away would else be a text, and the fault the connector's to tell.
  if (typeof place[last] === "string" && /^[[{]/.test(text))
    throw invalid(
      `${path} is no JSON: ${jsonMistake(text)}. Quotes inside need others around: --set 'field=["value"]'.`,
    );
}

function parsedOrText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/**
 * The profile's `authentication`, with new secrets in the folder of credentials (mode 0600); none is printed or in the
 * profile. A connector whose profile has a `certificate` of its own (MLLP) gets the same there.
 * @throws TRIB_CLI_PROFILE_INVALID when something is missing; TRIB_CLI_FILE_UNREADABLE
 */
export function addAuthentication(
  profile: Record<string, unknown>,
  given: NewPartner,
  folder: string,
  fields: Readonly<Record<string, unknown>>,
): WrittenCredential[] {
  const written: WrittenCredential[] = [];
  const keep = (ending: string, content: string, about: string): string => {
    const name = `${given.connector}-${given.partner}.${ending}`;
    writeCredential(folder, name, content);
    written.push({ file: join(folder, name), about });
    return name;
  };
  const certificate = (): object => {
    if (given.cert === undefined) throw invalid("--auth certificate needs --cert: the partner's certificate.");
    const { fingerprint256 } = certificateIn(given.cert);
    if ("certificate" in fields) profile.certificate = fingerprint256;
    return { fingerprints: [fingerprint256] };
  };
  const facts: Readonly<Record<AuthMethod, () => object>> = {
    signature: () => {
      const secret = `whsec_${randomBytes(32).toString("base64")}`;
      return { keys: [keep("whsec", secret, "the secret that it signs with: give it to the partner")] };
    },
    basic: () => {
      const password = keep("password", randomBytes(24).toString("base64url"), "its password: give it to the partner");
      return { user: given.user ?? given.partner, password };
    },
    certificate,
    "private-key-jwt": () => ({
      clientId: given.clientId ?? given.partner,
      ...keySet(given, keep),
      ...scopesOf(given),
    }),
  };
  const ways = given.auth.map((method) => ({ method, ...facts[method]() }));
  if (ways.length > 0) profile.authentication = ways;
  return written;
}

const scopesOf = ({ scopes }: NewPartner) => (scopes === undefined ? {} : { scopes: scopes.split(/[ ,]+/) });

function keySet({ jwks }: NewPartner, keep: (ending: string, content: string, about: string) => string) {
  if (jwks === undefined) throw invalid("--auth private-key-jwt needs --jwks: the partner's public key set.");
  if (jwks.startsWith("https://")) return { jwksUrl: jwks };
  const parsed = parsedOrText(readGiven(jwks)) as { readonly keys?: readonly { readonly d?: unknown }[] };
  if (!Array.isArray(parsed?.keys) || parsed.keys.some(({ d }) => d !== undefined))
    throw invalid(`${jwks} is no key set of public keys (\`{"keys": […]}\`).`);
  return { jwks: keep("jwks", JSON.stringify(parsed), "its public keys: nothing secret") };
}

function readGiven(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    throw new TributaryError("TRIB_CLI_FILE_UNREADABLE", `The file ${file} can't be read.`);
  }
}

function certificateIn(file: string): X509Certificate {
  const text = readGiven(file);
  try {
    return new X509Certificate(text);
  } catch {
    throw invalid(`${file} is no certificate in PEM.`);
  }
}

/** A credential that is there is never written over: another partner may live by it. */
function writeCredential(folder: string, name: string, content: string): void {
  const file = join(folder, name);
  if (existsSync(file)) throw invalid(`The credential ${file} is there already.`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  writeFileSync(file, `${content}\n`, { mode: 0o600, flag: "wx" });
}

/** @throws TRIB_CLI_PROFILE_INVALID naming each field that the connector refuses. */
export function checkProfile(connector: ConnectorDefinition<unknown>, profile: unknown): void {
  const parsed = connector.profile.safeParse(profile);
  if (parsed.success) return;
  throw invalid(`${profileMistakes(connector.profile, parsed.error, profile).join("; ")}.`);
}

/** A field of a profile, for who writes one. */
export interface ProfileField {
  readonly field: string;
  readonly default: string;
  readonly meaning: string;
}

interface FieldSchema {
  readonly description?: string;
  readonly default?: unknown;
  readonly properties?: Readonly<Record<string, FieldSchema>>;
}

const schemaOf = (connector: ConnectorDefinition<unknown>) =>
  z.toJSONSchema(connector.profile, { io: "input", unrepresentable: "any" }) as FieldSchema;

/** Names of the fields of a connector's profiles. */
export const topFields = (connector: ConnectorDefinition<unknown>): Readonly<Record<string, unknown>> =>
  schemaOf(connector).properties ?? {};

/** Every field that a profile of the connector can set, those inside of others as `writing.charset`. */
export function profileFields(connector: ConnectorDefinition<unknown>): ProfileField[] {
  const list = (schema: FieldSchema, before: string): ProfileField[] =>
    Object.entries(schema.properties ?? {}).flatMap(([name, inner]) => {
      const field = `${before}${name}`;
      if (inner.properties && inner.description === undefined) return list(inner, `${field}.`);
      const standard = inner.default === undefined ? "-" : JSON.stringify(inner.default);
      return [{ field, default: standard, meaning: inner.description ?? "" }];
    });
  return list(schemaOf(connector), "");
}
