import type { EventPlace, RequestedAction } from "../projector/decisions.js";
import { requestDecisions } from "../projector/requests.js";
import { type RowDifference, verifyProjection } from "../projector/verify.js";
import { stateOfBuild } from "./build-state.js";
import type { ProjectionBench } from "./projection-bench.js";
import type { Dice } from "./retold-history.js";

/** Where keys are held by now. */
export async function heldIn({ build, pool }: ProjectionBench): Promise<readonly (EventPlace & { key: string })[]> {
  const { rows } = await pool.query<EventPlace & { key: string }>(
    `SELECT topic, partition, log_offset AS "offset", key FROM engine.parked_keys
     WHERE projection = $1 AND build = $2 AND state <> 'done' ORDER BY 1, 2, 3`,
    [build.projection, build.build],
  );
  return rows.map((row) => ({ ...row, offset: Number(row.offset) }));
}

/** Asks what an operator would. @returns ids of the decisions. */
export const askOf = ({ build, pool }: ProjectionBench, action: RequestedAction, places: readonly EventPlace[]) =>
  requestDecisions(pool, { projection: build.projection, action, places, by: "operator", reason: "seen" });

/** What `projections verify` tells of a build. */
export async function differencesOf(bench: ProjectionBench): Promise<readonly RowDifference[]> {
  const { build, decisions, pool, layout } = bench;
  await decisions.load();
  const parts = { projection: layout.definition, build, log: bench, pool, decoder: bench, opener: bench };
  return (await verifyProjection({ ...parts, decisions })).differences;
}

/**
 * All of a build of notes. Positions taken from headers alone, and those of events that nobody decodes, name no events; those
 * kept with a key that is held for what was told again are of any moment since: nobody asks for them.
 */
export async function stateOf({ build, pool }: ProjectionBench): Promise<Readonly<Record<string, readonly string[]>>> {
  const { acts = [], ...state } = await stateOfBuild(pool, build);
  const plain = Object.entries(state).map(([name, rows]) => [
    name,
    rows.map((row) => row.replaceAll(/, "event-\d+"\]/g, ", null]").replace(/"positions": \{[^}]*\}, /, "")),
  ]);
  // Sums that came to nothing say nothing: one may be left of what was told and taken back.
  return { ...Object.fromEntries(plain), acts: acts.filter((row) => !row.includes('"events": 0,')) };
}

/** Now and then an operator says something about a key that is held, or about an event that is to come. */
export async function decideSome(bench: ProjectionBench, random: Dice): Promise<number> {
  if (random.below(2) === 0) return 0;
  const held = await heldIn(bench);
  const partition = random.below(2);
  const { topic } = bench.inputs[0]?.source ?? { topic: "" };
  const ahead: EventPlace = { topic, partition, offset: bench.recordsOf(topic, partition).length + random.below(3) };
  const action = (["skip", "park", "retry"] as const)[random.below(3)] as RequestedAction;
  const places = held.length > 0 && random.below(4) > 0 ? [held[random.below(held.length)] as EventPlace] : [ahead];
  await askOf(bench, action, places);
  return places.length;
}
