/**
 * Every coded error of the engine, in one place.
 *
 * A code is `TRIB_<AREA>_<WHAT>`. `message` may name places, codes, ids and limits, never a value that a partner sent.
 * `docs/errors.md` is generated from this table and compared in the tests.
 */
export interface ErrorDefinition {
  /** What is wrong, in one sentence. */
  readonly summary: string;
  /** What the reader should do about it. */
  readonly remedy: string;
  /** True when the same call may succeed later without any change. */
  readonly retriable: boolean;
  /** HTTP status when the error is answered over HTTP. */
  readonly httpStatus: number;
  /** Exit code when the error ends a process. */
  readonly exitCode: number;
}

export const errorDefinitions = {
  TRIB_CONFIG_INVALID: {
    summary: "One or more settings are missing or malformed.",
    remedy: "Correct the settings listed; `tributary config print` shows every setting with its source.",
    retriable: false,
    httpStatus: 500,
    exitCode: 78,
  },
  TRIB_SERVICE_NOT_FOUND: {
    summary: "There is no such connector or consumer.",
    remedy: "`tributary producers list` and `tributary consumers list` show what there is; `new` makes a folder.",
    retriable: false,
    httpStatus: 404,
    exitCode: 64,
  },
  TRIB_SERVICE_PROFILE_INVALID: {
    summary: "A partner profile does not follow its connector's schema.",
    remedy: "Correct the fields named; the connector's README lists every field.",
    retriable: false,
    httpStatus: 500,
    exitCode: 78,
  },
  TRIB_SERVICE_UNEXPECTED: {
    summary: "An unexpected failure inside the engine.",
    remedy: "Report it with the log line; the process stops and its supervisor starts it again.",
    retriable: true,
    httpStatus: 500,
    exitCode: 70,
  },
} as const satisfies Record<string, ErrorDefinition>;

export type ErrorCode = keyof typeof errorDefinitions;

/** Facts that may stand beside an error in a log line: ids, places and limits, never a partner's value. */
export type ErrorFacts = Readonly<Record<string, string | number | boolean>>;

/** An error with a stable code. Its `facts` are safe to log. */
export class TributaryError extends Error {
  readonly code: ErrorCode;
  readonly facts: ErrorFacts;

  constructor(code: ErrorCode, detail?: string, facts: ErrorFacts = {}, options?: ErrorOptions) {
    super(detail ?? errorDefinitions[code].summary, options);
    this.name = "TributaryError";
    this.code = code;
    this.facts = facts;
  }

  get definition(): ErrorDefinition {
    return errorDefinitions[this.code];
  }
}
