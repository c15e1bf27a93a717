import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";

/** A request as a partner received it. */
export interface Received {
  readonly id: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** The CloudEvent. */
  readonly event: {
    readonly id: string;
    readonly subject: string;
    readonly type: string;
    readonly data: Readonly<Record<string, unknown>>;
  } & Readonly<Record<string, unknown>>;
}

/** What a partner answers; `cut` closes the connection without an answer. */
export type Answer =
  | number
  | "cut"
  | { readonly status: number; readonly headers?: Record<string, string>; readonly body?: string };

/** A partner's endpoint over HTTP on this machine. */
export interface PartnerEndpoint {
  readonly url: string;
  /** All requests, in the order in which they arrived. */
  readonly received: Received[];
  /** Decides every answer; default 204. It may take its time. */
  answer: (request: Received) => Answer | Promise<Answer>;
  close(): Promise<void>;
}

/** Starts a partner's endpoint on a free port. */
export async function partnerEndpoint(): Promise<PartnerEndpoint> {
  const received: Received[] = [];
  const endpoint = { url: "", received, answer: () => 204 as Answer, close: async () => {} } as PartnerEndpoint & {
    url: string;
    close: () => Promise<void>;
  };
  const server: Server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("error", () => {});
    request.on("end", async () => {
      const body = Buffer.concat(chunks).toString("utf8");
      const { headers } = request;
      const one: Received = { id: String(headers["webhook-id"]), headers, body, event: JSON.parse(body) };
      received.push(one);
      const answer = await endpoint.answer(one);
      if (answer === "cut") request.socket.destroy();
      else if (typeof answer === "number") response.writeHead(answer).end();
      else response.writeHead(answer.status, answer.headers).end(answer.body);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  endpoint.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/events`;
  endpoint.close = () =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return endpoint;
}
