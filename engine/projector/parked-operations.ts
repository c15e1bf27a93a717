import { TributaryError } from "../service/errors.js";
import type { Decision, Decisions, Verdict } from "./decisions.js";
import { failureOf } from "./failure.js";
import { isErasure } from "./fold.js";
import { type HeldKey, heldAt } from "./held-keys.js";
import { type ParkReason, refusedWith } from "./park-reason.js";
import type { ProjectorLogger } from "./ports.js";
import { offsetsOf, type Refolded, type RefoldOptions, type RefoldWork, refold } from "./refold.js";
import { type Standing, standingOf, writeRelease } from "./release.js";
import { adoptRequests, closeRequests, decideRequests, type LaneRequest, openRequests } from "./requests.js";

/** What a lane does for operators between its batches. */
export interface RestingLane {
  /**
   * Waits until nothing of the lane is under way and nothing folded is unwritten, then lets `work` write behind the epoch
   * it is given. Afterwards the lane raises its epoch and reads checkpoint and held keys anew, whatever came of `work`:
   * it may have been in doubt.
   */
  apart(work: (epoch: number) => Promise<void>): Promise<void>;
}

export interface ParkedOperationsOptions extends RefoldOptions {
  readonly decisions: Decisions;
  readonly logger: ProjectorLogger;
}

/** Keys folded again in one statement. */
const mostKeys = 200;

/** Requests about one held key, carried out together. */
interface Task {
  readonly held: HeldKey;
  readonly requests: readonly LaneRequest[];
}

/** Another owner came: whoever it is carries on. */
class FenceLost extends Error {}

/**
 * Carries out what operators ask for about the events of one build in one partition: as its owner, behind its fence.
 *
 * The order makes a crash at any point end the same: a request is *decided* behind the fence, then the decision is
 * recorded in the audit topic, then it is carried out and closed in one fenced statement. Who finds a decided request
 * does the rest again; a record written twice counts once.
 */
export class ParkedOperations {
  readonly #options: ParkedOperationsOptions;
  /** Whether something may be left to be carried out, as after another owner. */
  #owes = true;

  constructor(options: ParkedOperationsOptions) {
    this.#options = options;
  }

