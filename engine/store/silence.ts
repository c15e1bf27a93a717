import type { Socket } from "node:net";
import type pg from "pg";

/**
 * Gives connections up that are in use and on which nothing moves for so long. A network that swallows packets tells
 * nobody: without this a statement would wait for as long as the system sends its bytes again, a quarter of an hour, and
 * one whose reply was swallowed for ever.
 *
 * Bytes that come or go count as life, however long the whole takes: pg's own `query_timeout` would cut off a table that
 * is read for minutes, or a large statement on a slow line, again and again. The error has the code ETIMEDOUT; the
 * connection is destroyed, so that nothing of its statement can be taken for the answer to another.
 */
export function giveUpSilentConnections(pool: pg.Pool, milliseconds: number): void {
  pool.on("connect", ({ connection }) => {
    const stream = connection.stream as Socket;
    stream.on("timeout", () => {
      const { bytesRead } = stream;
      // A process that was stopped, or busy, sees the time before it sees what came meanwhile.
      setImmediate(() => {
        if (stream.bytesRead > bytesRead) return;
        const error = new Error(`Postgres said nothing for ${milliseconds} ms`);
        stream.destroy(Object.assign(error, { code: "ETIMEDOUT" }));
      });
    });
  });
  // Between two uses a connection may be silent: keep-alive probes look after it.
  const watch = (client: pg.PoolClient, limit: number) => (client.connection.stream as Socket).setTimeout(limit);
  pool.on("acquire", (client) => watch(client, milliseconds));
  pool.on("release", (_, client) => watch(client, 0));
}
