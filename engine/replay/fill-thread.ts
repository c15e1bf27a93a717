import { type MessagePort, Worker } from "node:worker_threads";
import { Absence } from "../projector/absence.js";
import type { Build } from "../projector/build.js";
import { type ErrorCode, type ErrorFacts, TributaryError } from "../service/errors.js";
import { type FillHelper, type FillOptions, fillPlaces, type Unfilled } from "./fill.js";
import type { FillPlace } from "./fill-places.js";

/** What a thread is given when it starts. Plain data. */
export interface ThreadShare {
  readonly projection: string;
  readonly build: Build;
  readonly memoryBytes: number;
  readonly connections: number;
  readonly rate: number | undefined;
}

type ToThread = { readonly place: FillPlace | undefined } | { readonly stop: true };

type FromThread =
  | { readonly kind: "next" }
  | { readonly kind: "read"; readonly events: number }
  | { readonly kind: "done"; readonly unfilled: readonly SentUnfilled[] }
  | { readonly kind: "failed"; readonly code: ErrorCode; readonly message: string; readonly facts: ErrorFacts };

type SentUnfilled = Pick<Unfilled, "topic" | "partition"> & {
  readonly met?: { readonly before: number; readonly words: Int32Array };
};

const sent = ({ topic, partition, met }: Unfilled): SentUnfilled => ({
  topic,
  partition,
  ...(met ? { met: { before: met.before, words: met.absence.words } } : {}),
});

const received = ({ topic, partition, met }: SentUnfilled): Unfilled => ({
  topic,
  partition,
  ...(met ? { met: { before: met.before, absence: new Absence(met.words) } } : {}),
});

/**
 * A thread that fills partitions, started when it is asked to.
 * @param script of the thread, which calls `serveFill`.
 * @param projection by name: definitions are code, and stay in their thread.
 */
export const fillThread = (script: URL, projection: string): FillHelper => ({
  fill: ({ build, memoryBytes, connections, rate, next, read, signal }) =>
    new Promise((resolve, reject) => {
      const share: ThreadShare = { projection, build, memoryBytes, connections, rate };
      const worker = new Worker(script, { workerData: share, name: `fill ${projection}` });
      const tell = (message: ToThread) => worker.postMessage(message);
      const stop = () => tell({ stop: true });
      if (signal.aborted) stop();
      signal.addEventListener("abort", stop, { once: true });
      const ended = (end: () => void) => {
        signal.removeEventListener("abort", stop);
        end();
      };
      worker.on("message", (message: FromThread) => {
        if (message.kind === "next") tell({ place: signal.aborted ? undefined : next() });
        else if (message.kind === "read") read(message.events);
        else if (message.kind === "done") ended(() => resolve(message.unfilled.map(received)));
        else ended(() => reject(new TributaryError(message.code, message.message, message.facts)));
      });
      worker.once("error", (error) => ended(() => reject(error)));
      worker.once("exit", (code) => ended(() => reject(new Error(`The thread that fills ended with ${code}.`))));
    }),
});

/** Fills what the thread that started this one gives it, until there is no more. Resolves when all is told. */
export async function serveFill(port: MessagePort, share: ThreadShare, options: FillOptions): Promise<void> {
  const tell = (message: FromThread) => port.postMessage(message);
  const stopping = new AbortController();
  let answer: (place: FillPlace | undefined) => void = () => {};
  port.on("message", (message: ToThread) => {
    if ("stop" in message) stopping.abort(new TributaryError("TRIB_REPLAY_INTERRUPTED"));
    else answer(message.place);
  });
  const next = () =>
    new Promise<FillPlace | undefined>((resolve) => {
      answer = resolve;
      tell({ kind: "next" });
    });
  const { build, memoryBytes, connections, rate } = share;
  const given = { ...options, build, memoryBytes, connections, signal: stopping.signal };
  try {
    const unfilled = await fillPlaces(rate === undefined ? given : { ...given, rate }, next, (events) =>
      tell({ kind: "read", events }),
    );
    tell({ kind: "done", unfilled: unfilled.map(sent) });
  } catch (error) {
    // Any other ends the thread, and Node hands it over.
    if (!(error instanceof TributaryError)) throw error;
    const { code, message, facts } = error;
    tell({ kind: "failed", code, message, facts });
  } finally {
    port.removeAllListeners("message");
    port.unref();
  }
}
