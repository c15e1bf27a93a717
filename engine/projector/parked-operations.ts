import { TributaryError } from "../service/errors.js";
import type { Decision, Decisions, Verdict } from "./decisions.js";
import { failureOf } from "./failure.js";
import { isErasure } from "./fold.js";
import { type HeldKey, heldAt } from "./held-keys.js";
import type { ProjectorLogger } from "./ports.js";
import { type Refolded, type RefoldOptions, type RefoldWork, refold } from "./refold.js";
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

const refusedByPostgres = (code: string) => ({
  code: "TRIB_PROJECT_WRITE_REFUSED" as const,
  reason: `Postgres refuses the rows of this event (SQLSTATE ${code})`,
});

/**
 * Carries out what operators ask for about the events of one build in one partition: as its owner, behind its fence.
 *
 * The order makes a crash at any point end the same: a request is *decided* behind the fence, then the decision is
 * recorded in the audit topic, then it is carried out and closed in one fenced statement. Who finds a decided request
 * does the rest again; a record written twice counts once.
 */
export class ParkedOperations {
  readonly #options: ParkedOperationsOptions;

  constructor(options: ParkedOperationsOptions) {
    this.#options = options;
  }

  /** Reads what was decided. To be called when the lane opens, before it handles any event. */
  async open(): Promise<void> {
    await adoptRequests(this.#options.pool, this.#options.place);
    await this.#options.decisions.load();
  }

  /**
   * Carries out what was asked for since, if anything. What fails is logged and tried again at the next call.
   * @throws only what the lane itself does.
   */
  async attend(lane: RestingLane): Promise<void> {
    const { pool, place } = this.#options;
    let some = false;
    await this.#trying(async () => {
      some = (await openRequests(pool, place)).length > 0;
    });
    if (some) await lane.apart((epoch) => this.#trying(() => this.#carryOut(epoch)));
  }

  async #trying(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (error instanceof FenceLost) return;
      const { topic, partition, build } = this.#options.place;
      const facts = { err: error, projection: build.projection, build: build.build, topic, partition };
      this.#options.logger.error(facts, "what an operator asked for could not be carried out yet");
    }
  }

  async #carryOut(epoch: number): Promise<void> {
    const { pool, place } = this.#options;
    const standing = await standingOf(pool, place, epoch);
    if (!standing) return;
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
    return { held: tasks.map(({ held }) => held), journal: standing.journal, to: standing.nextOffset, verdict };
  }

  async #write(
    epoch: number,
    standing: Standing,
    { held }: RefoldWork,
    refolded: Refolded,
    outcomes: ReadonlyMap<number, string>,
  ): Promise<void> {
    const { pool, layout, place } = this.#options;
    const written = await writeRelease(pool, layout, place, { epoch, standing, held, refolded, outcomes });
    if (!written) throw new FenceLost();
  }

  /**
   * Postgres refuses the rows of one of the key's events. Ever longer stretches are written, each with the key parked at
   * the event after it, until the one is found at which it has to stay.
   */
  async #findRefused(epoch: number, standing: Standing, task: Task, code: string): Promise<void> {
    const { pool, place } = this.#options;
    const reason = refusedByPostgres(code);
    const first = this.#workOf(standing, [task]);
    let held = task.held;
    let good = 0;
    let bad = (await refold(this.#options, first)).keys.get(held.key)?.applied.length ?? 0;
    const stretch = async (after: number, requests: readonly LaneRequest[]): Promise<boolean> => {
      const work = { ...first, held: [held], stop: { after: after - good, reason } };
      const refolded = await refold(this.#options, work);
      const outcomes = this.#outcomesOf({ held, requests }, refolded, good);
      try {
        await this.#write(epoch, standing, work, refolded, outcomes);
      } catch (error) {
        if (failureOf(error).kind === "refused" && after > good) return false;
        throw error;
      }
      held = (await heldAt(pool, place, [held.offset])).get(held.offset) ?? held;
      good = after;
      return true;
    };
    while (bad - good > 1) {
      const middle = (good + bad) >> 1;
      if (!(await stretch(middle, []))) bad = middle;
    }
    await stretch(good, task.requests);
  }

  /** What to tell of a key that was folded again. @param before events of it applied in statements before. */
  #outcomesOf({ held, requests }: Task, refolded: Refolded, before = 0): ReadonlyMap<number, string> {
    const { topic, partition } = this.#options.place;
    const { applied = [], again = undefined } = refolded.keys.get(held.key) ?? {};
    const done = `${before + applied.length} events applied`;
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
