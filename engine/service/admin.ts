import Fastify from "fastify";
import type { Metrics } from "./metrics.js";

export interface AdminOptions {
  readonly host: string;
  /** 0 takes a free port. */
  readonly port: number;
  readonly metrics: Metrics;
  /** False when the process makes no progress and should be restarted. */
  readonly live: () => boolean;
  /** False while the process can't do its work, for instance before its first assignment. */
  readonly ready: () => boolean;
  /** Further facts for `tributary status`. */
  readonly state: () => Readonly<Record<string, unknown>>;
}

export interface AdminServer {
  /** Base address, `http://host:port`. */
  readonly url: string;
  close(): Promise<void>;
}

/** Serves /livez, /readyz (200 or 503), /metrics (Prometheus text) and /state (JSON). */
export async function startAdmin(options: AdminOptions): Promise<AdminServer> {
  const server = Fastify({ logger: false, forceCloseConnections: true });
  server.get("/livez", (_request, reply) => reply.code(options.live() ? 200 : 503).send({ live: options.live() }));
  server.get("/readyz", (_request, reply) => reply.code(options.ready() ? 200 : 503).send({ ready: options.ready() }));
  server.get("/state", () => ({ live: options.live(), ready: options.ready(), ...options.state() }));
  server.get("/metrics", async (_request, reply) =>
    reply.type("text/plain; version=0.0.4").send(await options.metrics.text()),
  );
  const url = await server.listen({ host: options.host, port: options.port });
  return { url, close: () => server.close() };
}
