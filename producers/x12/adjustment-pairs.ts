import { cents } from "./element.js";
import type { Segment } from "./tokenizer.js";

/** A reason and an amount of a CAS or PLB, of which a segment has up to six. */
export interface AdjustmentPair {
  /** Element that the reason stands in. */
  readonly at: number;
  /** As sent; empty where there is only an amount. */
  readonly reason: string;
  /** Cents; 0 where there is only a reason. */
  readonly amount: number;
  /** One of the two is missing: what is there counts, so that no money is lost, and is flagged. */
  readonly half: boolean;
}

/** Said of a payment or a remittance that has such a pair. */
export const HALF_GIVEN = "ADJUSTMENT_INCOMPLETE";

/**
 * The pairs of an adjustment segment.
 * @param places elements of the reasons; the amount is the next, and with a quantity the one after that.
 */
export function pairsIn(segment: Segment, places: readonly number[], withQuantity: boolean): AdjustmentPair[] {
  const text = (at: number): string => (segment.elements[at] ?? "").trim();
  return places.flatMap((at): AdjustmentPair[] => {
    const [reason, sent] = [text(at), text(at + 1)];
    const hasQuantity = withQuantity && text(at + 2) !== "";
    if (reason === "" && sent === "" && !hasQuantity) return [];
    return [{ at, reason, amount: cents(sent) ?? 0, half: reason === "" || sent === "" }];
  });
}
