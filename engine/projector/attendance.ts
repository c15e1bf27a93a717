import type { IncomingRecord, LaneContext, LaneHandler, Ownership } from "../log/log.js";

/** How often a lane looks for what operators ask for. */
const everyMilliseconds = 2_000;

/**
 * A lane that now and then does something else between its batches: never beside one. It attends when it opens, before
 * any event, so that what stops it can be decided about; later only when `isAsked`, which may be answered beside a batch.
 */
export function attended(
  lane: LaneHandler,
  attend: () => Promise<void>,
  isAsked: () => Promise<boolean> = async () => true,
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
  const look = async () => {
    if (waiting) return;
    waiting = true;
    try {
      if (!(await isAsked())) return;
      await inTurn(async () => {
        if (timer !== undefined) await attend();
      });
    } catch (error) {
      // Thrown where the subscription hears of it.
      failure = { error };
    } finally {
      waiting = false;
    }
  };
  return {
    open: (ownership?: Ownership) =>
      inTurn(async () => {
        const offset = await lane.open(ownership);
        await attend();
        timer = setInterval(() => void look(), milliseconds);
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