  /** Reads what was decided. To be called when the lane opens, before it handles any event. */
  async open(): Promise<void> {
    this.#owes = true;
    await adoptRequests(this.#options.pool, this.#options.place);
    await this.#options.decisions.load();
  }

  /** Carries out what was asked for since, if anything. What fails is logged, and tried again before the next events. */
  async attend(lane: RestingLane): Promise<void> {
    try {
      await this.#attend(lane);
    } catch (error) {
      this.#owes = true;
      const { topic, partition, build } = this.#options.place;
      const facts = { err: error, projection: build.projection, build: build.build, topic, partition };
      this.#options.logger.error(facts, "what an operator asked for could not be carried out yet");
    }
  }

  /**
   * To be called before events are folded: what is decided and recorded is to be carried out before them, for it counts as
   * of now wherever a key is folded anew.
   * @throws what stands in the way.
   */
  async settle(lane: RestingLane): Promise<void> {
    if (this.#owes) await this.#attend(lane);
  }

  async #attend(lane: RestingLane): Promise<void> {
    const { pool, place } = this.#options;
    let isOwner = true;
    // What another build decided meanwhile may have come with what was recorded.
    while (isOwner && (await openRequests(pool, place)).length > 0) {
      isOwner = false;
      await lane.apart(async (epoch) => {
        try {
          await this.#carryOut(epoch);
          isOwner = true;
        } catch (error) {
          if (!(error instanceof FenceLost)) throw error;
        }
      });
    }
    this.#owes = false;
  }

  async #carryOut(epoch: number): Promise<void> {
    const { pool, place } = this.#options;
    const standing = await standingOf(pool, place, epoch);
    if (!standing) throw new FenceLost();
    const all = await openRequests(pool, place);
    const requests = await this.#supersede(epoch, all);
    const held = await heldAt(
      pool,
      place,
      requests.map(({ offset }) => offset),
    );
    const tasks = new Map<number, { held: HeldKey; requests: LaneRequest[] }>();
    for (const request of requests) {
      const key = held.get(request.offset);
      // A decided request is carried out wherever its key is held by now; a new one only where it was asked for.
      const here = key && (key.offset === request.offset || request.state === "decided") ? key : undefined;
      if (here && request.state === "requested" && this.#passesOver(request, here)) {
        await this.#close(
          epoch,
          "refused",
          [request],
          "an erasure is not passed over: mend what it is held for and retry",
        );
      } else if (here) {
        const task = tasks.get(here.offset) ?? { held: here, requests: [] };
        tasks.set(here.offset, task);
        task.requests.push(request);
      } else await this.#withoutRows(epoch, standing, request);
    }
    const waiting = [...tasks.values()];
    for (let at = 0; at < waiting.length; at += mostKeys) {
      await this.#refoldAll(epoch, standing, waiting.slice(at, at + mostKeys));
    }
  }

  /**
   * What an erasure takes out of the rows of its key is gone although the key is held at it. Builds made of the log later
   * would not know, if nobody may read the event any more.
   */
  #passesOver({ action }: LaneRequest, { eventType }: HeldKey): boolean {
    return action !== "retry" && isErasure(this.#options.layout, eventType);
  }

  /** Of several requests about one event only the last is carried out; what was decided before it is recorded before it. */
  async #supersede(epoch: number, all: readonly LaneRequest[]): Promise<readonly LaneRequest[]> {
    const last = new Map(all.map((request) => [request.offset, request]));
    const before = all.filter((request) => last.get(request.offset) !== request);
    if (before.length === 0) return all;
    await this.#record(before.filter(({ state }) => state === "decided"));
    await this.#close(epoch, "refused", before, "another request about this event came after it");
    return [...last.values()].sort((left, right) => left.id - right.id);
  }

  /** A request that changes no row now. */
  async #withoutRows(epoch: number, standing: Standing, request: LaneRequest): Promise<void> {
    const { decisions, place } = this.#options;
    const ahead = request.offset >= standing.nextOffset;
    const stands = decisions.decisionAt(place.topic, place.partition, request.offset);
    if (ahead) {
      await this.#decide(epoch, [request]);
      await this.#close(epoch, "done", [request], "counts when the event comes");
    } else if (request.state === "decided" || (request.action === "skip" && stands === "skip")) {
      await this.#record(request.state === "decided" ? [request] : []);
      await this.#close(epoch, "done", [request], "nothing is left to do");
    } else {
      const why = request.action === "park" ? "the event was handled already" : "nothing is parked there";
      await this.#close(epoch, "refused", [request], why);
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
    await this.#close(epoch, "refused", open, error.code);
  }

  async #refold(epoch: number, standing: Standing, tasks: readonly Task[]): Promise<void> {
    const work = this.#workOf(standing, tasks);
    const refolded = await refold(this.#options, work);
    const requests = tasks.flatMap((task) => task.requests);
    await this.#decide(epoch, requests);
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

  async #decide(epoch: number, requests: readonly LaneRequest[]): Promise<void> {
    const { pool, place } = this.#options;
    const ids = requests.map(({ id }) => id);
    if (!(await decideRequests(pool, place, epoch, ids))) throw new FenceLost();
    await this.#record(requests);
  }

  async #record(requests: readonly LaneRequest[]): Promise<void> {
    if (requests.length === 0) return;
    const { pool, place, decisions } = this.#options;
    const held = await heldAt(
      pool,
      place,
      requests.map(({ offset }) => offset),
    );
    await decisions.record(requests.map((request) => this.#decisionOf(request, held.get(request.offset))));
  }

  #decisionOf(request: LaneRequest, held: HeldKey | undefined): Decision {
    const { topic, partition, build } = this.#options.place;
    const seen = held?.offset === request.offset ? held : undefined;
    return {
      id: request.decision,
      action: request.action,
      projection: build.projection,
      topic,
      partition,
      offset: request.offset,
      actor: request.requestedBy,
      time: request.requestedAt,
      reason: request.reason,
      key: seen?.key ?? null,
      position: seen?.position ?? null,
      eventId: seen?.eventId ?? null,
      eventType: seen?.eventType ?? null,
    };
  }

  async #close(
    epoch: number,
    state: "done" | "refused",
    requests: readonly LaneRequest[],
    outcome: string,
  ): Promise<void> {
    if (requests.length === 0) return;
    const { pool, place } = this.#options;
    const outcomes = new Map(requests.map(({ id }) => [id, outcome]));
    if (!(await closeRequests(pool, place, epoch, state, outcomes))) throw new FenceLost();
  }
}

/** True for errors that one key's events or rows may be the reason of. */
function isAboutData(error: unknown): boolean {
  if (failureOf(error).kind === "refused") return true;
  return error instanceof TributaryError && (!error.definition.retriable || error.code === "TRIB_LOG_UNKNOWN_SCHEMA");
}
