import { Changes } from "../projector/changes.js";
import { type LanePlace, takeAgain } from "../projector/checkpoint.js";
import { copiedTables } from "../projector/copied-tables.js";
import { failureOf } from "../projector/failure.js";
import type { ProjectionLayout } from "../projector/layout.js";
import type { Patience } from "../projector/patience.js";
import { type Write, WriteStatements } from "../projector/statement.js";
import { TributaryError } from "../service/errors.js";
import { copyRows } from "../store/copy.js";
import type { Pool } from "../store/pool.js";

export interface CopyParts {
  readonly pool: Pool;
  readonly layout: ProjectionLayout;
  readonly patience: Patience;
  readonly owner: string;
}

/**
 * Copies what was folded of a partition into tables that have nothing of it yet, in one transaction, which the fenced
 * statement of the lanes ends: so the rows are there with the checkpoint, or neither is. The fence comes last and holds its
 * row for a moment only, however long the COPY takes.
 *
 * @returns the SQLSTATE when Postgres refuses the data, and nothing of it was written; undefined when all of it was.
 * @throws TRIB_PROJECT_FENCE_LOST when another owner came.
 */
export async function copyFold(parts: CopyParts, place: LanePlace, folded: Write): Promise<string | undefined> {
  const { pool, patience, owner } = parts;
  const facts = { projection: place.build.projection, topic: place.topic, partition: place.partition };
  let epoch = folded.epoch;
  for (let attempt = 0; ; attempt++) {
    try {
      if (await transaction(parts, place, { ...folded, epoch })) return undefined;
      throw new TributaryError("TRIB_PROJECT_FENCE_LOST", undefined, facts);
    } catch (error) {
      const failure = failureOf(error);
      if (failure.kind === "refused") return failure.code;
      if (failure.kind === "wrong") throw error;
      await patience.wait("copy rows", error, attempt);
    }
    // It may have been committed: the checkpoint tells.
    const standing = await patience.until("read the checkpoint again", () => takeAgain(pool, place, owner));
    if (!standing) throw new TributaryError("TRIB_PROJECT_FENCE_LOST", undefined, facts);
    if (standing.nextOffset === folded.next) return undefined;
    epoch = standing.epoch;
  }
}

/** @returns false when the lane is no more behind its fence, and nothing was written. */
async function transaction({ pool, layout }: CopyParts, place: LanePlace, folded: Write): Promise<boolean> {
  const statements = new WriteStatements(layout, place.build);
  const client = await pool.connect();
  let broken = true;
  try {
    await client.query("BEGIN");
    for (const { target, columns, chunks } of copiedTables(layout, place.build, place, folded.changes)) {
      await copyRows(client, target, columns, chunks);
    }
    const changes = new Changes(layout);
    // Rows copied by an earlier transaction, of events that are superseded by now.
    for (const [table, offsets] of folded.changes.withdrawn.entries()) {
      for (const offset of offsets) changes.withdrawn[table]?.add(offset);
    }
    const fenced = statements.statement([statements.encode({ ...folded, changes })]);
    const { rows } = await client.query({ ...fenced, values: [...fenced.values] });
    await client.query(rows.length === 1 ? "COMMIT" : "ROLLBACK");
    broken = false;
    return rows.length === 1;
  } finally {
    // A connection in an unknown state is not for others; closing it rolls back.
    client.release(broken);
  }
}
