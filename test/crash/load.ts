import { type PlayResult, playRegion } from "../../demo/deliver.js";
import type { Delivery, Region } from "../../demo/region.js";
import type { SenderName } from "../../demo/senders.js";

export type Receiver = "hl7v2" | "x12";

/** Whom each connector's partners are, in the region. */
const sendersOf: Readonly<Record<Receiver, readonly SenderName[]>> = {
  hl7v2: ["north", "south", "practice"],
  x12: ["clearing", "insurer"],
};

/** A region that is being played. */
export interface Load {
  /** Deliveries that were begun and have no final answer. */
  inFlight(receiver: Receiver): number;
  over(): boolean;
  readonly played: Promise<Readonly<Record<Receiver, PlayResult>>>;
}

/**
 * Plays a region over the real sockets.
 * @param rates deliveries a second and sender, by connector.
 */
export function startLoad(
  region: Region,
  addresses: { readonly mllp: string; readonly x12: string },
  rates: Readonly<Record<Receiver, number>>,
): Load {
  const begun = { hl7v2: 0, x12: 0 };
  const answered = { hl7v2: 0, x12: 0 };
  let over = false;
  const play = (receiver: Receiver): Promise<PlayResult> => {
    function* counted(deliveries: IterableIterator<Delivery>): IterableIterator<Delivery> {
      for (const delivery of deliveries) {
        begun[receiver]++;
        yield delivery;
      }
    }
    const part: Region = {
      ...region,
      senderNames: sendersOf[receiver],
      deliveries: (sender) => counted(region.deliveries(sender)),
    };
    const onProgress = () => {
      answered[receiver]++;
    };
    return playRegion(part, { addresses, rate: rates[receiver], onProgress });
  };
  const played = Promise.all([play("hl7v2"), play("x12")]).then(([hl7v2, x12]) => ({ hl7v2, x12 }));
  const end = () => {
    over = true;
  };
  played.then(end, end);
  return { inFlight: (receiver) => begun[receiver] - answered[receiver], over: () => over, played };
}
