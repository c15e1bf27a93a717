import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { isIPv6 } from "node:net";
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

/**
 * Serves /livez, /readyz (200 or 503), /metrics (Prometheus text) and /state (JSON). Plain Node: a framework would
 * take longer to load than all the rest of a consumer.
 */
export async function startAdmin(options: AdminOptions): Promise<AdminServer> {
  const { host, live, ready, state, metrics } = options;
  const json = (response: ServerResponse, status: number, body: object) =>
    response.writeHead(status, { "content-type": "application/json; charset=utf-8" }).end(JSON.stringify(body));
  const server = createServer(async (request, response) => {
    if (request.method !== "GET" && request.method !== "HEAD") {
      json(response, 405, { error: "only GET is served here" });
      return;
    }
    switch ((request.url ?? "").replace(/\?.*$/, "")) {
      case "/livez":
        return json(response, live() ? 200 : 503, { live: live() });
      case "/readyz":
        return json(response, ready() ? 200 : 503, { ready: ready() });
      case "/state":
        return json(response, 200, { live: live(), ready: ready(), ...state() });
      case "/metrics":
        try {
          const text = await metrics.text();
          response.writeHead(200, { "content-type": "text/plain; version=0.0.4; charset=utf-8" }).end(text);
        } catch {
          json(response, 500, { error: "the metrics can't be collected" });
        }
        return;
      default:
        json(response, 404, { error: "there are /livez, /readyz, /metrics and /state" });
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port, host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${isIPv6(host) ? `[${host}]` : host}:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
