import pino, { type Logger } from "pino";
import { TributaryError } from "./errors.js";

/**
 * Fields a log line may have. Everything else is dropped, so that no careless call can write a partner's value:
 * ids, places, codes, counts and times only.
 */
const allowedFields = new Set([
  "accepted",
  "address",
  "admin",
  "attempt",
  "build",
  "bytes",
  "code",
  "column",
  "connector",
  "constraint",
  "consumer",
  "count",
  "epoch",
  "err",
  "eventId",
  "eventType",
  "events",
  "exitCode",
  "facts",
  "feed",
  "flags",
  "group",
  "kind",
  "lag",
  "location",
  "milliseconds",
  "name",
  "offset",
  "partition",
  "partner",
  "peer",
  "position",
  "process",
  "projection",
  "protocol",
  "reason",
  "receiptId",
  "remedy",
  "rows",
  "schema",
  "schemaId",
  "signal",
  "state",
  "status",
  "table",
  "topic",
  "units",
  "version",
]);

interface PostgresLike {
  readonly code?: unknown;
  readonly schema?: unknown;
  readonly table?: unknown;
  readonly column?: unknown;
  readonly constraint?: unknown;
}

/** What is left of an error: names and places. A foreign message may quote a value, so it is never written. */
export function safeError(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { type: typeof error };
  const safe: Record<string, unknown> = { type: error.name };
  if (error instanceof TributaryError) {
    safe.code = error.code;
    safe.message = error.message;
    safe.remedy = error.definition.remedy;
    Object.assign(safe, error.facts);
  } else {
    const foreign = error as PostgresLike;
    for (const name of ["code", "schema", "table", "column", "constraint"] as const) {
      const value = foreign[name];
      if (typeof value === "string" && /^[\w.-]{1,80}$/.test(value)) safe[name] = value;
    }
  }
  // The first lines of a stack repeat the message; only the frames are places.
  safe.frames = (error.stack ?? "")
    .split("\n")
    .filter((line) => /^\s+at /.test(line))
    .slice(0, 12)
    .map((line) => line.trim().replace(/\(?file:\/\/\/?\S*?\/(dist|node_modules)\//, "($1/"));
  if (error.cause !== undefined) safe.cause = safeError(error.cause);
  return safe;
}

/** Keeps the allowed fields of a log call. */
function allowed(fields: Record<string, unknown>): Record<string, unknown> {
  const kept: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) if (allowedFields.has(name)) kept[name] = value;
  return kept;
}

/**
 * A logger of JSON lines on standard error.
 * @param name process name, on every line.
 */
export function createLogger(name: string, level: string, destination?: pino.DestinationStream): Logger {
  return pino(
    {
      name,
      level,
      base: { name, pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      serializers: { err: safeError },
      formatters: { level: (label) => ({ level: label }), log: allowed },
      hooks: {
        // An error given alone would bring its own message as the line's text.
        logMethod(args, method) {
          const [first, ...rest] = args as [unknown, ...unknown[]];
          if (first instanceof Error)
            method.apply(this, [{ err: first }, ...(rest.length > 0 ? rest : ["failure"])] as never);
          else method.apply(this, args);
        },
      },
    },
    destination ?? pino.destination({ fd: 2, sync: true }),
  );
}
