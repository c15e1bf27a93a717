import { expect } from "vitest";
import type { AnyProjection, Row } from "../projector/definition.js";
import type { FoldInput } from "../projector/fold.js";
import type { Pool } from "../store/pool.js";
import { ProjectionBench } from "./projection-bench.js";

export interface When {
  /** How often the publisher sends the events, as after a crash; default 1. The rows must not tell the difference. */
  readonly numberOfTimes?: number;
  /** Events in one fenced statement; default 100. */
  readonly batch?: number;
}

export interface Then {
  /** Rows of these tables, in any order; columns that are not named may hold anything. */
  thenRows(tables: Readonly<Record<string, readonly Row[]>>): Promise<void>;
  /** Keys held back, with the codes of their reasons. */
  thenParked(keys: readonly { readonly key: string; readonly code: string }[]): Promise<void>;
}

/**
 * A projection on a real Postgres, without a log: given events already applied by a process that ended, when events come,
 * then rows. Each case has an empty build of its own.
 *
 * @param pool as the owner of a migrated database; see `freshDatabase`.
 */
export function given(
  projection: AnyProjection,
  pool: Pool,
  events: readonly FoldInput[] = [],
): { when(events: readonly FoldInput[], options?: When): Then } {
  return {
    when(next, { numberOfTimes = 1, batch = 100 } = {}) {
      const ran = (async () => {
        const bench = await ProjectionBench.create(projection, pool, { beside: true });
        bench.append(events);
        await bench.run({ batch });
        bench.append(next, { numberOfTimes });
        await bench.run({ batch });
        return bench;
      })();
      ran.catch(() => {});
      return {
        async thenRows(tables) {
          const bench = await ran;
          for (const [name, wanted] of Object.entries(tables)) {
            const rows = (await bench.rows(name)).map(({ row }) => row);
            expect(rows, name).toHaveLength(wanted.length);
            expect(rows, name).toEqual(expect.arrayContaining(wanted.map((row) => expect.objectContaining(row))));
          }
        },
        async thenParked(keys) {
          const bench = await ran;
          const { rows } = await pool.query(
            "SELECT key, code FROM engine.parked_keys WHERE projection = $1 AND build = $2 ORDER BY log_offset",
            [projection.name, bench.build.build],
          );
          expect(rows).toEqual(keys);
        },
      };
    },
  };
}
