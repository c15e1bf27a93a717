import { userInfo } from "node:os";
import { type Command, InvalidArgumentError } from "commander";
import { type TrailKind, trailKinds } from "../engine/audit/trail.js";
import { TributaryError } from "../engine/service/errors.js";
import { nameGiven, textGiven } from "./texts.js";

/** What every command takes along that shows somebody something of the past. */
export interface AccessOptions {
  readonly open?: boolean;
  readonly reason?: string;
  readonly by?: string;
  readonly json?: boolean;
}

/**
 * Adds the options that go into the record of an access, and the form of what is shown.
 * @param told.open what `--open` opens; without it there is no such option, and no reason that it would need.
 * @param told.json what `--json` prints.
 */
export function withAccessOptions(command: Command, told: { readonly open?: string; readonly json: string }): Command {
  if (told.open !== undefined) command.option("--open", told.open);
  return command
    .option(
      "--reason <text>",
      told.open === undefined ? "why, for the record" : "why; needed to open what is sealed",
      textGiven,
    )
    .option("--by <name>", "who asks; default the user of the system", nameGiven)
    .option("--json", told.json);
}

/**
 * To be asked before anything is connected to.
 * @throws TRIB_CLI_REASON_MISSING when something is to be opened and no reason is given.
 */
export function assertReason({ open, reason }: AccessOptions): void {
  if (open && !reason) {
    throw new TributaryError("TRIB_CLI_REASON_MISSING");
  }
}

/** Who calls, for the record: the name given, else that of the system's user. */
export const actorOf = (by: string | undefined): string => by ?? userInfo().username;

/** @throws InvalidArgumentError for another kind. */
export function trailKindOf(text: string): TrailKind {
  const kind = trailKinds.find((each) => each === text);
  if (!kind) throw new InvalidArgumentError(`one of ${trailKinds.join(", ")}.`);
  return kind;
}

/** @throws InvalidArgumentError for what is no surrogate id. */
export function surrogateOf(text: string): string {
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)) {
    throw new InvalidArgumentError("a surrogate id, as the read models show it.");
  }
  return text.toLowerCase();
}

/** One of whom something is asked. */
export interface Subject {
  readonly kind: TrailKind;
  readonly id: string;
}

/** `claim/ID`. @throws InvalidArgumentError */
export function subjectOf(text: string): Subject {
  const [kind = "", id = "", ...more] = text.split("/");
  if (more.length > 0) throw new InvalidArgumentError("one subject, as claim/ID.");
  return { kind: trailKindOf(kind), id: surrogateOf(id) };
}

/** An instant as it is printed. @param at epoch milliseconds; null for none. */
export const instantText = (at: number | null): string => (at === null ? "-" : new Date(at).toISOString());

/** A value of a row as it is printed. */
export const shown = (value: unknown): string =>
  value === null || value === undefined ? "-" : typeof value === "object" ? JSON.stringify(value) : String(value);
