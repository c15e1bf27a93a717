import { type PostgresReply, type PostgresRequest, postgresFraming, type Statement } from "./postgres-framing.js";
import { passed, startTcpProxy, type Treatment } from "./tcp-proxy.js";

/** What befalls one statement: a treatment of it on its way to the server, or of its answer on the way back. */
export type StatementFault =
  | Treatment
  /** The server finishes it, commits, answers; then the connection breaks and the client never learns. */
  | { readonly kind: "lose reply" }
  | { readonly kind: "treat reply"; readonly reply: Treatment };

export interface PostgresProxyOptions {
  /** The server, as a connection string. */
  readonly databaseUrl: string;
  /** Asked about each statement before it reaches the server; default: all pass. A promise holds the statement back. */
  readonly statement?: (statement: Statement) => StatementFault | Promise<StatementFault>;
  /** Asked about each connection. */
  readonly connection?: () => Treatment;
}

export interface PostgresProxy {
  /** The same database through the proxy. */
  readonly url: string;
  /** Breaks every connection. */
  cut(): void;
  close(): Promise<void>;
}

/** Stands between a client and Postgres and knows statements: faults strike exactly one, before or after it was done. */
export async function startPostgresProxy(options: PostgresProxyOptions): Promise<PostgresProxy> {
  const url = new URL(options.databaseUrl);
  const faults = new WeakMap<Statement, StatementFault>();
  const proxy = await startTcpProxy<PostgresRequest, PostgresReply>({
    host: url.hostname,
    port: Number(url.port || 5432),
    framing: postgresFraming,
    ...(options.connection ? { connection: options.connection } : {}),
    async request({ statement }) {
      if (!statement || !options.statement) return passed;
      const fault = await options.statement(statement);
      if (fault.kind !== "lose reply" && fault.kind !== "treat reply") return fault;
      faults.set(statement, fault);
      return passed;
    },
    reply({ statement, complete }) {
      const fault = statement && faults.get(statement);
      if (fault?.kind === "lose reply") return { kind: complete ? "cut" : "discard" };
      return fault?.kind === "treat reply" ? fault.reply : passed;
    },
  });
  url.hostname = "127.0.0.1";
  url.port = String(proxy.port);
  return { url: url.href, cut: () => proxy.cut(), close: () => proxy.close() };
}
