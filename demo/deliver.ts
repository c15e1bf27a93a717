import { rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { type Answer, readAck, readX12, type Surprise, surprise } from "./answers.js";
import type { Delivery } from "./delivery.js";
import { type MllpConnection, openMllp } from "./mllp.js";
import type { Region } from "./region.js";
import type { SenderName } from "./senders.js";

export interface Progress {
  readonly sender: SenderName;
  /** Deliveries answered for good, and units in them. */
  readonly delivered: number;
  readonly units: number;
}

export interface PlayOptions {
  /** Where each kind of sender connects: "mllp://host:port" and "http://host:port". A sender's own address goes first. */
  readonly addresses: { readonly mllp: string; readonly x12: string } & { readonly [sender in SenderName]?: string };
  readonly onProgress?: (progress: Progress) => void;
  /** Most HL7 v2 messages of one sender on the way without an answer; default 16. Their order is kept. */
  readonly concurrency?: number;
  /** Milliseconds before something that was not taken is sent again; default 250. */
  readonly retryAfter?: number;
  /** Milliseconds without any progress after which a sender gives up; default 60,000. */
  readonly patience?: number;
  /** Most deliveries a second and sender; default as fast as it goes. */
  readonly rate?: number;
  readonly signal?: AbortSignal;
}

export interface PlayResult {
  readonly delivered: number;
  readonly units: number;
  /** Sendings beyond the first of each delivery. */
  readonly retries: number;
  readonly surprises: readonly Surprise[];
}

interface Tally {
  delivered: number;
  units: number;
  retries: number;
  readonly surprises: Surprise[];
}

const settle = (tally: Tally, delivery: Delivery, answer: Answer, options: PlayOptions): void => {
  const odd = surprise(delivery, tally.delivered, answer);
  if (odd !== undefined) tally.surprises.push(odd);
  tally.delivered++;
  tally.units += delivery.expectation.units;
  options.onProgress?.({ sender: delivery.sender, delivered: tally.delivered, units: tally.units });
};

class GaveUp extends Error {
  constructor(sender: SenderName, patience: number) {
    super(`${sender}: no final answer for ${patience} ms. Are the connectors running, and is their log reachable?`);
    this.name = "GaveUp";
  }
}

/** Waits a little and counts it, unless there was no progress for too long. */
function patienceOf(sender: SenderName, options: PlayOptions): { progress(): void; retry(): Promise<void> } {
  const patience = options.patience ?? 60_000;
  let last = performance.now();
  return {
    progress: () => {
      last = performance.now();
    },
    retry: async () => {
      if (performance.now() - last > patience) throw new GaveUp(sender, patience);
      await pause(options.retryAfter ?? 250, undefined, options.signal ? { signal: options.signal } : {});
    },
  };
}

/** Plays one HL7 v2 sender over one connection at a time; what is unanswered when it breaks is sent again, in order. */
async function playMllp(
  deliveries: Iterator<Delivery>,
  sender: SenderName,
  options: PlayOptions,
  tally: Tally,
): Promise<void> {
  const address = options.addresses[sender] ?? options.addresses.mllp;
  const window = options.concurrency ?? 16;
  const patience = patienceOf(sender, options);
  const waiting: Delivery[] = [];
  const interval = options.rate === undefined ? 0 : 1000 / options.rate;
  const began = performance.now();
  let taken = 0;
  let exhausted = false;
  let connection: MllpConnection | undefined;
  let wake: () => void = () => {};
  let refused = false;

  const onAnswer = (bytes: Buffer): void => {
    const answer = readAck(bytes);
    const delivery = waiting[0];
    if (delivery === undefined || refused) return;
    if (answer.retryable) {
      // What follows on this connection was sent behind it: all of it goes again, so that the order stays.
      refused = true;
      connection?.close();
      return;
    }
    waiting.shift();
    patience.progress();
    settle(tally, delivery, answer, options);
    wake();
  };

  while (!exhausted || waiting.length > 0) {
    options.signal?.throwIfAborted();
    refused = false;
    let open = true;
    try {
      connection = await openMllp(address, onAnswer, () => {
        open = false;
        wake();
      });
    } catch {
      await patience.retry();
      continue;
    }
    const live = connection;
    for (const delivery of waiting) live.send(delivery.bytes);
    tally.retries += waiting.length;
    while (open && (!exhausted || waiting.length > 0)) {
      while (!exhausted && open && waiting.length < window) {
        const ahead = began + taken * interval - performance.now();
        if (ahead > 1) await pause(ahead);
        const next = deliveries.next();
        if (next.done === true) exhausted = true;
        else {
          taken++;
          waiting.push(next.value);
          if (open) live.send(next.value.bytes);
        }
      }
      if (!open || (exhausted && waiting.length === 0)) break;
      await new Promise<void>((resolve) => {
        wake = resolve;
        const late = setTimeout(() => live.close(), options.patience ?? 60_000);
        wake = () => {
          clearTimeout(late);
          resolve();
        };
      });
    }
    live.close();
    if (waiting.length > 0) await patience.retry();
  }
}

/** Takes one delivery after the other, none before its time. */
async function* paced(deliveries: Iterator<Delivery>, { rate }: PlayOptions): AsyncGenerator<Delivery> {
  const began = performance.now();
  for (let taken = 0; ; taken++) {
    const ahead = rate === undefined ? 0 : began + (taken * 1000) / rate - performance.now();
    if (ahead > 1) await pause(ahead);
    const next = deliveries.next();
    if (next.done === true) return;
    yield next.value;
  }
}

/** Plays one X12 sender over HTTP, one interchange after the answer to the one before. */
async function playHttp(
  deliveries: Iterator<Delivery>,
  sender: SenderName,
  options: PlayOptions,
  tally: Tally,
): Promise<void> {
  const base = options.addresses[sender] ?? options.addresses.x12;
  const patience = patienceOf(sender, options);
  for await (const delivery of paced(deliveries, options)) {
    for (let attempt = 0; ; attempt++) {
      options.signal?.throwIfAborted();
      if (attempt > 0) {
        tally.retries++;
        await patience.retry();
      }
      try {
        const response = await fetch(`${base}/partners/${sender}/interchanges`, {
          method: "POST",
          headers: { "content-type": "application/edi-x12" },
          body: new Uint8Array(delivery.bytes),
          ...(options.signal ? { signal: options.signal } : {}),
        });
        const answer = readX12(await response.text(), response.status);
        if (answer.retryable || response.status >= 500) continue;
        patience.progress();
        settle(tally, delivery, answer, options);
        break;
      } catch (error) {
        if (error instanceof GaveUp || options.signal?.aborted === true) throw error;
      }
    }
  }
}

/**
 * Plays a region over the connectors' real protocols, all senders at once, each in its own order, and compares every
 * answer with what is expected. A retryable answer (AR with 207, HTTP 503) or a broken connection sends the same bytes
 * again until there is a final answer.
 * @throws an Error that names the sender when there is no progress for `patience`
 */
export async function playRegion(region: Region, options: PlayOptions): Promise<PlayResult> {
  const tallies = region.senderNames.map((): Tally => ({ delivered: 0, units: 0, retries: 0, surprises: [] }));
  await Promise.all(
    region.senderNames.map((sender, index) => {
      const tally = tallies[index] as Tally;
      const deliveries = region.deliveries(sender);
      const http = sender === "clearing" || sender === "insurer";
      return http ? playHttp(deliveries, sender, options, tally) : playMllp(deliveries, sender, options, tally);
    }),
  );
  const add = (of: (tally: Tally) => number): number => tallies.reduce((sum, tally) => sum + of(tally), 0);
  return {
    delivered: add((tally) => tally.delivered),
    units: add((tally) => tally.units),
    retries: add((tally) => tally.retries),
    surprises: tallies.flatMap((tally) => tally.surprises),
  };
}

/**
 * Drops one X12 sender's interchanges as files into a folder, each under its final name only when it is complete.
 * @returns the file names, in order
 */
export async function dropInterchanges(
  region: Region,
  sender: "clearing" | "insurer",
  folder: string,
): Promise<string[]> {
  return dropFiles(region.deliveries(sender), folder);
}

/** Drops files into a folder in the order given. @returns the file names */
export async function dropFiles(
  files: Iterable<{ readonly bytes: Buffer; readonly fileName?: string | undefined }>,
  folder: string,
): Promise<string[]> {
  const names: string[] = [];
  for (const { bytes, fileName } of files) {
    if (fileName === undefined) continue;
    await writeFile(join(folder, `.${fileName}.part`), bytes);
    await rename(join(folder, `.${fileName}.part`), join(folder, fileName));
    names.push(fileName);
  }
  return names;
}
