import { cpus } from "node:os";
import type { Spent } from "./meter.js";

/** Part of the machine that others may have before it is told. */
const unnoticed = 0.08;

/** What must be said when something else was at work: rates are then lower than they would be, CPU is not. */
export function disturbance(shares: readonly (number | undefined)[]): readonly string[] {
  const most = Math.max(...shares.map((share) => share ?? 0));
  if (most <= unnoticed) return [];
  return [
    `Something else had up to ${Math.round(100 * most)} % of the machine meanwhile, so rates are lower and times longer than on a quiet one.`,
  ];
}

/** Part of the machine that others had. */
export const othersShare = ({ others, seconds }: Spent): number | undefined =>
  others === undefined || seconds === 0 ? undefined : others / seconds / cpus().length;
