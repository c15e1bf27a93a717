import type { IncomingRecord, LaneContext, LaneHandler, Ownership } from "../log/log.js";

/** How often a lane looks for what operators ask for. */
const everyMilliseconds = 2_000;

/**
 * A lane that now and then does something else between its batches: never beside one. It attends when it opens, before
 * any event, so that what stops it can be decided about.
 */
export function attended(
  lane: LaneHandler,
  attend: () => Promise<void>,
  milliseconds: number = everyMilliseconds,
): LaneHandler {
  let turn: Promise<unknown> = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;
  let waiting = false;
  let failure: { readonly error: unknown } | undefined;
  const inTurn = <Result>(work: () => Promise<Result>): Promise<Result> => {
    const result = turn.then(work);
    turn = result.catch(() => {});
    return result;
  };
  const look = () => {
    if (waiting) return;
    waiting = true;
    void inTurn(async () => {
      waiting = false;
      if (timer !== undefined) await attend();
    }).catch((error: unknown) => {
      // Thrown where the subscription hears of it.
      failure = { error };
    });
  };
  return {
    open: (ownership?: Ownership) =>
      inTurn(async () => {
        const offset = await lane.open(ownership);
        await attend();
        timer = setInterval(look, milliseconds);
        timer.unref();
        return offset;
      }),
    batch: (records: readonly IncomingRecord[], context: LaneContext) =>
      inTurn(async () => {
        if (failure) throw failure.error;
        await lane.batch(records, context);
      }),
    close: () => {
      clearInterval(timer);
      timer = undefined;
      return inTurn(() => lane.close());
    },
  };
}
