import { z } from "zod";

const reference = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/, "a file name in the folder of credentials")
  .describe("File in the folder `CONNECTOR_CREDENTIALS`; the profile itself never holds a secret.");

const method = z.discriminatedUnion("method", [
  z
    .strictObject({
      method: z.literal("certificate"),
      fingerprints: z
        .array(z.string().regex(/^([0-9A-Fa-f]{2}:){31}[0-9A-Fa-f]{2}$/, "a SHA-256 fingerprint, `AA:BB:…`"))
        .default([])
        .describe("SHA-256 fingerprints of its client certificates, the old and the new one while they change."),
      subject: z
        .string()
        .min(1)
        .optional()
        .describe("Common name of a client certificate of an authority in `CONNECTOR_TLS_CA_FILE`."),
    })
    .refine(
      ({ fingerprints, subject }) => fingerprints.length > 0 || subject !== undefined,
      "needs `fingerprints` or `subject`: else nobody is let in by it",
    ),
  z.strictObject({
    method: z.literal("signature"),
    keys: z
      .array(reference)
      .min(1)
      .describe("Standard Webhooks: files with `whsec_…` (shared secret) or `whpk_…` (its Ed25519 public key)."),
    toleranceSeconds: z.number().int().min(1).max(3600).default(300).describe("Oldest signature taken."),
  }),
  z.strictObject({
    method: z.literal("private-key-jwt"),
    clientId: z.string().min(1).describe("Its client id: issuer and subject of its assertions."),
    jwks: reference.optional().describe("File with its JSON Web Key Set."),
    jwksUrl: z
      .url({ protocol: /^https$/ })
      .optional()
      .describe("Or where it publishes the set."),
    scopes: z
      .array(z.string().min(1))
      .default(["system/*.write"])
      .describe("Scopes it may be granted, as `system/Patient.cu`; it may ask for less."),
  }),
  z.strictObject({
    method: z.literal("basic"),
    user: z.string().min(1).describe("User name; only over TLS."),
    password: reference,
  }),
]);

/** One way in which a partner proves who it is. */
export type Authentication = z.output<typeof method>;

/**
 * The field `authentication` of a partner profile: any one of the ways listed lets it in. With none the partner needs no
 * proof outside production, and is let in nowhere in production.
 */
export const authenticationField = z
  .array(method)
  .default([])
  .describe(
    "Ways in which it proves who it is, one of them suffices: certificate, signature, private-key-jwt, basic. None: only outside production.",
  );

/** What the reception needs to know of a partner's profile. */
export interface GuardedProfile {
  readonly authentication: readonly Authentication[];
}
