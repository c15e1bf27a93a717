import type { IncomingRecord, Log } from "../../log/log.js";
import { type History, partitions } from "./history.js";
import { type LogView, Member } from "./member.js";
import type { Chance } from "./random.js";
import type { Step } from "./schedule.js";
import type { Sender } from "./server.js";
import type { Hits, Weather } from "./weather.js";

/** A log in memory that grows step by step, and the one group that reads it. */
export class SimulatedLog implements LogView {
  readonly #history: History;
  readonly #weather: Weather;
  readonly #hits: Hits;
  readonly #chance: Chance;
  readonly #ends: number[] = Array.from({ length: partitions }, () => 0);
  #members: Member[] = [];
  #generation = 0;
  #assignment = new Map<Member, readonly number[]>();

  constructor(history: History, weather: Weather, hits: Hits, chance: Chance) {
    this.#history = history;
    this.#weather = weather;
    this.#hits = hits;
    this.#chance = chance;
  }

  /** The log as one process has it. */
  of(process: Sender): Pick<Log, "subscribe" | "read" | "watermarks"> {
    const appended = (partition: number) => this.appended(partition);
    return {
      async *read(_topic, partition, from, to) {
        yield appended(partition).slice(from, to);
      },
      watermarks: async () => this.#ends.map((high, partition) => ({ partition, low: 0, high })),
      subscribe: async (options) => {
        const member = new Member(process, options, this, this.#chance, this.#hits);
        this.#members.push(member);
        return member;
      },
    };
  }

  appended(partition: number): readonly IncomingRecord[] {
    return (this.#history.records[partition] ?? []).slice(0, this.#ends[partition]);
  }

  get isComplete(): boolean {
    return this.#history.records.every((records, partition) => records.length === this.#ends[partition]);
  }

  isBusyFor(process: Sender): boolean {
    return this.#members.some((member) => member.process === process && member.isBusy);
  }

  left(member: Member): void {
    this.#members = this.#members.filter((other) => other !== member);
  }

  *steps(): Iterable<Step> {
    yield* this.#appends();
    this.#members = this.#members.filter(({ process }) => process.alive);
    yield* this.#rebalances();
    for (const member of this.#members) {
      const assigned = this.#assignment.get(member);
      if (assigned && member.alive && !member.process.frozen && member.generation !== this.#generation) {
        yield {
          name: `${member.process.name} learns generation ${this.#generation}: ${assigned.join(" ")}`,
          weight: 2,
          take: () => member.assigned(this.#generation, assigned),
        };
      }
      yield* member.steps();
    }
  }

  *#appends(): Iterable<Step> {
    for (const [partition, records] of this.#history.records.entries()) {
      const end = this.#ends[partition] as number;
      if (end === records.length) continue;
      const take = () => {
        this.#ends[partition] = Math.min(records.length, end + this.#chance.between(1, 8));
      };
      yield { name: `the log grows at ${partition}`, weight: this.#weather.stormy ? 0.8 : 8, take };
    }
  }

  *#rebalances(): Iterable<Step> {
    const alive = this.#members.filter((member) => member.alive);
    if (alive.length === 0) return;
    const settled = alive.length === this.#assignment.size && alive.every((member) => this.#assignment.has(member));
    const needed = settled ? 0 : this.#weather.stormy ? 0.3 : 1;
    yield {
      name: "the group is assigned anew",
      weight: needed + this.#weather.weight("rebalance"),
      take: () => this.#assign(alive),
    };
  }

  /** In a storm some members are taken for dead, and go on all the same. */
  #assign(alive: readonly Member[]): void {
    const heard = this.#weather.stormy ? alive.filter(() => this.#chance.of(0.7)) : alive;
    const members = heard.length > 0 ? heard : alive;
    this.#generation++;
    const assignment = new Map<Member, number[]>(members.map((member) => [member, []]));
    for (let partition = 0; partition < partitions; partition++) {
      assignment.get(this.#chance.pick(members))?.push(partition);
    }
    this.#assignment = assignment;
  }
}
