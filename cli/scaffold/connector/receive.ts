import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { ReceiveContext, Receiver, Verdict } from "../../../engine/intake/connector.js";
import type { Profile } from "./profile.js";
import { statusOf, translate } from "./translate.js";

/** Folder name: `CONNECTOR_PORTS` names the port by it. */
const name = "example";
/** Largest body in bytes. */
const bodyLimit = 1_000_000;

/**
 * Serves `POST /partners/<partner>`: 200 accepted, 422 rejected with code and place; both only when the journal has it.
 * 503: nothing is durable, send it again. 404, 413: partner unknown, body too large.
 */
export async function receive(context: ReceiveContext<Profile>): Promise<Receiver> {
  const { settings, profiles, logger } = context;
  const server = createServer((request, response) => {
    take(context, request, response).catch((error: unknown) => {
      logger.warn({ err: error }, "a message could not be made durable; its sender tries again");
      respond(response.setHeader("retry-after", "5"), 503);
    });
    // A connection that waits for more would hold a closing server open.
    response.once("close", () => server.listening || server.closeIdleConnections());
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(settings.CONNECTOR_PORTS?.[name] ?? 0, settings.CONNECTOR_HOST, resolve);
  });
  const { address, family, port } = server.address() as AddressInfo;
  const url = `http://${family === "IPv6" ? `[${address}]` : address}:${port}`;
  return {
    addresses: [...profiles.keys()].map((partner) => ({
      protocol: "http",
      url: `${url}/partners/${encodeURIComponent(partner)}`,
      partner,
    })),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeIdleConnections();
      }),
  };
}

async function take(context: ReceiveContext<Profile>, request: IncomingMessage, response: ServerResponse) {
  const [, partner] = /^\/partners\/([^/?]+)$/.exec(request.url ?? "") ?? [];
  const profile = context.profiles.get(partner ?? "");
  if (request.method !== "POST" || partner === undefined || !profile) return refuse(request, response, 404);
  const bytes = await bodyOf(request);
  if (!bytes) return refuse(request, response, 413);
  const unit = translate(bytes, { partner, profile, surrogate: context.intake.surrogate });
  const [submitted] = await context.intake.submit([unit]);
  // The journal has the last word: a unit over its limit is rejected there.
  const verdict = submitted?.verdict ?? unit.verdict;
  respond(response, Number(statusOf(verdict)), verdict);
}

/** @returns undefined when it is too large. */
async function bodyOf(request: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > bodyLimit) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** Answers without having read the body, and lets go of the connection. */
function refuse(request: IncomingMessage, response: ServerResponse, status: number): void {
  request.resume();
  respond(response.setHeader("connection", "close"), status);
}

function respond(response: ServerResponse, status: number, verdict?: Verdict): void {
  response
    .writeHead(status, { "content-type": "application/json" })
    .end(JSON.stringify(verdict ?? { accepted: false }));
}
