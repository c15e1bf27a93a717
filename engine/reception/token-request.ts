import { createPrivateKey, type KeyObject, randomUUID } from "node:crypto";
import { importJWK, SignJWT } from "jose";
import { TributaryError } from "../service/errors.js";

/** A client of SMART Backend Services: its id, its private key as PEM or JWK, and the scopes it asks for. */
export interface AskingClient {
  readonly id: string;
  readonly key: string;
  readonly scope?: string | undefined;
}

/**
 * The form that asks a token endpoint for an access token, by an assertion that the client's key signs (RFC 7523).
 * @param endpoint address of the token endpoint, which the assertion names.
 * @throws TRIB_CLI_PROOF_UNUSABLE when the key can't be used.
 */
export async function tokenRequest({ id, key, scope }: AskingClient, endpoint: string): Promise<URLSearchParams> {
  const { alg, kid, privateKey } = await signingKey(key);
  const assertion = await new SignJWT({ jti: randomUUID() })
    .setProtectedHeader({ alg, ...(kid !== undefined && { kid }) })
    .setIssuer(id)
    .setSubject(id)
    .setAudience(endpoint)
    .setExpirationTime("2m")
    .sign(privateKey);
  return new URLSearchParams({
    grant_type: "client_credentials",
    client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    client_assertion: assertion,
    ...(scope !== undefined && { scope }),
  });
}

interface SigningKey {
  readonly alg: string;
  readonly kid?: string;
  readonly privateKey: Parameters<SignJWT["sign"]>[0];
}

async function signingKey(text: string): Promise<SigningKey> {
  try {
    if (text.trimStart().startsWith("{")) {
      const jwk = JSON.parse(text) as { readonly alg?: string; readonly kid?: string; readonly kty: string };
      const alg = jwk.alg ?? (jwk.kty === "RSA" ? "RS384" : "ES384");
      const privateKey = await importJWK(jwk, alg);
      return { alg, privateKey, ...(jwk.kid !== undefined && { kid: jwk.kid }) };
    }
    const privateKey = createPrivateKey(text);
    return { alg: algorithmOf(privateKey), privateKey };
  } catch {
    throw new TributaryError("TRIB_CLI_PROOF_UNUSABLE", "The client's key is neither a PEM nor a JWK private key.");
  }
}

function algorithmOf({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): string {
  if (asymmetricKeyType === "rsa") return "RS384";
  if (asymmetricKeyType === "ed25519") return "EdDSA";
  return asymmetricKeyDetails?.namedCurve === "prime256v1" ? "ES256" : "ES384";
}
