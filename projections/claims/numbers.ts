import type { KeyedRows } from "../../engine/projector/definition.js";

/**
 * Keeps that the claim is known by a payer's number (since when first), or replaces what has it (when last said).
 * Both only move one way, so the order of arrival doesn't matter.
 */
export function rememberNumber(numbers: KeyedRows, relation: "known" | "replaces", number: string, at: number): void {
  const before = numbers.get({ relation, number })?.at as number | undefined;
  const choose = relation === "known" ? Math.min : Math.max;
  numbers.put({ relation, number, at: before === undefined ? at : choose(before, at) });
}
