import type { EventInputs } from "../../schemas/events.generated.js";
import type { Segment } from "./tokenizer.js";

type AdjudicationValue = NonNullable<EventInputs["ClaimAdjudicated"]["adjudication"]>[number];

/** Remark codes (element 127) of an inpatient (MIA) and an outpatient (MOA) adjudication. */
const REMARKS: Readonly<Record<string, ReadonlySet<number>>> = {
  MIA: new Set([5, 20, 21, 22, 23]),
  MOA: new Set([3, 4, 5, 6, 7]),
};

/** What MIA and MOA say of a claim: remark codes, and days, rates and amounts by their place, as sent. */
export interface Adjudication {
  readonly remarkCodes: string[];
  readonly values: AdjudicationValue[];
}

/** Adds a MIA or MOA to what is known. */
export function readAdjudication({ remarkCodes, values }: Adjudication, segment: Segment): void {
  const remarks = REMARKS[segment.id];
  if (!remarks) return;
  for (let at = 1; at < segment.elements.length; at += 1) {
    const value = segment.elements[at]!.trim();
    if (value === "") continue;
    if (remarks.has(at)) remarkCodes.push(value);
    else values.push({ element: `${segment.id}${String(at).padStart(2, "0")}`, value });
  }
}
