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

function controlIdOf(message: Buffer): string | null {
  const header = segmentMessage(message.toString("utf8")).segments[0] ?? "";
  const separator = header.startsWith("MSH") ? header[3] : undefined;
  return (separator === undefined ? undefined : header.split(separator)[9]?.trim()) || null;
}
