import type { FastifyInstance } from "fastify";
import type { AccessTokens } from "./access-tokens.js";
import { bodyStream, holdBody } from "./body.js";
import type { Door } from "./doorkeeper.js";
import type { Room } from "./room.js";

/** What the token endpoint of a reception stands on. */
export interface TokenDesk {
  readonly doors: ReadonlyMap<string, Door>;
  readonly tokens: AccessTokens;
  readonly room: Room;
  readonly closing: AbortController;
  base(partner: string): string;
}

/** An assertion with a long certificate chain stays well below. */
const formLimit = 65_536;

/**
 * Serves `POST /partners/<partner>/token` and `GET /partners/<partner>/.well-known/smart-configuration` for partners that
 * sign assertions (SMART App Launch 2.2, Backend Services). Errors thrown are told by the reception.
 */
export function openTokenEndpoint(app: FastifyInstance, desk: TokenDesk): void {
  app.post("/partners/:partner/token", async (request, reply) => {
    const { partner } = request.params as { readonly partner: string };
    const door = desk.doors.get(partner);
    if (!door || door.clients.length === 0) return reply.callNotFound();
    const limits = { sent: formLimit, decoded: formLimit };
    const chunks = bodyStream(request.raw, request.headers["content-encoding"], limits, desk.closing.signal);
    const held = await holdBody(chunks, desk.room);
    try {
      const form = new URLSearchParams(held.bytes.toString("utf8"));
      const audience = [`${desk.base(partner)}/token`];
      const { status, body } = await desk.tokens.grant(partner, door.clients, form, audience, Date.now());
      return reply
        .code(status)
        .headers({ "cache-control": "no-store", pragma: "no-cache" })
        .type("application/json")
        .send(JSON.stringify(body));
    } finally {
      held.release();
    }
  });
  app.get("/partners/:partner/.well-known/smart-configuration", (request, reply) => {
    const { partner } = request.params as { readonly partner: string };
    const clients = desk.doors.get(partner)?.clients ?? [];
    if (clients.length === 0) return reply.callNotFound();
    const configuration = {
      token_endpoint: `${desk.base(partner)}/token`,
      grant_types_supported: ["client_credentials"],
      token_endpoint_auth_methods_supported: ["private_key_jwt"],
      token_endpoint_auth_signing_alg_values_supported: ["RS384", "ES384"],
      scopes_supported: [...new Set(clients.flatMap(({ scopes }) => scopes))],
      capabilities: ["client-confidential-asymmetric", "permission-v1", "permission-v2"],
    };
    return reply.type("application/json").send(JSON.stringify(configuration));
  });
}
