import { cents, readDate } from "./element.js";
import type { Segment } from "./tokenizer.js";

/** What the remittance's own event needs from further down its set, gathered in the first pass. Amounts in cents. */
export interface RemittanceTotals {
  claims: number;
  /** Sum of CLP04. */
  claimsAmount: number;
  /** PLB pairs in order. */
  readonly adjustments: ProviderAdjustment[];
}

interface ProviderAdjustment {
  readonly reason: string;
  readonly fiscalDate: string | null;
  /** Positive where it lowers the payment (835 guide, PLB04). */
  readonly amount: number;
}

/** PLB03/04 to PLB13/14. */
const PAIRS = [3, 5, 7, 9, 11, 13];

export function emptyTotals(): RemittanceTotals {
  return { claims: 0, claimsAmount: 0, adjustments: [] };
}

export function addToTotals(totals: RemittanceTotals, segment: Segment): void {
  if (segment.id === "CLP") {
    totals.claims += 1;
    totals.claimsAmount += cents(segment.elements[4]) ?? 0;
  } else if (segment.id === "PLB") {
    const separator = String.fromCharCode(segment.delimiters.component);
    for (const at of PAIRS) {
      const reason = segment.elements[at];
      if (!reason) continue;
      totals.adjustments.push({
        reason: reason.split(separator)[0]!,
        fiscalDate: readDate(segment.elements[2]),
        amount: cents(segment.elements[at + 1]) ?? 0,
      });
    }
  }
}
