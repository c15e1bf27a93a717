import { randomBytes } from "node:crypto";
import { existsSync, readdirSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";

/**
 * A folder beside a service's data in which these are made, to be moved to their place when whole. Every start has its own:
 * the tool that a killed start has left behind may still be writing into that one's. What is left of earlier ones is removed.
 * @param data folder of the data, absolute; what belongs to a draft is named after it.
 */
export function draftOf(data: string): string {
  const beside = dirname(data);
  const left = existsSync(beside) ? readdirSync(beside) : [];
  for (const name of left.filter((one) => one.startsWith(`${basename(data)}.partial-`))) {
    try {
      rmSync(join(beside, name), { recursive: true, force: true });
    } catch {
      // Still written to: the next start removes it.
    }
  }
  return `${data}.partial-${randomBytes(4).toString("hex")}`;
}
