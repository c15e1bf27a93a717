import { journalTopic } from "../../engine/log/schemas.js";
import type { TestInstallation } from "../installation.js";

/** Entries of the journal that were appended while something was sent: from and to (exclusive) of each partition. */
export type JournalStretch = readonly { readonly partition: number; readonly from: number; readonly to: number }[];

/** Does some sending and tells which stretch of the journal it filled; nobody else may be sending meanwhile. */
export async function during<Result>(
  { log }: TestInstallation,
  sending: () => Promise<Result>,
): Promise<{ readonly stretch: JournalStretch; readonly result: Result }> {
  const before = await log.watermarks(journalTopic);
  const result = await sending();
  const after = await log.watermarks(journalTopic);
  const stretch = after.map(({ partition, high }) => ({
    partition,
    from: before.find((mark) => mark.partition === partition)?.high ?? 0,
    to: high,
  }));
  return { stretch, result };
}

/** SQL condition on rows of `timeline` named `t`: made from entries of the stretch. */
export const within = (stretch: JournalStretch): string =>
  `(${stretch
    .map(
      ({ partition, from, to }) =>
        `t.journal_partition = ${partition} AND t.journal_offset >= ${from} AND t.journal_offset < ${to}`,
    )
    .join(" OR ")})`;
