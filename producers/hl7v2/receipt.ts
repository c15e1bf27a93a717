import type { SendLine } from "../../engine/intake/connector.js";
import { readDelimiters, standardDelimiters } from "./delimiters.js";
import { segmentMessage } from "./split.js";

/** What an acknowledgment says, for a line of `send`. */
type Receipt = Pick<SendLine, "controlId" | "accepted" | "code" | "location" | "answer">;

/**
 * Reads an acknowledgment as its receiver would: MSA-1, and the condition and place of the first ERR.
 * @param answer the answer's bytes; undefined when none came.
 * @param message the message it answers, for its control id.
 */
export function readAcknowledgment(answer: Buffer | undefined, message: Buffer): Receipt {
  const controlId = controlIdOf(message);
  if (answer === undefined) return { controlId, accepted: false, code: "NO_ANSWER", location: null, answer: null };
  const { segments } = segmentMessage(answer.toString("utf8"));
  const { field, component } = readDelimiters(segments[0] ?? "")?.delimiters ?? standardDelimiters;
  const fieldsOf = (name: string) => segments.find((segment) => segment.startsWith(name))?.split(field);
  const code = fieldsOf("MSA")?.[1] ?? null;
  const error = fieldsOf("ERR");
  const [segment, sequence, number, , part] = (error?.[2] ?? "").split(component);
  const place = segment ? `${segment}${sequence && sequence !== "1" ? `[${sequence}]` : ""}` : null;
  return {
    controlId,
    accepted: code === "AA" || code === "CA",
    code: error?.[3]?.split(component)[0] || null,
    location: place === null || !number ? place : `${place}-${number}${part ? `.${part}` : ""}`,
    answer: code,
  };
}

/** A field of the message header as sent; empty when there is none. */
function headerField(message: Buffer, number: number): string {
  const header = segmentMessage(message.toString("utf8")).segments[0] ?? "";
  const separator = header.startsWith("MSH") ? header[3] : undefined;
  return (separator === undefined ? undefined : header.split(separator)[number - 1]?.trim()) ?? "";
}

const controlIdOf = (message: Buffer): string | null => headerField(message, 10) || null;

/** How long a sender waits for an answer to a message, in milliseconds. */
export interface Patience {
  readonly first: number;
  /** After a CA: for the application acknowledgment. */
  readonly second: number;
}

const long = 60_000;
/** A receiver that has nothing more to say can't be told from a slow one; ours sends both answers together. */
const short = 300;

/** What a message lets its sender expect (MSH-15 and MSH-16): a receiver in original mode answers all the same. */
export function patienceWith(message: Buffer): Patience {
  const unanswered = /^ACK/.test(headerField(message, 9));
  const [accept, application] = [headerField(message, 15), headerField(message, 16)];
  const silent = accept === "NE" && application === "NE";
  return {
    first: unanswered || silent || [accept, application].some((word) => word === "ER" || word === "SU") ? 5_000 : long,
    second: application === "AL" ? long : application === "NE" ? 0 : short,
  };
}
