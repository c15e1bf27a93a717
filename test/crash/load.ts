import type { Surprise } from "../../demo/answers.js";
import { type PlayResult, playRegion } from "../../demo/deliver.js";
import type { Delivery, Region } from "../../demo/region.js";
import type { SenderName } from "../../demo/senders.js";

export type Receiver = "hl7v2" | "x12";

/** Whom each connector's partners are, in the region. */
const sendersOf: Readonly<Record<Receiver, readonly SenderName[]>> = {
  hl7v2: ["north", "south", "practice"],
  x12: ["clearing", "insurer"],
};

/** Regions that are being played, one after the other. */
export interface Load {
  /** Deliveries that were begun and have no final answer. */
  inFlight(receiver: Receiver): number;
  over(): boolean;
  readonly played: Promise<Played>;
}

export interface Played {
  readonly regions: readonly Region[];
  readonly retries: number;
  readonly surprises: Readonly<Record<Receiver, readonly Surprise[]>>;
}

export interface LoadOptions {
  readonly region: (number: number) => Region;
  /** Regions that are played in any case, and at most. */
  readonly least: number;
  readonly most: number;
  /** Whether it is enough; asked after each region. */
  readonly enough: () => boolean;
  readonly addresses: { readonly mllp: string; readonly x12: string };
  /** Deliveries a second and sender. */
  readonly rates: Readonly<Record<Receiver, number>>;
}

/** Plays regions over the real sockets, each as a whole. */
export function startLoad({ region, least, most, enough, addresses, rates }: LoadOptions): Load {
  const begun = { hl7v2: 0, x12: 0 };
  const answered = { hl7v2: 0, x12: 0 };
  let over = false;
  const play = (whole: Region, receiver: Receiver): Promise<PlayResult> => {
    function* counted(deliveries: IterableIterator<Delivery>): IterableIterator<Delivery> {
      for (const delivery of deliveries) {
        begun[receiver]++;
        yield delivery;
      }
    }
    const part: Region = {
      ...whole,
      senderNames: sendersOf[receiver],
      deliveries: (sender) => counted(whole.deliveries(sender)),
    };
    const onProgress = () => {
      answered[receiver]++;
    };
    return playRegion(part, { addresses, rate: rates[receiver], retryAfter: 50, onProgress });
  };
  const playAll = async (): Promise<Played> => {
    const regions: Region[] = [];
    const surprises = { hl7v2: [] as Surprise[], x12: [] as Surprise[] };
    let retries = 0;
    while (regions.length < least || (regions.length < most && !enough())) {
      const next = region(regions.length);
      regions.push(next);
      const [hl7v2, x12] = await Promise.all([play(next, "hl7v2"), play(next, "x12")]);
      retries += hl7v2.retries + x12.retries;
      surprises.hl7v2.push(...hl7v2.surprises);
      surprises.x12.push(...x12.surprises);
    }
    return { regions, retries, surprises };
  };
  const played = playAll().finally(() => {
    over = true;
  });
  return { inFlight: (receiver) => begun[receiver] - answered[receiver], over: () => over, played };
}
