import type { DeliveringConsumer } from "../delivery/registration.js";
import { webhook } from "../delivery/webhook.js";
import { consumer } from "../service/consumer.js";

/** What made-up events say, in a field that a real event has. */
export interface Told {
  readonly number: number;
  /** silent: nothing is sent of it. broken: `map` throws. */
  readonly act?: "silent" | "broken";
}

/** The shared secret of specs. */
export const specSecret = Buffer.alloc(32, "s");

/** A delivering consumer to an endpoint of this machine. @param start default the beginning. */
export const acme = (url: string, start: "earliest" | "latest" = "earliest"): DeliveringConsumer =>
  consumer({
    name: "acme-health-plan",
    start,
    deliver: {
      events: ["VisitUpdated"],
      to: webhook({ url, secrets: ["acme.whsec"], timeoutSeconds: 2, concurrency: 8 }),
      map: ({ event, key }) => {
        const { number, act } = JSON.parse(event.facility) as Told;
        if (act === "broken") throw new Error(`secret ${number}`);
        return act === "silent" ? undefined : { number, visit: key };
      },
    },
  }) as DeliveringConsumer;

export const specCredentials = () => `whsec_${specSecret.toString("base64")}`;
