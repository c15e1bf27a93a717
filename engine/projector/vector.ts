import type { Build } from "./build.js";

/** Next offset by topic and partition: how much of the log something reflects. */
export type Vector = Readonly<Record<string, Readonly<Record<string, number>>>>;

interface Queryable {
  query(text: string, values: unknown[]): Promise<{ readonly rows: readonly unknown[] }>;
}

/** The checkpoints of a build. Inside a snapshot it is what exactly the rows of that snapshot reflect. */
export async function vectorOf(reader: Queryable, build: Pick<Build, "projection" | "build">): Promise<Vector> {
  const { rows } = await reader.query(
    "SELECT topic, partition, next_offset FROM engine.checkpoints WHERE projection = $1 AND build = $2 ORDER BY topic, partition",
    [build.projection, build.build],
  );
  const vector: Record<string, Record<string, number>> = {};
  for (const { topic, partition, next_offset } of rows as { topic: string; partition: number; next_offset: number }[]) {
    vector[topic] ??= {};
    vector[topic][String(partition)] = Number(next_offset);
  }
  return vector;
}

/** Places of `wanted` that `reached` is below. */
export function* behind(
  reached: Vector,
  wanted: Vector,
): Generator<{ topic: string; partition: number; missing: number }> {
  for (const [topic, partitions] of Object.entries(wanted)) {
    for (const [partition, offset] of Object.entries(partitions)) {
      const missing = offset - (reached[topic]?.[partition] ?? 0);
      if (missing > 0) yield { topic, partition: Number(partition), missing };
    }
  }
}
