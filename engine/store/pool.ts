import pg from "pg";
import { TributaryError } from "../service/errors.js";
import { giveUpSilentConnections } from "./silence.js";

/** A pg pool whose connection failures are `TRIB_STORE_UNAVAILABLE`. */
export type Pool = pg.Pool;
/** A connection taken from the pool, to be given back. */
export type PoolClient = pg.PoolClient;

export interface PoolOptions {
  /** Shown in `pg_stat_activity`, e.g. `tributary publisher`. */
  readonly applicationName: string;
  /** Most connections; default 6. */
  readonly max?: number;
  /** Milliseconds after which the server cancels a statement; default none. */
  readonly statementTimeout?: number;
  /**
   * Milliseconds that the server may be silent on a connection in use, before that is given up; default for ever. The
   * server isn't told: what it was asked it may still do.
   */
  readonly silence?: number;
  /** Milliseconds to wait for a connection; default 5,000. */
  readonly connectionTimeout?: number;
}

/** Idle connections are looked after in either direction, so that none is lost by silence. */
const keepAliveMilliseconds = 10_000;
/**
 * A server that got half a statement holds the locks of that half until it notices that the client is gone, as a rule two
 * hours after. Ignored on a Unix socket.
 */
const serverKeepAlive = "-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=4";

/**
 * Opens a pool. Nothing is connected before the first query.
 *
 * Values come back as: int8 -> number (exact to 2^53, beyond that an error); numeric -> text as Postgres prints it
 * (money becomes cents where it is read, never a float); date -> "YYYY-MM-DD" text; timestamptz -> epoch milliseconds;
 * bytea -> Buffer; uuid -> lower-case text.
 *
 * @throws (from `query` and `connect`) TRIB_STORE_UNAVAILABLE, retriable, when the server can't be reached, shuts down
 * or has no room. A statement that fails so *may have been committed*. Every other error is pg's own, with its SQLSTATE.
 */
export function openPool(databaseUrl: string, options: PoolOptions): Pool {
  const pool = new pg.Pool({
    connectionString: databaseUrl,
    application_name: options.applicationName,
    max: options.max ?? 6,
    connectionTimeoutMillis: options.connectionTimeout ?? 5_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: keepAliveMilliseconds,
    options: serverKeepAlive,
    types: { getTypeParser },
    ...(options.statementTimeout === undefined
      ? {}
      : // The client gives up later than the server: only then the server is what doesn't answer.
        { statement_timeout: options.statementTimeout, query_timeout: options.statementTimeout + 5_000 }),
  });
  // An idle connection that breaks is replaced at the next query; without a listener it would end the process.
  pool.on("error", () => {});
  if (options.silence !== undefined) giveUpSilentConnections(pool, options.silence);
  pool.query = mapped(pool.query.bind(pool));
  pool.connect = mapped(pool.connect.bind(pool));
  pool.on("connect", (client) => {
    client.on("error", () => {});
    client.query = mapped(client.query.bind(client));
  });
  return pool;
}

/** Passes callback calls and query streams through, and maps the errors of promises. */
function mapped<Call extends (...parameters: never[]) => unknown>(call: Call): Call {
  const wrapped = (...parameters: never[]): unknown => {
    const result = call(...parameters);
    return result instanceof Promise ? result.catch((error: unknown) => Promise.reject(storeError(error))) : result;
  };
  return wrapped as Call;
}

/** The error as the engine speaks of it: `TRIB_STORE_UNAVAILABLE` with pg's as its cause, or the error given. */
export function storeError(error: unknown): unknown {
  if (!isUnavailable(error)) return error;
  const { code } = error as { code?: string };
  return new TributaryError("TRIB_STORE_UNAVAILABLE", undefined, code ? { reason: code } : {}, { cause: error });
}

const networkCodes = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "ECONNABORTED",
  "EPIPE",
  "ETIMEDOUT",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOTFOUND",
  "EAI_AGAIN",
  "ENOENT",
]);
/** What pg says without a code when a connection is lost or can't be had. */
const connectionMessages =
  /^(Connection terminated|timeout exceeded when trying to connect|Query read timeout|Client has encountered a connection error|Client was closed)/;

/** Connection exceptions (08), no resources (53), shut-down or cancelled (57), a server that became a replica (25006). */
function isUnavailable(error: unknown): boolean {
  if (!(error instanceof Error) || error instanceof TributaryError) return false;
  const { code } = error as { code?: string };
  if (error instanceof AggregateError) return error.errors.some((inner) => isUnavailable(inner));
  if (code === undefined) return connectionMessages.test(error.message);
  return networkCodes.has(code) || (code.length === 5 && (/^(08|53|57)/.test(code) || code === "25006"));
}

const asIs = (text: string): string => text;
const parsers = new Map<number, (text: string) => unknown>([
  [pg.types.builtins.INT8, safeInteger],
  [pg.types.builtins.NUMERIC, asIs],
  [pg.types.builtins.DATE, asIs],
  [pg.types.builtins.TIMESTAMPTZ, epochMilliseconds],
  // Arrays of int8, which pg leaves as texts.
  [1016, (text) => (text === "{}" ? [] : text.slice(1, -1).split(",").map(safeInteger))],
]);

function getTypeParser(type: number, format?: "text" | "binary") {
  const parser = format === "binary" ? undefined : parsers.get(type);
  return parser ?? pg.types.getTypeParser(type, format as "text");
}

function safeInteger(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new RangeError("an int8 beyond 2^53 was read");
  return value;
}

/** `2026-01-31 10:00:00.123+00` in any offset that Postgres prints; infinity has no instant. */
function epochMilliseconds(text: string): number {
  const match = /^(\d{4,6}-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d{1,3})?)\d*([+-]\d\d)(?::?(\d\d))?/.exec(text);
  const value = match ? Date.parse(`${match[1]}T${match[2]}${match[3]}:${match[4] ?? "00"}`) : Number.NaN;
  if (Number.isNaN(value)) throw new RangeError("a timestamp that is no instant was read");
  return value;
}
