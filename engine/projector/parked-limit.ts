import { TributaryError } from "../service/errors.js";
import type { Pool } from "../store/pool.js";
import type { LanePlace } from "./checkpoint.js";
import type { ParkedRow } from "./statement-parts.js";

type Place = Pick<LanePlace, "topic" | "partition">;

/** Keys that the lanes of one build in this process hold back, those not yet written included. */
export class HeldHere {
  readonly #held = new Map<string, number>();

  of({ topic, partition }: Place): number | undefined {
    return this.#held.get(`${partition} ${topic}`);
  }

  set({ topic, partition }: Place, held: number): void {
    this.#held.set(`${partition} ${topic}`, held);
  }

  /** From now on what is written counts. */
  release({ topic, partition }: Place): void {
    this.#held.delete(`${partition} ${topic}`);
  }

  /** Sum over all partitions but one. @param written keys held by partition as Postgres has them: of those not here. */
  others(own: Place, written: readonly (Place & { readonly held: number })[]): number {
    const all = new Map(written.map(({ topic, partition, held }) => [`${partition} ${topic}`, held]));
    for (const [name, held] of this.#held) all.set(name, held);
    all.delete(`${own.partition} ${own.topic}`);
    return [...all.values()].reduce((sum, held) => sum + held, 0);
  }
}

export interface Parking {
  readonly pool: Pool;
  readonly place: LanePlace;
  /** Most keys the build may hold back. */
  readonly limit: number;
  /** With the lane's own keys. */
  readonly heldHere: HeldHere;
  /** Among them, those that are parked by what is about to be written. */
  readonly parked: readonly ParkedRow[];
}

/**
 * Asked before a statement that parks keys: a mistake in a fold must not empty a read model key by key. What operators
 * decided to park has room always.
 * @throws TRIB_PROJECT_TOO_MANY_PARKED naming the first event that has none.
 */
export async function assertRoomForParked({ pool, place, limit, heldHere, parked }: Parking): Promise<void> {
  const { build, topic, partition } = place;
  const ownAccount = parked.filter(({ code }) => code !== "TRIB_PROJECT_PARKED_BY_OPERATOR");
  if (ownAccount.length === 0) return;
  const { rows } = await pool.query<Place & { held: number }>(
    `SELECT topic, partition, count(*)::integer AS held FROM engine.parked_keys
     WHERE projection = $1 AND build = $2 AND state <> 'done' GROUP BY topic, partition`,
    [build.projection, build.build],
  );
  const beyond = (heldHere.of(place) ?? 0) + heldHere.others(place, rows) - limit;
  if (beyond <= 0) return;
  const without = ownAccount[Math.max(0, ownAccount.length - beyond)] as ParkedRow;
  throw new TributaryError(
    "TRIB_PROJECT_TOO_MANY_PARKED",
    `${build.projection} holds back as many keys as it may (${limit}); the event at ${topic}/${partition}/${without.offset} would be one more.`,
    { projection: build.projection, build: build.build, topic, partition, offset: without.offset, code: without.code },
  );
}
