import { TributaryError } from "../../engine/service/errors.js";

/** Parts of the bench, in the order in which they run and are told. */
export const partNames = ["peers", "processes", "keys", "idle", "region"] as const;
export type PartName = (typeof partNames)[number];

export interface BenchOptions {
  /** Events of a full run; parts derive theirs from it. */
  readonly events: number;
  readonly only: readonly PartName[];
  /** Folder of the side-by-side benchmark of peers, writable. */
  readonly peers: string | undefined;
  readonly json: boolean;
  /** Puts the figures into `docs/performance.md`. */
  readonly write: boolean;
}

/** What the command line gives. @throws TRIB_CLI_MISUSED naming what is wrong. */
export function readOptions(given: {
  readonly events: string;
  readonly only?: string;
  readonly peers?: string;
  readonly json?: boolean;
  readonly write?: boolean;
}): BenchOptions {
  const events = Number(given.events);
  if (!Number.isSafeInteger(events) || events < 1_000) {
    throw new TributaryError(
      "TRIB_CLI_MISUSED",
      `--events takes a whole number of at least 1000, not ${given.events}.`,
    );
  }
  const only = (given.only ?? partNames.join(",")).split(",").map((part) => part.trim());
  const unknown = only.filter((part) => !(partNames as readonly string[]).includes(part));
  if (unknown.length > 0) {
    const what = `--only takes ${partNames.join(", ")}, separated by commas; not ${unknown.join(", ")}.`;
    throw new TributaryError("TRIB_CLI_MISUSED", what);
  }
  return {
    events,
    only: partNames.filter((part) => only.includes(part)),
    peers: given.peers,
    json: given.json === true,
    write: given.write === true,
  };
}
