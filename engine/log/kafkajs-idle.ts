import { assertKafkajsVersion, type RequestQueue, requestQueueClass } from "./kafkajs-internals.js";

/**
 * Stops the timer that burns CPU on idle connections.
 *
 * After every answer the library arms a timer for the end of the broker's throttling, which as a rule lies in 1970: the
 * timer fires at once, arms itself anew, and so a thousand times a second for every idle connection. It is only of use
 * while requests wait; with none waiting the next request arms it when it must.
 */
function quiet(prototype: RequestQueue): void {
  const schedule = prototype.scheduleCheckPendingRequests;
  prototype.scheduleCheckPendingRequests = function (this: RequestQueue) {
    if (this.pending.length > 0) schedule.call(this);
  };
}

let applied = false;

/** Applies the correction to the installed library, once a process. @throws when it is another version. */
export function quietIdleConnections(): void {
  if (applied) return;
  assertKafkajsVersion();
  quiet(requestQueueClass().prototype);
  applied = true;
}
