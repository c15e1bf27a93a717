import type { Log } from "../engine/log/log.js";
import type { TellProgress } from "./progress-line.js";

/** Shorter reads are not worth a word. */
const longRecords = 2_000;

/** A log that tells how far each long read of a partition is. */
export function watchedLog<Watched extends Pick<Log, "read">>(log: Watched, tell: TellProgress): Watched {
  async function* read(topic: string, partition: number, from: number, to: number): ReturnType<Log["read"]> {
    let records = 0;
    for await (const piece of log.read(topic, partition, from, to)) {
      yield piece;
      records += piece.length;
      if (to - from >= longRecords) tell(`read ${topic}/${partition}`, records, Math.max(records, to - from));
    }
  }
  return { ...log, read };
}
