import type { Pool } from "../store/pool.js";
import type { LanePlace } from "./checkpoint.js";
import type { Decision, Decisions } from "./decisions.js";
import { type HeldKey, heldAt } from "./held-keys.js";
import type { ProjectorLogger } from "./ports.js";
import { type Standing, standingOf } from "./release.js";
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

export interface ParkedRequestsOptions {
  readonly pool: Pool;
  readonly place: LanePlace;
  readonly decisions: Decisions;
  readonly logger: ProjectorLogger;
}

/** Requests about one held key, carried out together. */
export interface Task {
  readonly held: HeldKey;
  readonly requests: readonly LaneRequest[];
}

/** Another owner came: whoever it is carries on. */
export class FenceLost extends Error {}

/**
 * Carries out what operators ask for about the events of one build in one partition: as its owner, behind its fence.
 *
 * The order makes a crash at any point end the same: a request is *decided* behind the fence, then the decision is
 * recorded in the audit topic, then it is carried out and closed in one fenced statement. Who finds a decided request
 * does the rest again; a record written twice counts once.
 */
export abstract class ParkedRequests {
  readonly #options: ParkedRequestsOptions;
  /** Whether something may be left to be carried out, as after another owner. */
  #owes = true;

  constructor(options: ParkedRequestsOptions) {
    this.#options = options;
  }

  /** Why a request about a held key may not be carried out; undefined when it may. */
  protected abstract refusal(request: LaneRequest, held: HeldKey): string | undefined;

  /** Carries requests about held keys out: decides them, and closes them with what came of it. */
  protected abstract carryOutAll(epoch: number, standing: Standing, tasks: readonly Task[]): Promise<void>;

  /** Reads what was decided. To be called when the lane opens, before it handles any event. */
  async open(): Promise<void> {
    this.#owes = true;
    await adoptRequests(this.#options.pool, this.#options.place);
    await this.#options.decisions.load();
  }

  /** Carries out what was asked for since, if anything. What fails is logged, and tried again at the next call. */
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
    let before: string | undefined;
    for (;;) {
      const open = (await openRequests(pool, place)).map(({ id }) => id).join();
      // What another build decided meanwhile may have come with what was recorded. What stays open waits for its time.
      if (open === "" || open === before) break;
      before = open;
      await lane.apart((epoch) => this.#carryOut(epoch));
    }
    this.#owes = false;
  }

  async #carryOut(epoch: number): Promise<void> {
    const { pool, place } = this.#options;
    const standing = await standingOf(pool, place, epoch);
    if (!standing) return;
    try {
      await this.#carryOutBehind(epoch, standing);
    } catch (error) {
      // Whoever came carries on.
      if (!(error instanceof FenceLost)) throw error;
    }
  }

  async #carryOutBehind(epoch: number, standing: Standing): Promise<void> {
    const { pool, place } = this.#options;
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
      const refusal = here && request.state === "requested" ? this.refusal(request, here) : undefined;
      if (refusal !== undefined) await this.close(epoch, "refused", [request], refusal);
      else if (here) {
        const task = tasks.get(here.offset) ?? { held: here, requests: [] };
        tasks.set(here.offset, task);
        task.requests.push(request);
      } else await this.#withoutRows(epoch, standing, request);
    }
    await this.carryOutAll(epoch, standing, [...tasks.values()]);
  }

  /** Of several requests about one event only the last is carried out; what was decided before it is recorded before it. */
  async #supersede(epoch: number, all: readonly LaneRequest[]): Promise<readonly LaneRequest[]> {
    const last = new Map(all.map((request) => [request.offset, request]));
    const before = all.filter((request) => last.get(request.offset) !== request);
    if (before.length === 0) return all;
    await this.#record(before.filter(({ state }) => state === "decided"));
    await this.close(epoch, "refused", before, "another request about this event came after it");
    return [...last.values()].sort((left, right) => left.id - right.id);
  }

  /** A request that changes no row now. */
  async #withoutRows(epoch: number, standing: Standing, request: LaneRequest): Promise<void> {
    const { decisions, place } = this.#options;
    const ahead = request.offset >= standing.nextOffset;
    const stands = decisions.decisionAt(place.topic, place.partition, request.offset);
    if (ahead) {
      await this.decide(epoch, [request]);
      await this.close(epoch, "done", [request], "counts when the event comes");
    } else if (request.state === "decided" || (request.action === "skip" && stands === "skip")) {
      await this.#record(request.state === "decided" ? [request] : []);
      await this.close(epoch, "done", [request], "nothing is left to do");
    } else {
      const why = request.action === "park" ? "the event was handled already" : "nothing is parked there";
      await this.close(epoch, "refused", [request], why);
    }
  }

  protected async decide(epoch: number, requests: readonly LaneRequest[]): Promise<void> {
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

  protected async close(
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
