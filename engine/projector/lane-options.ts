import type { Metrics } from "../service/metrics.js";
import type { Pool } from "../store/pool.js";
import type { Absence } from "./absence.js";
import type { Build } from "./build.js";
import type { BuildWriter } from "./build-writer.js";
import type { Checkpoint } from "./checkpoint.js";
import type { LaneEvent } from "./events.js";
import type { InHand } from "./in-hand.js";
import type { LaneStateOptions } from "./lane-state.js";
import type { Loader } from "./load.js";
import type { HeldHere } from "./parked-limit.js";
import type { ParkedOperations } from "./parked-operations.js";
import type { Patience } from "./patience.js";
import type { ProjectorLogger } from "./ports.js";

export interface LaneOptions extends LaneStateOptions {
  readonly loader: Loader;
  readonly build: Build;
  readonly pool: Pool;
  /** Shared by the lanes of a build in one process. */
  readonly writer: BuildWriter;
  /** Reads events of the partition again, offsets from `from` up to `to`. */
  readonly again: (from: number, to: number) => AsyncIterable<readonly LaneEvent[]>;
  /** @throws TRIB_LOG_REPLACED when the partition isn't the one that the checkpoint was read from. */
  readonly assertSameLog: (checkpoint: Checkpoint) => Promise<void>;
  /** Names this process, for who looks at the checkpoints. */
  readonly owner: string;
  readonly logger: ProjectorLogger;
  /** Told when the lane stays lost although it is still ours by the group: the process must exit. */
  readonly onFailure?: (error: Error) => void;
  readonly metrics?: Metrics;
  readonly patience: Patience;
  readonly operations?: ParkedOperations;
  /** Keys met before this offset, where the lane goes on with what was filled; without it they are asked for. */
  readonly met?: { readonly before: number; readonly absence: Absence };
  /** Keys that the build's lanes of this process hold back; default: this lane alone. */
  readonly heldHere?: HeldHere;
  /** Most keys a build may hold back before its projection stops; default 10,000. */
  readonly parkedLimit?: number;
  /** Events folded before they are written while more are there already; default 32,000. */
  readonly flushEvents?: number;
  /** Rows that may wait meanwhile, a third of them where hardly any changes twice; default 12,000. */
  readonly flushRows?: number;
  /** What the lanes of this process have in hand; default: of this lane alone. */
  readonly inHand?: InHand;
  /** Milliseconds after which they are written in any case; default 500. */
  readonly flushMilliseconds?: number;
}
