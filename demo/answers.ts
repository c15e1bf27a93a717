import type { Delivery } from "./delivery.js";

/** What came back for one delivery, in the words of an expectation. */
export interface Answer {
  readonly answer: string;
  /** Absent where the answer does not say. */
  readonly code?: string;
  /** Try again later: the receiver is not able to keep it now. */
  readonly retryable: boolean;
}

/** An answer that is not what was expected. */
export interface Surprise {
  readonly sender: string;
  /** Place of the delivery in its sender's order, from 0. */
  readonly index: number;
  readonly expected: string;
  readonly received: string;
}

/** Reads an HL7 v2 acknowledgment: MSA-1, and ERR-3 or else ERR-1's error code, of the first ERR. */
export function readAck(bytes: Buffer): Answer {
  const segments = bytes.toString("latin1").split(/\r\n|\r|\n/);
  const fields = (id: string): string[] => segments.find((one) => one.startsWith(`${id}|`))?.split("|") ?? [];
  const answer = fields("MSA")[1] ?? "none";
  const code = fields("ERR")[3]?.split("^")[0] || fields("ERR")[1]?.split("^")[3]?.split("&")[0];
  return { answer, retryable: code === "207", ...(code === undefined || code === "" ? {} : { code }) };
}

/** Reads what an interchange was answered: a TA1 that rejects, else the verdicts of a 999 (or 997). */
export function readX12(body: string, status: number): Answer {
  const retryable = status === 503 || status === 429;
  const rejected = /TA1\*[^~]*?\*R\*(\d{3})/.exec(body);
  if (rejected !== null) return { answer: `TA1:R:${rejected[1]}`, code: rejected[1] as string, retryable };
  const verdicts = [...body.matchAll(/(?:IK5|AK5)\*([A-Z])/g)].map((one) => one[1]);
  if (verdicts.length === 0) return { answer: "none", retryable };
  return { answer: `999:${verdicts.join(",")}`, retryable, ...(verdicts.includes("R") ? { code: "999" } : {}) };
}

/** Compares an answer with what was expected; undefined when it is right. A code that is not told is not missed. */
export function surprise(delivery: Delivery, index: number, got: Answer): Surprise | undefined {
  const { answer, code } = delivery.expectation;
  const sameCode = got.code === undefined || code === undefined || got.code === code || answer === "none";
  if (got.answer === answer && sameCode) return undefined;
  const told = (one: { answer: string; code?: string }): string => [one.answer, one.code].filter(Boolean).join(" ");
  return { sender: delivery.sender, index, expected: told(delivery.expectation), received: told(got) };
}
