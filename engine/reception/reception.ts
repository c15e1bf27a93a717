import { setMaxListeners } from "node:events";
import { readFileSync } from "node:fs";
import type { IncomingHttpHeaders } from "node:http";
import { join } from "node:path";
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest, type HTTPMethods } from "fastify";
import type { Logger } from "pino";
import type { Address } from "../intake/connector.js";
import { TributaryError } from "../service/errors.js";
import type { Settings } from "../service/settings.js";
import { AccessTokens, longestUse } from "./access-tokens.js";
import type { GuardedProfile } from "./authentication.js";
import { type BodyLimits, bodyStream, type HeldBody, holdBody } from "./body.js";
import { credentialsIn } from "./credentials.js";
import { admit, type Door, doorOf, isSignedBy } from "./doorkeeper.js";
import { type Answer, type ProblemWriter, plainProblem, problemAnswer } from "./problem.js";
import { Room } from "./room.js";
import { openTokenEndpoint } from "./token-endpoint.js";
import { UsedAssertions } from "./used-assertions.js";

/** A request of a partner that has proven who it is. */
export interface PartnerRequest<Profile> {
  readonly partner: string;
  readonly profile: Profile;
  /** Parts of the path that the route names, e.g. `id` of `/Patient/:id`. */
  readonly parameters: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  /** Media type in lower case without parameters; empty when none is said. */
  readonly mediaType: string;
  /** Base of the partner's own addresses, as partners know it. */
  readonly base: string;
  /** Scopes of the access token that proves it; undefined where it proves itself in another way. */
  readonly scopes?: readonly string[] | undefined;
}

/** A route of partners. It takes bodies as a whole, as a stream, or by their media type in either way. */
export interface Route<Profile> {
  readonly method: HTTPMethods;
  /** Path below `/partners/<partner>`, with `:name` for what varies; empty for that address itself. */
  readonly path: string;
  /** Answers a body that was read to its end. What it throws is told in the connector's words for problems. */
  take?(request: PartnerRequest<Profile>, body: Buffer): Promise<Answer>;
  /**
   * Answers a body that need not fit the memory: the sender is read no faster than it is taken. A signed one is read to
   * its end before.
   */
  stream?(request: PartnerRequest<Profile>, body: AsyncIterable<Buffer>): Promise<Answer>;
  /** Where a route has both: whether a media type is streamed. */
  streams?(mediaType: string): boolean;
}

/** A route that anybody may ask, e.g. what this server can do. Never with a body. */
export interface PublicRoute {
  /** As of a {@link Route}. */
  readonly path: string;
  /** @returns undefined where nothing is shown at these parts of the path. */
  show(base: string, parameters: Readonly<Record<string, string>>): Answer | undefined;
}

export interface ReceptionOptions<Profile extends GuardedProfile> {
  /** Folder name of the connector: `CONNECTOR_PORTS` and `CONNECTOR_URLS` name it so. */
  readonly connector: string;
  readonly settings: Settings;
  readonly profiles: ReadonlyMap<string, Profile>;
  /** Partners whose profiles can't be used: they are told to come again. Default: none. */
  readonly suspended?: ReadonlyMap<string, unknown> | undefined;
  readonly logger: Logger;
  readonly routes: readonly Route<Profile>[];
  /** Routes below a partner's address that need no proof. */
  readonly shown?: readonly PublicRoute[];
  /** How problems are told; default: RFC 9457. */
  readonly problem?: ProblemWriter;
}

/** A reception that is open. */
export interface Reception {
  /** One a partner: `http(s)://host:port/partners/<partner>`. */
  readonly addresses: readonly Address[];
  /** The server itself: `http(s)://host:port`. */
  readonly url: string;
  /** Turns away what comes and what is still arriving, answers what is in hand, closes. */
  close(): Promise<void>;
}

/** What the handling of a request stands on. */
interface Desk<Profile extends GuardedProfile> extends ReceptionOptions<Profile> {
  readonly doors: ReadonlyMap<string, Door>;
  readonly tokens: AccessTokens;
  readonly room: Room;
  readonly limits: BodyLimits;
  readonly closing: AbortController;
  base(partner: string): string;
}

/**
 * Opens a server for partners over HTTP, over TLS where the settings name a certificate. Every address is below
 * `/partners/<partner>`: the partner is bound to its address, and proves by one of its profile's ways that it is the one.
 * Bodies are limited before and after decompression, in time, and in what is in hand at once; what is too much is turned
 * away with 503 and Retry-After. Errors name codes, places and limits, never what was sent.
 * @throws TRIB_RECEPTION_CREDENTIAL_MISSING naming a credential that can't be read.
 */
