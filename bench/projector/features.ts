import { topicsOfProjections } from "../../engine/projector/roles.js";
import type { ConsumerDefinition } from "../../engine/service/consumer.js";
import { type CatchUp, catchUp, schemaOf } from "./catch-up.js";
import { benchStart } from "./child.js";
import { benchConsumers } from "./definitions.js";
import { type Ground, inPlace, type Place } from "./place.js";
import { interleaved, VisitLog } from "./workload.js";

/** A read model with or without something. */
export interface FeatureRun {
  readonly what: string;
  readonly run: CatchUp;
}

/** Patients without their restricted columns, so that nothing is opened, and with them, on events that are there. */
export async function measureSealed(place: Place): Promise<readonly FeatureRun[]> {
  return [
    { what: "without", run: await caughtUp(place, benchConsumers["bench-clear"]) },
    { what: "opened and kept", run: await caughtUp(place, benchConsumers["bench-sealed"]) },
  ];
}

/** Visits of others as they are, with the columns of lineage once more, and with every version of a row kept. */
export function measureColumns(ground: Ground, events: number): Promise<readonly FeatureRun[]> {
  return inPlace(ground, async (place) => {
    const log = new VisitLog(place);
    await log.append(interleaved(events));
    const runs: FeatureRun[] = [];
    for (const [what, name] of [
      ["the engine's own", "bench-plain"],
      ["and once more", "bench-traced"],
      ["with history", "bench-kept"],
    ] as const) {
      const definition = benchConsumers[name];
      runs.push({ what, run: await caughtUp(place, definition) });
      await log.assertRight(place.pool, await schemaOf(place, definition.project[0]?.name ?? ""));
    }
    return runs;
  });
}

async function caughtUp(place: Place, definition: ConsumerDefinition): Promise<CatchUp> {
  const projections = definition.project.map(({ name }) => name);
  const start = await benchStart(place, definition);
  return catchUp(place, start, { projections, topics: topicsOfProjections(definition.project) });
}
