import { ParkedRequests, type ParkedRequestsOptions, type Task } from "../projector/parked-requests.js";
import type { Standing } from "../projector/release.js";
import type { DeliveryLane } from "./lane.js";

/**
 * Carries requests about held keys out by delivering them again. They are answered when all that waited behind the event is
 * delivered, or the key is parked again: that takes as long as the partner does.
 */
export class ParkedDeliveries extends ParkedRequests {
  readonly #lane: DeliveryLane;

  constructor(options: ParkedRequestsOptions, lane: DeliveryLane) {
    super(options);
    this.#lane = lane;
  }

  /** An erasure that the partner never hears of is for an operator to decide. */
  protected refusal(): undefined {}

  protected async carryOutAll(epoch: number, _standing: Standing, tasks: readonly Task[]): Promise<void> {
    for (const { held, requests } of tasks) {
      await this.decide(epoch, requests);
      if (this.#lane.retrying(held, requests)) continue;
      if (requests.every(({ action }) => action === "park")) await this.close(epoch, "done", requests, "stays parked");
      else await this.#lane.deliverAgain(held, requests);
    }
  }
}
