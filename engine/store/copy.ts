import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type pg from "pg";
import { from } from "pg-copy-streams";
import { storeError } from "./pool.js";

/**
 * `COPY … FROM STDIN` in binary format, as fast as the server takes it.
 * @param client inside a transaction or not.
 * @param target table, and its columns, quoted.
 * @param chunks are asked for when there is room for them; what they throw ends the COPY, and nothing of it is kept.
 * @throws as a pool's queries.
 */
export async function copyRows(
  client: pg.PoolClient,
  target: string,
  columns: readonly string[],
  chunks: Iterable<Buffer>,
): Promise<void> {
  const copying = client.query(from(`COPY ${target} (${columns.join(", ")}) FROM STDIN (FORMAT binary)`));
  try {
    await pipeline(Readable.from(chunks, { highWaterMark: 4 }), copying);
  } catch (error) {
    throw storeError(error);
  }
}
