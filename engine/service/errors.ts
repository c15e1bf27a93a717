import { type ErrorDefinition, errorDefinitions } from "./error-definitions.js";

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