export async function openReception<Profile extends GuardedProfile>(
  options: ReceptionOptions<Profile>,
): Promise<Reception> {
  const { connector, settings, profiles, logger } = options;
  const production = settings.TRIBUTARY_ENV === "production";
  const credentials = credentialsIn(settings.CONNECTOR_CREDENTIALS ?? join(settings.TRIBUTARY_HOME, "credentials"));
  const doors = new Map<string, Door>();
  for (const [partner, profile] of profiles) {
    doors.set(partner, doorOf(partner, profile, credentials, production));
    if (production && profile.authentication.length === 0)
      logger.warn({ partner }, "The partner's profile lists no authentication: it is let in nowhere");
  }
  const used = new UsedAssertions(join(settings.TRIBUTARY_HOME, "used-assertions", connector), longestUse);
  let url = settings.CONNECTOR_URLS?.[connector];
  const desk: Desk<Profile> = {
    ...options,
    doors,
    tokens: new AccessTokens(connector, settings.TRIBUTARY_TOKEN_KEY ?? settings.TRIBUTARY_SECRET, used),
    room: new Room(settings.CONNECTOR_REQUESTS_IN_HAND, settings.CONNECTOR_BYTES_IN_HAND),
    limits: { sent: settings.CONNECTOR_BODY_LIMIT, decoded: settings.CONNECTOR_DECODED_LIMIT },
    closing: new AbortController(),
    base: (partner) => `${url}/partners/${encodeURIComponent(partner)}`,
  };
  // One listener a request in hand is no leak.
  setMaxListeners(settings.CONNECTOR_REQUESTS_IN_HAND + 10, desk.closing.signal);
  const app = serverFor(settings);
  app.addHook("onRequest", async (_request, reply) => {
    // A connection kept for the next request would hold a closing server open.
    reply.raw.once("close", () => {
      if (desk.closing.signal.aborted) app.server.closeIdleConnections();
    });
  });
  app.addHook("onRequest", async (request) => {
    const { partner } = request.params as { readonly partner?: string };
    if (partner !== undefined && options.suspended?.has(partner))
      throw new TributaryError("TRIB_RECEPTION_PARTNER_SUSPENDED");
  });
  // Bodies are taken as streams here, whatever they are.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", (_request, _payload, done) => done(null));
  for (const route of options.routes) {
    app.route({
      method: route.method,
      url: `/partners/:partner${route.path}`,
      handler: (request, reply) => serve(desk, route, request, reply),
    });
  }
  for (const { path, show } of options.shown ?? []) {
    app.get(`/partners/:partner${path}`, (request, reply) => {
      const { partner, ...parameters } = request.params as Record<string, string> & { readonly partner: string };
      if (!profiles.has(partner))
        return refuse(desk, request, reply, new TributaryError("TRIB_RECEPTION_PARTNER_UNKNOWN"));
      const answer = show(desk.base(partner), parameters);
      return answer
        ? give(reply, answer)
        : refuse(desk, request, reply, new TributaryError("TRIB_RECEPTION_NO_SUCH_ADDRESS"));
    });
  }
  refuseOtherMethods(app, desk);
  openTokenEndpoint(app, desk);
  app.setNotFoundHandler((request, reply) =>
    refuse(desk, request, reply, new TributaryError("TRIB_RECEPTION_NO_SUCH_ADDRESS")),
  );
  app.setErrorHandler((error, request, reply) => refuse(desk, request, reply, error));
  await app.listen({ host: settings.CONNECTOR_HOST, port: settings.CONNECTOR_PORTS?.[connector] ?? 0 });
  const address = app.server.address();
  const port = typeof address === "object" && address ? address.port : 0;
  const host = settings.CONNECTOR_HOST.includes(":") ? `[${settings.CONNECTOR_HOST}]` : settings.CONNECTOR_HOST;
  const protocol = settings.CONNECTOR_TLS_CERT_FILE === undefined ? "http" : "https";
  const here = `${protocol}://${host}:${port}`;
  url ??= here;
  return {
    addresses: [...profiles.keys()].map((partner) => ({
      protocol,
      url: `${here}/partners/${encodeURIComponent(partner)}`,
      partner,
    })),
    url: here,
    async close() {
      desk.closing.abort();
      await app.close();
    },
  };
}

const methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] as const;

/** Answers every method that an address does not take with those that it does (RFC 9110, 15.5.6). */
function refuseOtherMethods<Profile extends GuardedProfile>(app: FastifyInstance, desk: Desk<Profile>): void {
  const taken = new Map<string, Set<string>>();
  const take = (path: string, method: string) => taken.set(path, (taken.get(path) ?? new Set()).add(method));
  for (const { path, method } of desk.routes) take(path, String(method));
  for (const { path } of desk.shown ?? []) take(path, "GET");
  for (const [path, allowed] of taken) {
    const allow = [...allowed].sort().join(", ");
    app.route({
      method: methods.filter((method) => !allowed.has(method)),
      url: `/partners/:partner${path}`,
      handler: (request, reply) => {
        const { partner } = request.params as { readonly partner: string };
        if (!desk.profiles.has(partner))
          return refuse(desk, request, reply, new TributaryError("TRIB_RECEPTION_PARTNER_UNKNOWN"));
        reply.header("allow", allow);
        return refuse(desk, request, reply, new TributaryError("TRIB_RECEPTION_METHOD_NOT_ALLOWED"));
      },
    });
  }
}

