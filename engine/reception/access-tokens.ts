import { createHmac, randomBytes, randomUUID } from "node:crypto";
import {
  createLocalJWKSet,
  createRemoteJWKSet,
  errors,
  type JWTPayload,
  type JWTVerifyGetKey,
  jwtVerify,
  SignJWT,
} from "jose";
import { TributaryError } from "../service/errors.js";
import type { Authentication } from "./authentication.js";
import type { Credentials } from "./credentials.js";
import { covers } from "./scopes.js";
import type { UsedAssertions } from "./used-assertions.js";

/** Seconds an access token lives: SMART Backend Services wants at most 300. */
const tokenSeconds = 300;
/** Seconds an assertion may be valid at most, and the clocks may differ. */
const assertionSeconds = 300;
const clockTolerance = 30;
/** Seconds after its first use for which an assertion could still be taken. */
export const longestUse = assertionSeconds + 2 * clockTolerance;
/** RS384 and ES384 are SMART's; the others are as strong. */
const algorithms = ["RS384", "ES384", "RS256", "ES256", "PS256", "PS384", "RS512", "ES512", "EdDSA"];

/** A client of a partner that signs its assertions (SMART Backend Services, RFC 7523). */
export interface TokenClient {
  readonly clientId: string;
  readonly scopes: readonly string[];
  readonly keys: JWTVerifyGetKey;
}

/** @throws TRIB_RECEPTION_CREDENTIAL_MISSING when its key set can't be read. */
export function tokenClientOf(
  way: Extract<Authentication, { method: "private-key-jwt" }>,
  credentials: Credentials,
): TokenClient {
  const { clientId, scopes, jwks, jwksUrl } = way;
  if (jwksUrl !== undefined) {
    return { clientId, scopes, keys: createRemoteJWKSet(new URL(jwksUrl), { timeoutDuration: 5_000 }) };
  }
  const unusable = `The key set of the client ${clientId} can't be used: jwks or jwksUrl must name one.`;
  if (jwks === undefined) throw new TributaryError("TRIB_RECEPTION_CREDENTIAL_MISSING", unusable);
  const text = credentials(jwks);
  try {
    return { clientId, scopes, keys: createLocalJWKSet(JSON.parse(text)) };
  } catch {
    throw new TributaryError("TRIB_RECEPTION_CREDENTIAL_MISSING", unusable);
  }
}

/** What a client is given for an assertion: RFC 6749, section 5.1 or 5.2. */
export type TokenResponse =
  | {
      readonly status: 200;
      readonly body: { access_token: string; token_type: "bearer"; expires_in: number; scope: string };
    }
  | { readonly status: 400 | 401; readonly body: { error: string; error_description: string } };

const refused = (status: 400 | 401, error: string, description: string): TokenResponse => ({
  status,
  body: { error, error_description: description },
});

/**
 * Gives and checks access tokens. They are signed, not kept, so every process of a connector takes them; what is kept is
 * which assertions have been used.
 */
export class AccessTokens {
  readonly #key: Uint8Array;
  readonly #issuer: string;
  readonly #used: UsedAssertions;

  /**
   * @param connector in whose name tokens are given.
   * @param secret the connector's key, 64 hexadecimal digits; without it tokens end with the process.
   */
  constructor(connector: string, secret: string | undefined, used: UsedAssertions) {
    this.#used = used;
    const root = secret === undefined ? randomBytes(32) : Buffer.from(secret, "hex");
    this.#key = createHmac("sha256", root).update(`access-tokens\0${connector}`).digest();
    this.#issuer = `tributary:${connector}`;
  }

  /**
   * Answers a token request of grant type client_credentials.
   * @param form fields of the request.
   * @param audience addresses of the token endpoint that an assertion may name.
   * @throws TRIB_RECEPTION_KEYS_UNREACHABLE (retriable) when the client's key set can't be fetched.
   * @throws TRIB_RECEPTION_STATE_UNWRITABLE (retriable) when the assertion's use can't be kept.
   */
  async grant(
    partner: string,
    clients: readonly TokenClient[],
    form: URLSearchParams,
    audience: readonly string[],
    now: number,
  ): Promise<TokenResponse> {
    if (form.get("grant_type") !== "client_credentials")
      return refused(400, "unsupported_grant_type", "grant_type must be client_credentials");
    if (form.get("client_assertion_type") !== "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
      return refused(400, "invalid_request", "client_assertion_type must be jwt-bearer");
    const client = await this.#clientOf(clients, form.get("client_assertion") ?? "", audience, now);
    if (!client) return refused(401, "invalid_client", "the assertion does not prove a client of this partner");
    const asked = (form.get("scope") ?? client.scopes.join(" ")).split(" ").filter((scope) => scope !== "");
    const scopes = asked.filter((scope) => covers(client.scopes, scope));
    if (scopes.length === 0) return refused(400, "invalid_scope", "none of the scopes may be granted");
    const scope = scopes.join(" ");
    const seconds = Math.floor(now / 1000);
    const token = await new SignJWT({ scope })
      .setProtectedHeader({ alg: "HS256" })
      .setIssuer(this.#issuer)
      .setSubject(partner)
      .setJti(randomUUID())
      .setIssuedAt(seconds)
      .setExpirationTime(seconds + tokenSeconds)
      .sign(this.#key);
    return { status: 200, body: { access_token: token, token_type: "bearer", expires_in: tokenSeconds, scope } };
  }

  /** The scopes of a bearer token that was given to the partner and still holds; undefined of any other. */
  async scopesOf(partner: string, token: string, now: number): Promise<readonly string[] | undefined> {
    try {
      const { payload } = await jwtVerify(token, this.#key, {
        algorithms: ["HS256"],
        issuer: this.#issuer,
        subject: partner,
        requiredClaims: ["exp"],
        currentDate: new Date(now),
      });
      return String(payload.scope ?? "").split(" ");
    } catch {
      return undefined;
    }
  }

  async #clientOf(
    clients: readonly TokenClient[],
    assertion: string,
    audience: readonly string[],
    now: number,
  ): Promise<TokenClient | undefined> {
    for (const client of clients) {
      const payload = await verified(assertion, client, audience, now);
      if (payload && (await this.#isFirstUse(client.clientId, payload, now))) return client;
    }
    return undefined;
  }

  /** RFC 7523: an assertion is good once. */
  async #isFirstUse(clientId: string, { jti, exp }: JWTPayload, now: number): Promise<boolean> {
    if (jti === undefined || exp === undefined) return false;
    if (exp > now / 1000 + assertionSeconds + clockTolerance) return false;
    return this.#used.use(clientId, jti, now);
  }
}

async function verified(
  assertion: string,
  client: TokenClient,
  audience: readonly string[],
  now: number,
): Promise<JWTPayload | undefined> {
  try {
    const { payload } = await jwtVerify(assertion, client.keys, {
      algorithms,
      issuer: client.clientId,
      subject: client.clientId,
      audience: [...audience],
      requiredClaims: ["exp", "jti"],
      clockTolerance,
      currentDate: new Date(now),
    });
    return payload;
  } catch (error) {
    if (isUnreachable(error))
      throw new TributaryError("TRIB_RECEPTION_KEYS_UNREACHABLE", undefined, {}, { cause: error });
    return undefined;
  }
}

/** The key set could not be fetched, which says nothing about the assertion. */
function isUnreachable(error: unknown): boolean {
  if (error instanceof errors.JWKSTimeout) return true;
  return !(error instanceof errors.JOSEError) || error.code === "ERR_JOSE_GENERIC";
}
