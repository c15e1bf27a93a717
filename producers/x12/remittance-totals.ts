import { pairsIn } from "./adjustment-pairs.js";
import { cents, readDate } from "./element.js";
import type { Segment } from "./tokenizer.js";

/** What the remittance's own event needs from further down its set, gathered in the first pass. Amounts in cents. */
export interface RemittanceTotals {
  claims: number;
  /** Sum of CLP04. */
  claimsAmount: number;
  /** PLB pairs in order. */
  readonly adjustments: ProviderAdjustment[];
  /** One of them has no reason or no amount. */
  incomplete: boolean;
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
  return { claims: 0, claimsAmount: 0, adjustments: [], incomplete: false };
}

export function addToTotals(totals: RemittanceTotals, segment: Segment): void {
  if (segment.id === "CLP") {
    totals.claims += 1;
    totals.claimsAmount += cents(segment.elements[4]) ?? 0;
  } else if (segment.id === "PLB") {
    const separator = String.fromCharCode(segment.delimiters.component);
    for (const { reason: sent, amount, half } of pairsIn(segment, PAIRS, false)) {
      const reason = sent.split(separator)[0] as string;
      totals.adjustments.push({ reason, fiscalDate: readDate(segment.elements[2]), amount });
      if (half || reason === "") totals.incomplete = true;
    }
  }
}
