import type { Ground } from "./place.js";
import type { PartReport } from "./report.js";
export async function measureRegion(_ground: Ground, _options: unknown): Promise<PartReport> {
  throw new Error("not yet");
}
