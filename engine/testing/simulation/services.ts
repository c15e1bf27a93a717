import type { Decoder, Opener } from "../../projector/ports.js";
import { TributaryError } from "../../service/errors.js";
import type { Happening } from "./history.js";
import type { Stage, Step } from "./schedule.js";
import type { Sender } from "./server.js";
import type { Hits, Weather } from "./weather.js";

interface Request {
  readonly sender: Sender;
  readonly service: "vault" | "registry";
  readonly answer: () => void;
  readonly fail: () => void;
}

/** The vault, whose keys are in a Postgres, and the registry: every answer is a step, and sometimes there is none. */
export class Services implements Stage {
  readonly #happenings: readonly Happening[];
  readonly #weather: Weather;
  readonly #hits: Hits;
  #requests: Request[] = [];

  constructor(happenings: readonly Happening[], weather: Weather, hits: Hits) {
    this.#happenings = happenings;
    this.#weather = weather;
    this.#hits = hits;
  }

  get waiting(): number {
    return this.#requests.length;
  }

  /** As one process has them: what it learned it knows until its end. */
  of(sender: Sender): Decoder & Opener {
    let learned = false;
    return {
      decodeEvent: (value) => {
        const happening = this.#happenings[Number(value.toString())];
        if (!happening) throw new Error("no event");
        if (happening.isNewer && !learned) throw new TributaryError("TRIB_LOG_UNKNOWN_SCHEMA");
        const { id } = happening.event.meta;
        return { type: happening.type, event: { ...happening.event, sealed: Buffer.from(id) } };
      },
      learn: () =>
        this.#ask(sender, "registry", () => {
          learned = true;
        }),
      open: (contents) =>
        this.#ask(sender, "vault", () =>
          contents.map(
            ({ eventId }) => this.#happenings.find(({ event }) => event.meta.id === eventId)?.sealed ?? null,
          ),
        ),
    };
  }

  *steps(): Iterable<Step> {
    this.#requests = this.#requests.filter(({ sender }) => sender.alive);
    for (const request of this.#requests) {
      const { sender, service } = request;
      if (sender.frozen) continue;
      const settled = (settle: () => void) => () => {
        this.#requests = this.#requests.filter((other) => other !== request);
        settle();
      };
      yield { name: `the ${service} answers ${sender.name}`, weight: 8, take: settled(request.answer) };
      yield {
        name: `the ${service} can't be reached by ${sender.name}`,
        weight: this.#weather.weight("lostBefore"),
        take: settled(request.fail),
      };
    }
  }

  #ask<Answer>(sender: Sender, service: Request["service"], work: () => Answer): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const fail = () => {
        this.#hits.count(`${service} unreachable`);
        reject(new TributaryError(service === "vault" ? "TRIB_STORE_UNAVAILABLE" : "TRIB_LOG_REGISTRY_UNAVAILABLE"));
      };
      this.#requests.push({ sender, service, answer: () => resolve(work()), fail });
    });
  }
}
