import { TributaryError } from "../service/errors.js";
import type { Verdict } from "./decisions.js";
import { mayErase } from "./erasures.js";
import { failureOf } from "./failure.js";
import type { HeldKey } from "./held-keys.js";
import { type ParkReason, refusedWith } from "./park-reason.js";
import { FenceLost, ParkedRequests, type ParkedRequestsOptions, type Task } from "./parked-requests.js";
import { offsetsOf, type Refolded, type RefoldOptions, type RefoldWork, refold } from "./refold.js";
import { type Standing, writeRelease } from "./release.js";
import type { LaneRequest } from "./requests.js";

export interface ParkedOperationsOptions extends RefoldOptions, ParkedRequestsOptions {}

/** Keys folded again in one statement. */
const mostKeys = 200;

/** Carries requests about held keys out by folding the keys again. */
export class ParkedOperations extends ParkedRequests {
  readonly #options: ParkedOperationsOptions;

  constructor(options: ParkedOperationsOptions) {
    super(options);
    this.#options = options;
  }

  /**
   * What an erasure takes out of the rows of its key is gone although the key is held at it. Builds made of the log later
   * would not know, if nobody may read the event any more.
   */
  protected refusal({ action }: LaneRequest, { eventType }: HeldKey): string | undefined {
    const passesOver = action !== "retry" && mayErase(this.#options.layout, eventType);
    return passesOver ? "an erasure is not passed over: mend what it is held for and retry" : undefined;
  }

  protected async carryOutAll(epoch: number, standing: Standing, tasks: readonly Task[]): Promise<void> {
    for (let at = 0; at < tasks.length; at += mostKeys) {
      await this.#refoldAll(epoch, standing, tasks.slice(at, at + mostKeys));
    }
  }

  async #refoldAll(epoch: number, standing: Standing, tasks: readonly Task[]): Promise<void> {
    try {
      return await this.#refold(epoch, standing, tasks);
    } catch (error) {
      if (error instanceof FenceLost) throw error;
      const [only] = tasks;
      if (tasks.length === 1 && only) return this.#failed(epoch, standing, only, error);
      if (!isAboutData(error)) throw error;
    }
    // One of the keys is refused, or can't be read: each for itself, so that the others go on.
    for (const task of tasks) await this.#refoldAll(epoch, standing, [task]);
  }

  /** One key that could not be folded again as a whole. */
  async #failed(epoch: number, standing: Standing, task: Task, error: unknown): Promise<void> {
    const failure = failureOf(error);
    if (failure.kind === "refused") return this.#findRefused(epoch, standing, task, failure.code);
    // A decided request stays: it will be tried again. What nobody decided yet is given back with the reason.
    const open = task.requests.filter(({ state }) => state === "requested");
    const isFinal =
      error instanceof TributaryError && (!error.definition.retriable || error.code === "TRIB_LOG_UNKNOWN_SCHEMA");
    if (!isFinal || open.length === 0) throw error;
    await this.close(epoch, "refused", open, error.code);
  }

  async #refold(epoch: number, standing: Standing, tasks: readonly Task[]): Promise<void> {
    const work = this.#workOf(standing, tasks);
    const refolded = await refold(this.#options, work);
    const requests = tasks.flatMap((task) => task.requests);
    await this.decide(epoch, requests);
    const outcomes = new Map(tasks.flatMap((task) => [...this.#outcomesOf(task, refolded)]));
    await this.#write(epoch, standing, work, refolded, outcomes);
  }

  #workOf(standing: Standing, tasks: readonly Task[]): RefoldWork {
    const { decisions, place } = this.#options;
    const asked = new Map<number, Verdict | undefined>();
    for (const { requests } of tasks)
      for (const { offset, action } of requests) asked.set(offset, action === "retry" ? undefined : action);
    const verdict = (offset: number) =>
      asked.has(offset) ? asked.get(offset) : decisions.decisionAt(place.topic, place.partition, offset);
    const held = tasks.map((task) => task.held);
    return { held, journal: standing.journal, to: standing.nextOffset, verdict, refused: new Map() };
  }

  async #write(
    epoch: number,
    standing: Standing,
    { held }: RefoldWork,
    refolded: Refolded,
    outcomes: ReadonlyMap<number, string>,
    isTrial = false,
  ): Promise<void> {
    const { pool, layout, place } = this.#options;
    const written = await writeRelease(pool, layout, place, { epoch, standing, held, refolded, outcomes, isTrial });
    if (!written) throw new FenceLost();
  }

  /**
   * Postgres refuses what comes of one of the key's events. Which one, it is asked about ever shorter stretches of them, of
   * which nothing stays; that one counts as refused, and so on until it takes the whole.
   */
  async #findRefused(epoch: number, standing: Standing, task: Task, code: string): Promise<void> {
    const { held, requests } = task;
    const refused = new Map<number, ParkReason>();
    const work: RefoldWork = { ...this.#workOf(standing, [task]), refused };
    const isWhole = (await refold(this.#options, work)).keys.get(held.key)?.isWhole === true;
    const offsets = await offsetsOf(this.#options, held, isWhole, work.to);
    /** @returns the SQLSTATE when Postgres refuses what comes of the events up to one of them. */
    const refusal = async (last: number): Promise<string | undefined> => {
      const some = { ...work, until: (offsets[last] ?? -1) + 1 };
      try {
        await this.#write(epoch, standing, some, await refold(this.#options, some), new Map(), true);
        return undefined;
      } catch (error) {
        const failure = failureOf(error);
        if (failure.kind !== "refused") throw error;
        return failure.code;
      }
    };
    let good = -1;
    for (let state: string | undefined = code; state !== undefined; state = await refusal(offsets.length - 1)) {
      let bad = offsets.length - 1;
      while (bad - good > 1) {
        const middle = (good + bad) >> 1;
        const found = await refusal(middle);
        if (found === undefined) good = middle;
        else [bad, state] = [middle, found];
      }
      const offset = offsets[bad];
      if (offset === undefined || refused.has(offset) || work.verdict(offset) !== undefined) {
        const { topic, partition } = this.#options.place;
        throw new TributaryError("TRIB_PROJECT_WRITE_FAILED", undefined, { topic, partition, offset: held.offset });
      }
      refused.set(offset, refusedWith(state));
      good = bad;
    }
    const refolded = await refold(this.#options, work);
    await this.#write(epoch, standing, work, refolded, this.#outcomesOf({ held, requests }, refolded));
  }

  /** What to tell of a key that was folded again. */
  #outcomesOf({ held, requests }: Task, refolded: Refolded): ReadonlyMap<number, string> {
    const { topic, partition } = this.#options.place;
    const { applied = [], again = undefined } = refolded.keys.get(held.key) ?? {};
    const done = `${applied.length} events applied`;
    const what = again ? `${done}; parked again at ${topic}/${partition}/${again.offset}: ${again.code}` : done;
    return new Map(
      requests.map(({ id, action, offset }) => {
        if (action === "park" && again?.offset === offset) return [id, "stays parked"];
        return [id, action === "skip" ? `skipped; ${what}` : what];
      }),
    );
  }
}

/** True for errors that one key's events or rows may be the reason of. */
function isAboutData(error: unknown): boolean {
  if (failureOf(error).kind === "refused") return true;
  return error instanceof TributaryError && (!error.definition.retriable || error.code === "TRIB_LOG_UNKNOWN_SCHEMA");
}
