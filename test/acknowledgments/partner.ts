import { setTimeout as pause } from "node:timers/promises";
import type { Random } from "../../demo/random.js";
import type { Address, ConnectorDefinition, SendLine } from "../../engine/intake/connector.js";
import { TributaryError } from "../../engine/service/errors.js";
import { type Connector, type Delivery, makeDelivery, resendRule, type Sketch } from "./deliveries.js";

/** What a unit was told in the end, without how long it took. */
type Told = Omit<SendLine, "file" | "ms">;

/** A delivery and every final answer that its partner has got to it, in order. */
export interface Answered {
  readonly connector: Connector;
  readonly delivery: Delivery;
  /** One a sending that got an answer: a line a unit. */
  readonly answers: readonly (readonly Told[])[];
}

/** A partner waits so long for an answer and then sends anew. */
const patience = 15_000;
/** A partner that is not answered for so long has found a violation. */
const longestWait = 150_000;

export interface PartnerOptions {
  readonly connector: Connector;
  readonly definition: ConnectorDefinition<unknown>;
  /** As the partner knows them: through the proxy. */
  readonly addresses: () => readonly Address[];
  readonly random: Random;
  /** Deliveries under way at once. */
  readonly lanes: number;
  /** Longest pause between two deliveries of a lane, milliseconds. */
  readonly rest: number;
  readonly over: () => boolean;
}

/**
 * A partner at work: sends deliveries, each until it has a final answer, many of them again afterwards, and some with
 * other bytes under the same control ids; keeps a log of what it was told.
 */
export class Partner {
  readonly connector: Connector;
  readonly #log = new Map<string, { answers: (readonly Told[])[] } & Answered>();
  /** Sendings with a final answer. */
  answered = 0;
  /** Sendings without one. */
  retries = 0;
  /** Deliveries that never got one. */
  readonly unanswered: string[] = [];
  readonly #options: PartnerOptions;
  #number = 0;
  #onTheWay = 0;

  constructor(options: PartnerOptions) {
    this.#options = options;
    this.connector = options.connector;
  }

  get log(): readonly Answered[] {
    return [...this.#log.values()];
  }

  /** Sendings on their way to an answer now. */
  get inFlight(): number {
    return this.#onTheWay;
  }

  /** Resolves when it is over and nothing is unanswered. */
  async work(): Promise<void> {
    await Promise.all(Array.from({ length: this.#options.lanes }, () => this.#lane()));
  }

  async #lane(): Promise<void> {
    const { random, rest, over, connector } = this.#options;
    while (!over()) {
      this.#number += 1;
      const first = { number: this.#number, version: "A" as const, broken: random.chance(150) };
      await this.#tell(first, random.below(3));
      if (!first.broken && random.chance(300)) {
        const other = { ...first, version: "B" as const };
        await this.#tell(other, random.below(2));
        // Where content counts for ever, the first is known again whatever came since.
        if (resendRule[connector] === "EVERY") await this.#tell(first, 0);
      }
      await pause(random.below(rest) + 1);
    }
  }

  /** Sends until there is an answer, then so many times again. */
  async #tell(sketch: Sketch, again: number): Promise<void> {
    const delivery = makeDelivery[this.connector](sketch);
    const mark = delivery.units[0]?.mark ?? "";
    const answered = this.#log.get(mark) ?? { connector: this.connector, delivery, answers: [] };
    this.#log.set(mark, answered);
    for (let times = 0; times <= again; times++) {
      const told = await this.#send(delivery.bytes);
      if (told) this.answered += 1;
      if (told) answered.answers.push(told);
      else this.unanswered.push(mark);
    }
  }

  async #send(bytes: Buffer): Promise<readonly Told[] | undefined> {
    const until = performance.now() + longestWait;
    while (performance.now() < until) {
      this.#onTheWay += 1;
      try {
        const told = await Promise.race([this.#once(bytes), pause(patience, undefined, { ref: false })]);
        if (told && told.length > 0 && told.every(isFinal)) return told;
      } catch (error) {
        // Without an answer, or with half of one, nothing is known: it is sent again.
        if (!(error instanceof TributaryError || error instanceof TypeError)) throw error;
      } finally {
        this.#onTheWay -= 1;
      }
      this.retries += 1;
      await pause(50 + this.#options.random.below(250));
    }
    return undefined;
  }

  async #once(bytes: Buffer): Promise<readonly Told[]> {
    const { definition, addresses } = this.#options;
    const told: Told[] = [];
    const sent = definition.send({ addresses: addresses(), partner: "generic", file: "", bytes });
    for await (const { file: _file, ms: _ms, ...line } of sent) told.push(line);
    return told;
  }
}

/** Whether an answer settles the matter: anything but "not durable, try again". */
function isFinal({ accepted, answer, code }: Told): boolean {
  if (accepted) return true;
  if (answer === null || answer === "CR" || (answer === "AR" && code === "207")) return false;
  return !/^(5\d\d|408|429)$/.test(answer);
}
