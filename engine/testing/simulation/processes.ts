import type { ProjectorLogger } from "../../projector/ports.js";
import { type RunningConsumer, runConsumer } from "../../projector/runner.js";
import type { ConsumerDefinition } from "../../service/consumer.js";
import { TributaryError } from "../../service/errors.js";
import type { SimulatedLog } from "./group.js";
import type { Chance } from "./random.js";
import { type Step, Violation } from "./schedule.js";
import type { Sender, SimulatedServer } from "./server.js";
import type { Services } from "./services.js";
import type { Hits, Weather } from "./weather.js";

export interface Installation {
  readonly definition: ConsumerDefinition;
  readonly services: Services;
  readonly log: SimulatedLog;
  readonly server: SimulatedServer;
  readonly weather: Weather;
  readonly hits: Hits;
  readonly chance: Chance;
  readonly cacheRows: number;
}

const silent: ProjectorLogger = { info: () => {}, warn: () => {}, error: () => {} };

/** One process of the consumer from its start to its end. */
class Life implements Sender {
  readonly name: string;
  alive = true;
  frozen = false;
  running: RunningConsumer | undefined;
  closing = false;

  constructor(name: string) {
    this.name = name;
  }
}

/** The consumer's processes: whichever ends is started again. */
export class Processes {
  readonly #parts: Installation;
  readonly #lives: (Life | undefined)[];
  #births = 0;
  /** Why a process ended that should not have. */
  violation: Violation | undefined;

  constructor(parts: Installation, count: number) {
    this.#parts = parts;
    this.#lives = Array.from({ length: count }, () => undefined);
  }

  /** The calm after the storm: nobody stands still any more. */
  thaw(): void {
    for (const life of this.#lives) if (life) life.frozen = false;
  }

  /** The run is over: nothing that is left of it does anything any more. */
  abandon(): void {
    for (const life of this.#lives) if (life) life.alive = false;
  }

  *steps(): Iterable<Step> {
    const { weather } = this.#parts;
    for (const [place, life] of this.#lives.entries()) {
      if (!life) {
        yield { name: `process ${place} starts`, weight: 1, take: () => this.#start(place) };
        continue;
      }
      const { name, frozen } = life;
      yield { name: `${name} is killed`, weight: weather.weight("kill"), take: () => this.#kill(place, life) };
      if (frozen) {
        const take = () => {
          life.frozen = false;
        };
        yield { name: `${name} goes on`, weight: 0.5, take };
        continue;
      }
      yield { name: `${name} stands still`, weight: weather.weight("freeze"), take: () => this.#freeze(life) };
      if (life.running && !life.closing) {
        yield { name: `${name} leaves`, weight: weather.weight("leave"), take: () => this.#leave(life) };
      }
    }
  }

  #start(place: number): void {
    const life = new Life(`p${place}.${++this.#births}`);
    const { definition, services, log, server, cacheRows } = this.#parts;
    const asked = services.of(life);
    this.#lives[place] = life;
    runConsumer({
      definition,
      log: log.of(life),
      pool: server.poolOf(life),
      decoder: asked,
      opener: asked,
      logger: silent,
      onFailure: (error) => this.#failed(place, life, error, "TRIB_PROJECT_FENCE_LOST"),
      cacheRows,
    }).then(
      (running) => {
        life.running = running;
      },
      (error: Error) => this.#failed(place, life, error, "TRIB_STORE_UNAVAILABLE"),
    );
  }

  #isBusy(life: Life): boolean {
    return this.#parts.server.isBusyFor(life) || this.#parts.log.isBusyFor(life);
  }

  #kill(place: number, life: Life): void {
    if (this.#isBusy(life)) this.#parts.hits.count("process killed at work");
    this.#end(place, life);
  }

  #freeze(life: Life): void {
    if (this.#isBusy(life)) this.#parts.hits.count("process frozen at work");
    life.frozen = true;
  }

  #leave(life: Life): void {
    life.closing = true;
    const place = this.#lives.indexOf(life);
    life.running?.close().then(
      () => this.#end(place, life),
      (error: Error) => this.#failed(place, life, error),
    );
  }

  /** @param good why it may end by itself then; a supervisor starts it again. */
  #failed(place: number, life: Life, error: Error, good?: string): void {
    if (!life.alive) return;
    const code = error instanceof TributaryError ? error.code : "none";
    if (code !== good) {
      this.violation ??= new Violation(`${life.name} ended by itself: ${code}: ${error.message}`, { cause: error });
    }
    this.#parts.hits.count(`process ended by ${code}`);
    this.#end(place, life);
  }

  #end(place: number, life: Life): void {
    if (!life.alive) return;
    life.alive = false;
    this.#lives[place] = undefined;
    this.#parts.server.abandon(life, () => this.#parts.chance.of(0.5));
  }
}
