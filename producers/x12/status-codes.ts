import type { EventInputs } from "../../schemas/events.generated.js";
import { cents, readDate } from "./element.js";
import type { Segment } from "./tokenizer.js";

export type StatusCode = NonNullable<EventInputs["ClaimAcknowledged"]["statuses"]>[number];
type Verdict = NonNullable<EventInputs["ClaimAcknowledged"]["verdict"]>;

/** Categories of a 277CA (code source 507): accepted into the payer's system, or turned away. */
const accepting = new Set(["A0", "A1", "A2", "A5"]);
const rejecting = new Set(["A3", "A6", "A7", "A8"]);

/** STC01, STC10 and STC11: up to three statuses that share date, action and amount. */
export function statusesOf(segment: Segment, lineNumber: number | null): StatusCode[] {
  const separator = String.fromCharCode(segment.delimiters.component);
  return [1, 10, 11].flatMap((at): StatusCode[] => {
    const [category = "", status = "", entity = ""] = (segment.elements[at] ?? "").split(separator);
    if (category === "") return [];
    return [
      {
        level: lineNumber === null ? "CLAIM" : "LINE",
        lineNumber,
        category,
        status,
        entity: entity === "" ? null : entity,
        action: segment.elements[3] || null,
        amount: cents(segment.elements[4]),
        effectiveDate: readDate(segment.elements[2]),
      },
    ];
  });
}

/** One rejection rejects. Lines decide only where nothing is said of the claim itself. */
export function verdictOf(statuses: readonly StatusCode[]): Verdict {
  const ofClaim = statuses.filter(({ level }) => level === "CLAIM");
  const deciding = ofClaim.length > 0 ? ofClaim : statuses;
  if (deciding.some(({ category }) => rejecting.has(category))) return "REJECTED";
  if (deciding.some(({ category }) => accepting.has(category))) return "ACCEPTED";
  // A category we don't know: the action tells (277CA guide, STC03).
  if (deciding.some(({ action }) => action === "U")) return "REJECTED";
  return deciding.some(({ action }) => action === "WQ") ? "ACCEPTED" : "UNKNOWN";
}
