import type { Verdict } from "../../engine/intake/connector.js";
import type { ProblemWriter } from "../../engine/reception/problem.js";
import { errorDefinitions } from "../../engine/service/error-definitions.js";
import { type IssueCode, issueOfVerdict, type Problem, tellable, wordsOf } from "./problem.js";

export const fhirJson = "application/fhir+json; charset=utf-8";

/** An OperationOutcome. The same problems give the same bytes: no id, no clock. */
export interface Outcome {
  readonly resourceType: "OperationOutcome";
  readonly issue: readonly {
    readonly severity: "error" | "warning" | "information";
    readonly code: string;
    readonly details: { readonly coding?: readonly object[]; readonly text: string };
    readonly expression?: readonly string[];
  }[];
}

const flagSystem = "https://tributary.dev/fhir/flags";

const said = (text: string) => ({ severity: "information" as const, code: "informational", details: { text } });

/** What a sender is told of an accepted resource: that it is kept, and what was unusual about it. */
export const acceptedOutcome = (flags: readonly string[]): Outcome => goodOutcome("Accepted and durable.", flags);

/** Of a resource that was only looked at. */
export const validOutcome = (flags: readonly string[]): Outcome =>
  goodOutcome("It would be accepted. Nothing of it was kept.", flags);

/** Of an entry without a resource, which only names one. */
export const nothingKeptOutcome: Outcome = {
  resourceType: "OperationOutcome",
  issue: [said("It holds no resource: nothing of it was kept.")],
};

function goodOutcome(text: string, flags: readonly string[]): Outcome {
  const warnings = flags.map((code) => ({
    severity: "warning" as const,
    code: "informational",
    details: { coding: [{ system: flagSystem, code }], text: `Accepted with a flag: ${code}.` },
  }));
  return { resourceType: "OperationOutcome", issue: [said(text), ...warnings] };
}

/** To a notification without content: it holds nothing that could be kept. */
export const notifiedOutcome: Outcome = {
  resourceType: "OperationOutcome",
  issue: [said("The server is asked for what changed.")],
};

export function problemOutcome(problems: readonly Problem[]): Outcome {
  return {
    resourceType: "OperationOutcome",
    issue: problems.map(({ code, place, words }) => ({
      severity: "error",
      code,
      details: { text: words ?? wordsOf(code) },
      expression: [tellable(place)],
    })),
  };
}

/** The problem behind a verdict, where only the verdict is known: the journal's own refusal. */
export function problemOfVerdict(verdict: Verdict & { accepted: false }, place: string): Problem {
  return { code: issueOfVerdict(verdict.code), place };
}

const codeOfStatus: Readonly<Record<number, IssueCode>> = {
  403: "forbidden",
  404: "not-found",
  405: "not-supported",
  413: "too-long",
  503: "transient",
};

/** Problems of the reception (no such partner, too large, not durable) as an OperationOutcome. */
export const outcomeProblem: ProblemWriter = (code, status) => {
  const { summary, remedy } = errorDefinitions[code];
  const issue = {
    severity: "error",
    code: status === 401 ? "login" : (codeOfStatus[status] ?? "structure"),
    details: { coding: [{ system: "https://tributary.dev/errors", code }], text: `${summary} ${remedy}` },
  };
  return { type: fhirJson, body: JSON.stringify({ resourceType: "OperationOutcome", issue: [issue] }) };
};
