import type { Intake, ReceivedUnit, Verdict } from "../../engine/intake/connector.js";
import { type JsonLimits, parseJson, shapeOf } from "../../engine/reception/json.js";
import type { Element } from "./element.js";
import { acceptedOutcome, type Outcome, problemOfVerdict, problemOutcome, validOutcome } from "./outcome.js";
import type { Problem } from "./problem.js";
import type { Profile } from "./profile.js";
import { type Arrival, type ReadingContext, type ReadResource, readResource } from "./unit.js";

/** What every reception needs. */
export interface Desk {
  readonly intake: Intake;
  readonly profiles: ReadonlyMap<string, Profile>;
  /** Epoch milliseconds. */
  now(): number;
  /** What the request's access token allows; undefined: everything. */
  readonly scopes?: readonly string[] | undefined;
  onFailure(error: unknown): void;
  /** Asks a partner's server for what changed; false when it is never asked. Absent where no server is. */
  askNow?(partner: string): boolean;
}

/** Deeper than any resource in use, and no stack is in danger. */
export const jsonLimits: JsonLimits = { depth: 100, values: 5_000_000 };

/** Who sends, at this moment. */
export function contextOf(desk: Desk, partner: string): ReadingContext {
  return {
    partner,
    profile: desk.profiles.get(partner)!,
    surrogate: desk.intake.surrogate,
    receivedAt: desk.now(),
    scopes: desk.scopes,
    onFailure: desk.onFailure,
  };
}

/** The verdict on a resource, as its sender is told. */
export interface Told {
  readonly status: number;
  readonly outcome: Outcome;
  /** `Patient/1`; undefined when it has no id. */
  readonly name: string | undefined;
}

/**
 * What a sender is told of a resource when the journal has it.
 * @param verdict the journal's last word: it may refuse what the connector accepted.
 */
export function told(read: ReadResource, verdict: Verdict): Told {
  const { unit, problems, status, name } = read;
  if (verdict.accepted) return { status, outcome: acceptedOutcome(unit.flags ?? []), name };
  if (problems.length > 0) return { status, outcome: problemOutcome(problems), name };
  return { status: 422, outcome: problemOutcome([problemOfVerdict(verdict, verdict.location ?? unit.format)]), name };
}

/** Journals resources in order and tells the verdict on each. @throws TRIB_INTAKE_UNAVAILABLE (retriable). */
export async function submitAll(
  desk: Desk,
  read: readonly ReadResource[],
  before: readonly ReceivedUnit[] = [],
): Promise<readonly Told[]> {
  const submitted = await desk.intake.submit([...before, ...read.map(({ unit }) => unit)]);
  return read.map((one, index) => told(one, submitted[before.length + index]?.verdict ?? one.unit.verdict));
}

/** A text that can be read, or the problem with it. */
export type Opened = { readonly value: unknown } | { readonly problem: Problem };

/** Problem of a fault in a JSON text. */
export function problemOfShape(shape: ReturnType<typeof shapeOf>): Problem | undefined {
  if (shape.fault === undefined) return undefined;
  const code = shape.fault === "DEPTH" || shape.fault === "COUNT" ? "too-costly" : "structure";
  const place = shape.fault === "DUPLICATE_KEY" && shape.place ? `Resource.${shape.place}` : "Resource";
  return { code, place };
}

/** Opens a text of one resource. */
export function openText(bytes: Buffer): Opened {
  const problem = problemOfShape(shapeOf(bytes, jsonLimits));
  return problem ? { problem } : (parseJson(bytes) ?? { problem: { code: "structure", place: "Resource" } });
}

/** A resource as its own text: opened, read, judged. */
export function readText(
  opened: Opened,
  arrival: Omit<Arrival, "resource" | "problems">,
  context: ReadingContext,
): ReadResource {
  return "value" in opened
    ? readResource({ ...arrival, resource: opened.value }, context)
    : readResource({ ...arrival, resource: undefined, problems: [opened.problem] }, context);
}

/** Takes one resource in. */
export async function receiveOne(
  bytes: Buffer,
  opened: Opened,
  where: Pick<Arrival, "place" | "stored" | "condition">,
  partner: string,
  desk: Desk,
): Promise<Told> {
  const read = readText(opened, { bytes, ...where }, contextOf(desk, partner));
  const [verdict] = await submitAll(desk, [read]);
  return verdict!;
}

/** What would be answered to a resource; nothing is kept. */
export function judge(opened: Opened, where: Pick<Arrival, "place" | "stored">, partner: string, desk: Desk): Outcome {
  const read = readText(opened, { bytes: Buffer.alloc(0), ...where }, contextOf(desk, partner));
  const verdict = desk.intake.check(read.unit);
  return verdict.accepted ? validOutcome(read.unit.flags ?? []) : told(read, verdict).outcome;
}

/** `Parameters` of an operation may hold the resource; else it is the resource itself. */
export function parameterOf(value: Element, name: string): unknown {
  if (value.resourceType !== "Parameters" || !Array.isArray(value.parameter)) return value;
  return (value.parameter as readonly Element[]).find((one) => one?.name === name)?.resource ?? value;
}
