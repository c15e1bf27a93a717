import { readdirSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { TributaryError } from "../../engine/service/errors.js";
import { builtRoot } from "../../engine/service/root.js";
import type { IntakeBenchOptions, IntakeBenchPart, IntakeBenchResult, Measure } from "./part.js";
import { withPlace } from "./place.js";

export interface IntakeBenchRun extends IntakeBenchResult {
  readonly connector: string;
  readonly about: string;
}

/** The parts that are there, in the order of their names. */
async function parts(): Promise<IntakeBenchPart[]> {
  const folder = join(builtRoot, "bench/intake/parts");
  const files = readdirSync(folder).filter((file) => /^[a-z0-9-]+\.js$/.test(file));
  return Promise.all(
    files
      .sort()
      .map(
        async (file) =>
          ((await import(pathToFileURL(join(folder, file)).href)) as { default: IntakeBenchPart }).default,
      ),
  );
}

/** Whether a figure is good enough. */
export const isReached = ({ value, atLeast, atMost }: Measure): boolean =>
  (atLeast === undefined || value >= atLeast) && (atMost === undefined || value <= atMost);

/**
 * Measures connectors one after another, each in an installation of its own on the services of the settings.
 * @param only names of connectors; all that have a part when empty.
 * @throws TRIB_CLI_MISUSED for a name that has none.
 */
export async function* runIntakeBench(
  only: readonly string[],
  options: IntakeBenchOptions,
): AsyncGenerator<IntakeBenchRun> {
  const found = await parts();
  const unknown = only.filter((name) => !found.some(({ connector }) => connector === name));
  if (unknown.length > 0) {
    const there = found.map(({ connector }) => connector).join(", ");
    throw new TributaryError("TRIB_CLI_MISUSED", `There is no bench of ${unknown.join(", ")}. There are: ${there}.`);
  }
  for (const part of found) {
    if (only.length > 0 && !only.includes(part.connector)) continue;
    const { connector, about, settings } = part;
    const result = await withPlace(connector, { settings, profile: options.profile }, (place) =>
      part.run(place, options),
    );
    yield { connector, about, ...result };
  }
}
