import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import type { Logger } from "pino";
import { errorDefinitions } from "../../engine/service/error-definitions.js";
import { type ErrorCode, TributaryError } from "../../engine/service/errors.js";
import { type Desk, type Reception, receive } from "./reception.js";
import { type SpooledSource, spool } from "./source.js";

export interface ServerOptions {
  readonly host: string;
  readonly port: number;
  /** Largest body in bytes. */
  readonly bodyLimit: number;
  readonly logger: Logger;
}

export interface X12Server {
  readonly url: string;
  /** Takes no more requests, answers those in hand, closes. */
  close(): Promise<void>;
}

interface TakeOptions extends ServerOptions {
  /** Answers given that are still being journalled. */
  readonly pending: Set<Promise<void>>;
}

/** Seconds after which a sender should try again when the log can't be reached. */
const RETRY_AFTER = 5;

/**
 * Serves `POST /partners/:partner/interchanges`: a body of one or more interchanges, answered by TA1 and 999 or 997 as
 * `application/edi-x12`. Status 200: everything accepted (204 when there is nothing to say); 422: something was rejected,
 * the body says what; 400: no interchange could be read to its end; 404, 413: partner unknown, body too large; 503 with
 * Retry-After: not durable, nothing was accepted.
 */
export async function startServer(desk: Desk, options: ServerOptions): Promise<X12Server> {
  const app: FastifyInstance = Fastify({ forceCloseConnections: "idle" });
  app.removeAllContentTypeParsers();
  // Interchanges may be larger than the memory, so the body is taken as a stream.
  app.addContentTypeParser("*", (_request, _payload, done) => done(null));
  const pending = new Set<Promise<void>>();
  const taking = { ...options, pending };
  app.post("/partners/:partner/interchanges", (request, reply) => take(desk, taking, request, reply));
  app.setNotFoundHandler((_request, reply) => problem(reply, "TRIB_X12_PARTNER_UNKNOWN"));
  await app.listen({ host: options.host, port: options.port });
  const address = app.server.address();
  const port = typeof address === "object" && address ? address.port : options.port;
  const host = options.host.includes(":") ? `[${options.host}]` : options.host;
  return {
    url: `http://${host}:${port}`,
    close: () =>
      app
        .close()
        .then(() => Promise.all(pending))
        .then(() => {}),
  };
}

async function take(
  desk: Desk,
  options: TakeOptions,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const { partner } = request.params as { readonly partner: string };
  if (!desk.profiles.has(partner)) return refuse(request, reply, "TRIB_X12_PARTNER_UNKNOWN");
  const declared = Number(request.headers["content-length"] ?? "0");
  if (declared > options.bodyLimit) return refuse(request, reply, "TRIB_X12_BODY_TOO_LARGE");
  let source: SpooledSource | undefined;
  try {
    source = await spool(request.raw as AsyncIterable<Buffer>, options.bodyLimit);
    const reception = await receive(source, partner, desk);
    if (reception.report.interchanges.length === 0 || (reception.report.problem && reception.answer.length === 0)) {
      const found = reception.report.problem;
      return problem(reply, "TRIB_X12_UNREADABLE", { reason: `X12_${found?.code}`, offset: found?.offset ?? 0 });
    }
    reply.raw.once("finish", () => remember(reception, partner, options));
    if (reception.answer.length === 0) return reply.code(reception.accepted ? 204 : 422).send();
    return reply
      .code(reception.accepted ? 200 : 422)
      .type("application/edi-x12")
      .send(reception.answer);
  } catch (error) {
    if (!(error instanceof TributaryError)) {
      options.logger.error({ err: error, partner }, "An interchange could not be taken in");
      return problem(reply, "TRIB_SERVICE_UNEXPECTED");
    }
    if (error.code === "TRIB_X12_BODY_TOO_LARGE") return refuse(request, reply, error.code);
    options.logger.warn({ err: error, partner }, "An interchange could not be made durable; its sender tries again");
    return problem(reply, error.code);
  } finally {
    await source?.release();
  }
}

/** The sender has its answer; keeping that it has may fail, which does no harm. */
function remember(reception: Reception, partner: string, { logger, pending }: TakeOptions): void {
  const done = reception
    .answered()
    .catch((error: unknown) => logger.warn({ err: error, partner }, "An answer given could not be journalled"))
    .finally(() => pending.delete(done));
  pending.add(done);
}

/** Answers before the body was read to its end, and then lets go of the connection. */
function refuse(request: FastifyRequest, reply: FastifyReply, code: ErrorCode): FastifyReply {
  request.raw.resume();
  reply.header("connection", "close");
  return problem(reply, code);
}

/** An RFC 9457 problem with the engine's code. */
function problem(reply: FastifyReply, code: ErrorCode, facts: Record<string, string | number> = {}): FastifyReply {
  const { summary, remedy, httpStatus, retriable } = errorDefinitions[code];
  const status = retriable && httpStatus >= 500 ? 503 : httpStatus;
  if (status === 503) reply.header("retry-after", String(RETRY_AFTER));
  return reply
    .code(status)
    .type("application/problem+json")
    .send(JSON.stringify({ type: "about:blank", title: summary, status, code, remedy, ...facts }));
}
