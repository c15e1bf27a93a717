import type { Readable } from "node:stream";
import { errorDefinitions } from "../service/error-definitions.js";
import type { ErrorCode, ErrorFacts } from "../service/errors.js";

/** What a request is answered with. */
export interface Answer {
  readonly status: number;
  /** Media type of the body. */
  readonly type?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** A stream for what need not fit the memory. */
  readonly body?: string | Uint8Array | Readable;
  /** Called when the whole answer has left. */
  readonly left?: () => void;
}

/** Writes an error in the words of a connector's standard. */
export type ProblemWriter = (code: ErrorCode, status: number, facts: ErrorFacts) => Pick<Answer, "type" | "body">;

/** Seconds after which a sender should try again. */
const retryAfter = "5";

/** The status of an error over HTTP: whatever may be over later is 503, except for a request that came too slowly. */
export function statusOf(code: ErrorCode): number {
  const { httpStatus, retriable } = errorDefinitions[code];
  return retriable && httpStatus >= 500 ? 503 : httpStatus;
}

/** An error as an answer; 503 says when to come again. */
export function problemAnswer(code: ErrorCode, facts: ErrorFacts, write: ProblemWriter): Answer {
  const status = statusOf(code);
  return { status, ...(status === 503 && { headers: { "retry-after": retryAfter } }), ...write(code, status, facts) };
}

/** An RFC 9457 problem with the engine's code. */
export const plainProblem: ProblemWriter = (code, status, facts) => {
  const { summary, remedy } = errorDefinitions[code];
  return {
    type: "application/problem+json",
    body: JSON.stringify({ type: "about:blank", title: summary, status, code, remedy, ...facts }),
  };
};

/** The code of a problem that was answered, for who sent the request; null where it has none. */
export function codeOfProblem(body: string): string | null {
  try {
    const { code } = JSON.parse(body) as { readonly code?: unknown };
    return typeof code === "string" ? code : null;
  } catch {
    return null;
  }
}