function serverFor(settings: Settings): FastifyInstance {
  const { CONNECTOR_TLS_CERT_FILE: cert, CONNECTOR_TLS_KEY_FILE: key, CONNECTOR_TLS_CA_FILE: ca } = settings;
  const requestTimeout = settings.CONNECTOR_REQUEST_SECONDS * 1000;
  const limits = {
    // Node looks for requests that take too long every so often, by itself every half minute.
    connectionsCheckingInterval: Math.min(requestTimeout / 4, 5_000),
    // And takes the longer of the two for the whole request.
    headersTimeout: Math.min(requestTimeout, 60_000),
  };
  const options = {
    forceCloseConnections: "idle" as const,
    requestTimeout,
    // A base is an address with a slash at its end or without.
    routerOptions: { maxParamLength: 256, ignoreTrailingSlash: true },
    exposeHeadRoutes: false,
  };
  if (cert === undefined || key === undefined) return Fastify({ ...options, http: limits });
  const https = {
    ...limits,
    cert: readFileSync(cert),
    key: readFileSync(key),
    // A client without a certificate may prove itself in another way, so the door decides, not the handshake.
    requestCert: true,
    rejectUnauthorized: false,
    minVersion: "TLSv1.2" as const,
    // Without an authority of ours no name is believed: least of all one that any public authority vouches for.
    ca: ca === undefined ? [] : readFileSync(ca),
  };
  return Fastify({ ...options, https }) as unknown as FastifyInstance;
}

async function serve<Profile extends GuardedProfile>(
  desk: Desk<Profile>,
  route: Route<Profile>,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  if (!desk.room.enter()) return refuse(desk, request, reply, new TributaryError("TRIB_RECEPTION_BUSY"));
  let held: HeldBody | undefined;
  try {
    const { partner, ...parameters } = request.params as Record<string, string> & { readonly partner: string };
    const door = desk.doors.get(partner);
    const profile = desk.profiles.get(partner);
    if (!door || !profile) throw new TributaryError("TRIB_RECEPTION_PARTNER_UNKNOWN");
    const admission = await admit(
      door,
      { headers: request.headers, socket: request.raw.socket },
      desk.tokens,
      Date.now(),
    );
    if (admission.by === "out") throw new TributaryError("TRIB_RECEPTION_UNAUTHENTICATED");
    if (Number(request.headers["content-length"] ?? "0") > desk.limits.sent)
      throw new TributaryError("TRIB_RECEPTION_BODY_TOO_LARGE");
    const chunks = bodyStream(request.raw, request.headers["content-encoding"], desk.limits, desk.closing.signal);
    const mediaType = (request.headers["content-type"] ?? "").split(";", 1)[0]!.trim().toLowerCase();
    const streams = route.stream !== undefined && (route.take === undefined || route.streams?.(mediaType) === true);
    if (admission.by === "signature" || !streams) held = await holdBody(chunks, desk.room);
    if (admission.by === "signature" && !isSignedBy(door, request.headers, held!.bytes, Date.now()))
      throw new TributaryError("TRIB_RECEPTION_UNAUTHENTICATED");
    const asked: PartnerRequest<Profile> = {
      partner,
      profile,
      parameters,
      query: new URLSearchParams(request.url.split("?", 2)[1] ?? ""),
      headers: request.headers,
      mediaType,
      base: desk.base(partner),
      scopes: admission.scopes,
    };
    const answer = streams
      ? await route.stream!(asked, held ? oneChunk(held.bytes) : chunks)
      : await route.take!(asked, held!.bytes);
    return give(reply, answer, request);
  } catch (error) {
    return refuse(desk, request, reply, error);
  } finally {
    held?.release();
    desk.room.leave();
  }
}

async function* oneChunk(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}

function give(reply: FastifyReply, answer: Answer, request?: FastifyRequest): FastifyReply {
  if (answer.left) reply.raw.once("finish", answer.left);
  // What is left of a body that nobody reads would hold the connection.
  if (request && !request.raw.readableEnded) {
    request.raw.resume();
    reply.header("connection", "close");
  }
  reply.code(answer.status);
  if (answer.headers) reply.headers(answer.headers);
  if (answer.type) reply.type(answer.type);
  const { body } = answer;
  return reply.send(body instanceof Uint8Array ? Buffer.from(body) : body);
}

/** Tells an error, and lets go of a connection whose request was not read to its end. */
function refuse<Profile extends GuardedProfile>(
  desk: Desk<Profile>,
  request: FastifyRequest,
  reply: FastifyReply,
  error: unknown,
): FastifyReply {
  const { partner } = (request.params ?? {}) as { readonly partner?: string };
  const known = error instanceof TributaryError ? error : undefined;
  const code = known?.code ?? "TRIB_SERVICE_UNEXPECTED";
  const who = partner !== undefined && desk.profiles.has(partner) ? { partner } : {};
  if (!known) desk.logger.error({ err: error, ...who }, "A request could not be taken in");
  else desk.logger.debug({ code, ...who }, "A request was turned away");
  if (code === "TRIB_RECEPTION_UNAUTHENTICATED") reply.header("www-authenticate", 'Bearer, Basic realm="tributary"');
  return give(reply, problemAnswer(code, known?.facts ?? {}, desk.problem ?? plainProblem), request);
}
